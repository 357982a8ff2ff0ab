/**
 * Encrypt-then-MAC with SM4-CTR and HMAC-SM3 (GB/T 32907, GB/T 32905), because SM4-GCM is not native. What is sealed is
 * bound to a context: moved to another place it does not open.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'
import { AppError } from '#src/errors.ts'

const ivBytes = 16
const macBytes = 32

export const hmac = (key: KeyObject, ...parts: readonly (string | Uint8Array)[]): Buffer => {
  const mac = createHmac('sm3', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** One random key gives two, so that neither is used for both jobs. Node works three times as fast with key objects. */
export interface EnvelopeKey {
  readonly cipher: KeyObject
  readonly mac: KeyObject
}

/** @param key 32 random bytes */
export function envelopeKey(key: Uint8Array): EnvelopeKey {
  const root = createSecretKey(key)
  return {
    cipher: createSecretKey(hmac(root, 'yihao|seal|cipher').subarray(0, 16)),
    mac: createSecretKey(hmac(root, 'yihao|seal|mac')),
  }
}

/** The length in front keeps context and ciphertext apart under the MAC. */
const bound = (context: string): string => `${Buffer.byteLength(context)}|${context}`

/** Base64url of iv ‖ ciphertext ‖ mac. */
export function encrypt(key: EnvelopeKey, plain: Uint8Array, context: string): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('sm4-ctr', key.cipher, iv)
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([iv, text, hmac(key.mac, bound(context), iv, text)]).toString('base64url')
}

/** @throws AppError `sealed_value_invalid` where the value, its key or its context was changed */
export function decrypt(key: EnvelopeKey, sealed: string, context: string): Buffer {
  const bytes = Buffer.from(sealed, 'base64url')
  // Node reads base64url leniently; only the one true spelling of the bytes is accepted.
  if (bytes.toString('base64url') !== sealed) throw new AppError('sealed_value_invalid', { detail: 'not base64url' })
  if (bytes.length < ivBytes + macBytes) throw new AppError('sealed_value_invalid', { detail: 'too short' })
  const iv = bytes.subarray(0, ivBytes)
  const text = bytes.subarray(ivBytes, -macBytes)
  if (!timingSafeEqual(bytes.subarray(-macBytes), hmac(key.mac, bound(context), iv, text))) {
    throw new AppError('sealed_value_invalid', { detail: 'the value, its key or its place was changed' })
  }
  const decipher = createDecipheriv('sm4-ctr', key.cipher, iv)
  return Buffer.concat([decipher.update(text), decipher.final()])
}
