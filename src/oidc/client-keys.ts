/**
 * The public keys of an application, whether they stand in its file or at its own address. Keys of kinds that we do not
 * know are left out (RFC 7517 §5); a set with a private or symmetric key, with a key that is none, or with too many is
 * refused whole.
 */
import { createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { sm2Verify, SM2_CURVE } from 'jose'

const text = z.string().min(1)
const schema = z.object({
  keys: z.array(
    z
      .looseObject({
        kty: text,
        kid: text.optional(),
        alg: text.optional(),
        use: text.optional(),
        x5c: z.array(text).min(1).max(10).optional(),
      })
      .refine(
        // RFC 7518 §6.2.2, §6.3.2, §6.4: what makes a key private or secret
        (key) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].every((member) => !(member in key)),
        'holds a private or secret key',
      ),
  ),
})

export type ClientKey = z.infer<typeof schema>['keys'][number]

const curves = new Set<unknown>(['P-256', 'P-384', 'P-521', 'Ed25519', 'X25519', SM2_CURVE])
const isKnown = ({ kty, crv }: ClientKey): boolean =>
  kty === 'RSA' || ((kty === 'EC' || kty === 'OKP') && curves.has(crv))

/** Both importers throw where the numbers are no key: a point off the curve, a member that is missing. */
function checkNumbers(key: ClientKey): void {
  // What is no signature of 64 bytes is not verified; the key was imported by then.
  if (key['crv'] === SM2_CURVE) sm2Verify({ kty: key.kty, crv: SM2_CURVE, ...point(key) }, Buffer.of(), Buffer.of())
  else createPublicKey({ key: key as never, format: 'jwk' })
}

const point = ({ x, y }: ClientKey) => ({ x: x as string, y: y as string })

/** A signature that names no key is tried with each, by whoever sends it: a set of hundreds would stop the server. */
const mostKeys = 20

/** @throws Error saying what is wrong with the set */
export function parseClientKeys(set: unknown): readonly ClientKey[] {
  const keys = schema.parse(set).keys.filter(isKnown)
  if (keys.length > mostKeys) throw new Error(`holds more than ${mostKeys} keys`)
  keys.forEach(checkNumbers)
  return keys
}

export function isClientKeySet(set: unknown): boolean {
  try {
    return parseClientKeys(set).length > 0
  } catch {
    return false
  }
}
