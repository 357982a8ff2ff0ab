/** The kinds of value that settings have: levels, ports, seconds, addresses, origins, texts in both languages, peers, keys. */
import { isIP } from 'node:net'
import { z } from 'zod'

export const level = z.literal([1, 2, 3, 4])
export const port = z.number().int().min(0).max(65535)
export const seconds = z.number().int().positive()
/** A breaker: failures in a row after which a back end is left alone, and for how long. */
export const breaker = z.strictObject({ failures: z.number().int().min(1), pause: seconds })
/** A service that shares a key with us (`peers/signed-http.ts`); the key file holds at least 32 bytes, base64url. */
export const peer = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  keyFile: z.string().min(1),
  timeout: seconds.max(5),
})
const oneKek = {
  error:
    'must be exactly one of { "file": path }, { "environment": a name not beginning with YIHAO_ }, { "command": [program, argument, …] }',
}
/** Where a key-encryption key comes from: 32 random bytes, base64url. */
export const kek = z.union(
  [
    z.strictObject({ file: z.string().min(1, oneKek) }),
    // What begins with YIHAO_ would be taken for a setting.
    z.strictObject({ environment: z.string().regex(/^(?!YIHAO_)[A-Za-z_]\w*$/, oneKek) }),
    z.strictObject({ command: z.array(z.string()).nonempty(oneKek) }),
  ],
  oneKek,
)
/** A PKCS#11 token and those of its keys that sign; the PIN file holds the PIN and nothing else. */
export const pkcs11 = z.strictObject({
  module: z.string().min(1),
  token: z.string().min(1),
  pinFile: z.string().min(1),
  signers: z.array(z.strictObject({ label: z.string().min(1), alg: z.enum(['ES256', 'RS256']) })).min(1),
  sessions: z.number().int().min(1).max(64).optional(),
})
export const bilingual = z.strictObject({ zh: z.string().min(1), en: z.string().min(1) })
export const webAddress = z.url({ protocol: /^https?$/, error: 'must be a web address, https://…' })
export const origin = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text, {
    error: 'must be an origin such as https://id.example.gov.cn: lower case, no path, no slash at the end',
  })

/** An address or a range that `trust proxy` takes; the whole world is no proxy. */
function isRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  const prefix = bits === undefined ? 1 : Number(bits)
  return (
    family !== 0 && more.length === 0 && Number.isInteger(prefix) && prefix >= 1 && prefix <= (family === 4 ? 32 : 128)
  )
}
export const range = z.string().refine(isRange, { error: 'must be an IP address or a CIDR range such as 10.0.0.0/24' })

export const text = z.string().min(1)
/** Where an answer holds something. */
export const path = z.string().regex(/^\w+(\.\w+)*$/, 'must be a path such as data.bizSeq')

/** `{name}` in an address is filled in, escaped. */
export const addressTemplate = (names: readonly string[], needed: readonly string[]) =>
  z
    .string()
    .refine((address) => URL.canParse(address.replace(/[{}]/g, '')) && /^https?:\/\//.test(address), {
      error: 'must be an https address with {places}; an app is opened by a link that it owns',
    })
    .refine((address) => [...address.matchAll(/\{(\w+)\}/g)].every(([, name]) => names.includes(name ?? '')), {
      error: `may have no other places than ${names.map((name) => `{${name}}`).join(', ')}`,
    })
    .refine((address) => needed.every((name) => address.includes(`{${name}}`)), {
      error: `needs the places ${needed.map((name) => `{${name}}`).join(', ')}`,
    })
