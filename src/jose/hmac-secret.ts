/**
 * The forms in which a caller hands over the secret of SGD_SM3_HMAC (bytes, secret KeyObject, `oct` JWK). Everything
 * else stops here, a public key above all: whoever can read it could make the MAC (RFC 8725 §2.1).
 */
import { KeyObject } from 'node:crypto'
import { errors } from 'jose-upstream'
import type { JWK } from 'jose-upstream'
import { SGD_SM3_HMAC } from './names.ts'
import { pointFromSpki } from './sm2-der.ts'
import { checkJwkUse } from './sm2-key-input.ts'

export type HmacSecret = Uint8Array | KeyObject

/** RFC 7518 §3.2: a secret is no shorter than the hash. */
const MIN_BYTES = 32

/**
 * The secret, as bytes or KeyObject.
 * @throws TypeError for a key of another kind or for another use, or a secret of less than 32 bytes; errors.JWKInvalid
 *   for a `k` that is not canonical base64url
 */
export function toHmacSecret(input: unknown, usage: 'sign' | 'verify'): HmacSecret {
  const secret = isSecret(input) ? input : isOctJwk(input) ? octets(input, usage) : undefined
  if (!secret)
    throw new TypeError(
      `Key for the ${SGD_SM3_HMAC} algorithm must be a secret KeyObject, "oct" JSON Web Key, or Uint8Array`,
    )
  const size = secret instanceof KeyObject ? (secret.symmetricKeySize ?? 0) : secret.length
  if (size < MIN_BYTES) throw new TypeError(`${SGD_SM3_HMAC} requires a secret of 256 bits or more`)
  if (secret instanceof Uint8Array && isPublicKey(Buffer.from(secret.buffer, secret.byteOffset, secret.length)))
    throw new TypeError(`Key for the ${SGD_SM3_HMAC} algorithm must be a secret, not the text of another key`)
  return secret
}

function isSecret(input: unknown): input is HmacSecret {
  return input instanceof Uint8Array || (input instanceof KeyObject && input.type === 'secret')
}

function isOctJwk(input: unknown): input is JWK & { k: string } {
  return typeof input === 'object' && input !== null && 'kty' in input && input.kty === 'oct'
}

function octets(jwk: JWK, usage: 'sign' | 'verify'): Uint8Array {
  checkJwkUse(jwk, SGD_SM3_HMAC, 'sig', [usage])
  if (typeof jwk.k !== 'string') throw new TypeError('missing "k" (Key Value) Parameter value')
  const bytes = Buffer.from(jwk.k, 'base64url')
  if (bytes.toString('base64url') !== jwk.k) throw new errors.JWKInvalid('JWK "k" must be base64url')
  return bytes
}

/** Whether bytes are PEM, or the SPKI of an SM2 key. */
function isPublicKey(bytes: Buffer): boolean {
  if (bytes.subarray(0, 11).equals(Buffer.from('-----BEGIN '))) return true
  try {
    return pointFromSpki(bytes).length > 0
  } catch {
    return false
  }
}
