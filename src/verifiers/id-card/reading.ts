/**
 * What a terminal hands over: a compact JWS, signed by SM2 with the key of the device, its certificate in `x5c`, its
 * payload the reading and nothing besides. Opened here, from the outside in, until it is known which certificate signed
 * it and that the city's roots vouch for that; whether it may, and whether the card is good, is asked elsewhere.
 */
import { X509Certificate } from 'node:crypto'
import { compactVerify, isSm2Key, verifyCertificateChain } from 'jose'
import { z } from 'zod'
import { cardTextLength } from '#src/identity/card-text.ts'

export const readingType = 'yihao-card-reading+jws'
const algorithm = 'SGD_SM3_SM2'
const longest = 32_768

const headerSchema = z.strictObject({ alg: z.string(), typ: z.string(), x5c: z.array(z.string()).min(1).max(5) })

const code = z.string().min(1).max(100)

/** What a citizen can be asked to do before the camera: turn the head to his left or right, open the mouth. */
export const movements = ['left', 'right', 'mouth'] as const
export type Movement = (typeof movements)[number]

/** What a terminal found that compared the card's photo with who stood before its camera; no distance, no picture. */
const faceSchema = z.strictObject({
  model: code,
  /** The distance up to which it took two faces for one. */
  threshold: z.number().nonnegative(),
  actions: z.array(z.enum(movements)).max(movements.length),
  outcome: z.enum(['match', 'mismatch', 'no-face', 'actions']),
})

/** No other member: neither photo nor fingerprint ever leaves a terminal. */
const payloadSchema = z.strictObject({
  nonce: code,
  attempt: code,
  terminal: code,
  sam: code,
  /** Seconds. */
  readAt: z.number().int().nonnegative(),
  text: z
    .string()
    .regex(/^[\w-]+$/)
    .transform((encoded, context) => {
      const bytes = Buffer.from(encoded, 'base64url')
      if (bytes.length !== cardTextLength || bytes.toString('base64url') !== encoded)
        context.addIssue({ code: 'custom', message: 'is no text block' })
      return bytes
    }),
  face: faceSchema.optional(),
})

export type Reading = Readonly<z.infer<typeof payloadSchema>>

/** Why it is none: a stable code for the audit trail. */
interface Wrong {
  readonly why: string
}

const wrong = (why: string): Wrong => ({ why })

function parsedJson<T>(schema: z.ZodType<T>, bytes: Uint8Array): T | undefined {
  try {
    return schema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))).data
  } catch {
    return undefined
  }
}

/** Did the roots vouch for it once, and only the time is wrong? */
async function heldOnce(x5c: readonly string[], roots: readonly string[]): Promise<boolean> {
  try {
    const { validFrom } = new X509Certificate(Buffer.from(x5c[0] ?? '', 'base64'))
    await verifyCertificateChain(x5c, { roots, currentDate: new Date(validFrom) })
    return true
  } catch {
    return false
  }
}

/**
 * @param roots the certificates, in PEM, that vouch for devices
 * @param now milliseconds
 */
export async function openReading(
  input: unknown,
  roots: readonly string[],
  now: number,
): Promise<Wrong | { readonly reading: Reading; readonly certificate: Buffer }> {
  if (typeof input !== 'string' || input.length > longest) return wrong('malformed')
  const [encodedHeader = '', encodedPayload = '', signature, ...more] = input.split('.')
  const header = parsedJson(headerSchema, Buffer.from(encodedHeader, 'base64url'))
  if (!header || signature === undefined || more.length > 0) return wrong('malformed')
  if (header.typ !== readingType) return wrong('type')
  if (header.alg !== algorithm) return wrong('algorithm')

  const { x5c } = header
  let key
  try {
    key = await verifyCertificateChain(x5c, { roots, currentDate: new Date(now) })
  } catch {
    return wrong((await heldOnce(x5c, roots)) ? 'certificate-validity' : 'certificate-chain')
  }
  if (!isSm2Key(key)) return wrong('certificate-key')
  try {
    await compactVerify(input, key, { algorithms: [algorithm] })
  } catch {
    return wrong('signature')
  }
  const reading = parsedJson(payloadSchema, Buffer.from(encodedPayload, 'base64url'))
  return reading ? { reading, certificate: Buffer.from(x5c[0] ?? '', 'base64') } : wrong('malformed')
}
