/**
 * How the keys of a node travel from the daemon to the server: what is public, and the means to ask for the rest. Two
 * secrets cross the socket by necessity: the cookie keys, since the engine signs cookies at once, and the data keys of
 * people that `unwrap` opens, since values are sealed in the server. No private key and no key-encryption key does.
 */
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import type { Decrypter } from '../decrypter.ts'
import type { KeyDescription, Keys } from '../keys.ts'
import type { Mac } from '../mac.ts'
import type { PublicJwk, Signer } from '../signer.ts'
import { toBytes, toText, type MacName, type Question, type Result } from './wire.ts'

/** Strict: a private member would be refused on its way out. */
const publicJwk = z.strictObject({
  ...{ kty: z.string(), kid: z.string(), alg: z.string(), use: z.enum(['sig', 'enc']) },
  ...{ crv: z.string().optional(), x: z.string().optional(), y: z.string().optional() },
  ...{ n: z.string().optional(), e: z.string().optional() },
}) satisfies z.ZodType<PublicJwk>
const stated = z.strictObject({ state: z.enum(['next', 'active', 'retired']), jwk: publicJwk })

const described = z.strictObject({
  ...{ kid: z.string(), alg: z.string(), state: z.enum(['next', 'active', 'retired']) },
  use: z.enum(['sig', 'enc', 'audit', 'wrapping', 'index', 'pairwise', 'rows', 'cookies', 'codes']),
})

export const descriptionSchema = z.strictObject({
  described: z.array(described),
  signers: z.array(stated),
  decrypters: z.array(stated),
  audit: publicJwk,
  checkpointKeys: z.array(publicJwk),
  /** Versions of the blind index, newest first. */
  index: z.array(z.number().int().positive()).min(1),
  cookies: z.array(z.string()).min(1),
})
export type Description = z.infer<typeof descriptionSchema>

/** Of the keys for codes, `codes-<number>`, in the order in which they are used. */
export const codeKids = (all: readonly KeyDescription[]) =>
  all.flatMap(({ kid, use }) => (use === 'codes' ? [kid as `codes-${number}`] : []))

/** @throws AppError `internal` where a key would tell more than its public half */
export function describeKeys(keys: Keys): Description {
  const description = descriptionSchema.safeParse({
    described: keys.described,
    signers: keys.signers.map(({ key, state }) => ({ state, jwk: key.publicJwk })),
    decrypters: keys.decrypters.map(({ key, state }) => ({ state, jwk: key.publicJwk })),
    audit: keys.audit.publicJwk,
    checkpointKeys: keys.checkpointKeys,
    index: keys.index.map(({ version }) => version),
    cookies: keys.cookies.map(toText),
  })
  // Without the cause, which would name what must not be told.
  if (!description.success) throw new AppError('internal', { detail: 'the keys are not such as may be described' })
  return description.data
}

/** @throws AppError `key_unavailable`, or `sealed_value_invalid` where the daemon says so */
export type Ask = (question: Question) => Promise<Result>

/** The keys that a description names, each asking the daemon. */
export function remoteKeys(description: Description, ask: Ask): Keys {
  const bytes = async (question: Question) => toBytes(String(await ask(question)))
  const signer = (jwk: PublicJwk): Signer => ({
    ...{ alg: jwk.alg, kid: jwk.kid, publicJwk: jwk },
    sign: (data) => bytes({ op: 'sign', kid: jwk.kid, data: toText(data) }),
  })
  const decrypter = (jwk: PublicJwk): Decrypter => ({
    ...{ alg: jwk.alg, kid: jwk.kid, publicJwk: jwk },
    decrypt: (encryptedKey) => bytes({ op: 'decrypt', kid: jwk.kid, data: toText(encryptedKey) }),
  })
  const mac = (name: MacName) => (text: string) => bytes({ op: 'mac', name, text })
  return {
    described: description.described,
    signers: description.signers.map(({ state, jwk }) => ({ state, key: signer(jwk) })),
    decrypters: description.decrypters.map(({ state, jwk }) => ({ state, key: decrypter(jwk) })),
    audit: signer(description.audit),
    checkpointKeys: description.checkpointKeys,
    wrapper: {
      wrap: async (dataKey, context) => String(await ask({ op: 'wrap', data: toText(dataKey), context })),
      unwrap: (wrapped, context) => bytes({ op: 'unwrap', wrapped, context }),
      isCurrent: async (wrapped) => (await ask({ op: 'isCurrent', wrapped })) === true,
    },
    index: description.index.map((version) => ({ version, mac: mac(`index.${version}`) })),
    ...{ pairwise: mac('pairwise'), rows: mac('rows'), limits: mac('limits') },
    // By their names, not their places: an answer that is under way while they rotate is made by the key it was for.
    codes: codeKids(description.described).map((kid) => mac(kid)) as [Mac, ...Mac[]],
    cookies: description.cookies.map(toBytes),
  }
}
