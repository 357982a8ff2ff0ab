/** What the page hands over: the text that was signed, the certificates and the signature, as the agent gave them. */
import { z } from 'zod'
import { readCertificate, type Certificate } from '#src/jose/x509-certificate.ts'
import { readSignedData } from './signed-data.ts'

const maxLength = 16_384

/** One spelling only, so that nothing hides behind another one. */
const base64 = z
  .string()
  .min(4)
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text)
  .transform((text) => Buffer.from(text, 'base64'))

const text = z.string().min(1).max(2048)

const plain = z.strictObject({
  text,
  certificate: base64,
  chain: z.array(base64).max(4).default([]),
  signature: base64,
  /** How the numbers of an SM2 or ECDSA signature are written; else its length tells. */
  format: z.enum(['raw', 'der']).optional(),
})

/** The certificates are inside. */
const packed = z.strictObject({ text, signature: base64, format: z.literal('pkcs7') })

const schema = z.union([plain, packed])

export interface Answer {
  readonly text: string
  readonly certificate: Certificate
  /** Certificates that may stand between it and a root, in any order. */
  readonly chain: readonly Certificate[]
  readonly signature: Buffer
  readonly format: 'raw' | 'der' | undefined
}

/** Undefined for whatever is not such an answer of at most 16 KiB. */
export function readAnswer(input: unknown): Answer | undefined {
  if (typeof input !== 'string' || Buffer.byteLength(input) > maxLength) return undefined
  try {
    const given = schema.parse(JSON.parse(input))
    if (given.format === 'pkcs7')
      return { text: given.text, format: 'der', ...readSignedData(given.signature, Buffer.from(given.text)) }
    const { certificate, chain, format, ...rest } = given
    return { ...rest, format, certificate: readCertificate(certificate), chain: chain.map(readCertificate) }
  } catch {
    return undefined
  }
}
