/**
 * Content encryption (JWE `enc`, RFC 7518 §5.3) beside the SM names: SM4-GCM, and AES-GCM by Node for a content
 * encryption key that SM2 carries; and the key of `dir`.
 */
import { createCipheriv, createDecipheriv, KeyObject } from 'node:crypto'
import type { JWK } from 'jose-upstream'
import { errors } from 'jose-upstream'
import { decodeCanonical } from './jwe-header.ts'
import { SGD_SM4_GCM } from './names.ts'
import { checkJwkUse } from './sm2-key-input.ts'
import { sm4GcmDecrypt, sm4GcmEncrypt } from './sm4-gcm.ts'

const { JOSENotSupported, JWEInvalid } = errors

/** Initialization vectors of 12 bytes, tags of 16, whichever the cipher. */
export interface ContentCipher {
  readonly keyLength: number
  encrypt(
    key: Uint8Array,
    iv: Uint8Array,
    plaintext: Uint8Array,
    associatedData: Uint8Array,
  ): { readonly ciphertext: Buffer; readonly tag: Buffer }
  /** Undefined where the tag does not fit. */
  decrypt(
    key: Uint8Array,
    iv: Uint8Array,
    ciphertext: Uint8Array,
    tag: Uint8Array,
    associatedData: Uint8Array,
  ): Buffer | undefined
}

const ciphers: ReadonlyMap<unknown, ContentCipher> = new Map([
  [SGD_SM4_GCM, { keyLength: 16, encrypt: sm4GcmEncrypt, decrypt: sm4GcmDecrypt }],
  ['A128GCM', aesGcm(128)],
  ['A192GCM', aesGcm(192)],
  ['A256GCM', aesGcm(256)],
])

/** @throws errors.JOSENotSupported for an `enc` that has no cipher here */
export function contentCipher(enc: unknown): ContentCipher {
  const cipher = ciphers.get(enc)
  if (!cipher) throw new JOSENotSupported('Invalid or unsupported "enc" (JWE Encryption Algorithm) header value')
  return cipher
}

function aesGcm(bits: 128 | 192 | 256): ContentCipher {
  const name = `aes-${bits}-gcm` as const
  return {
    keyLength: bits / 8,
    encrypt(key, iv, plaintext, associatedData) {
      const cipher = createCipheriv(name, key, iv).setAAD(associatedData)
      const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
      return { ciphertext, tag: cipher.getAuthTag() }
    },
    decrypt(key, iv, ciphertext, tag, associatedData) {
      const decipher = createDecipheriv(name, key, iv, { authTagLength: 16 }).setAAD(associatedData).setAuthTag(tag)
      const plaintext = decipher.update(ciphertext)
      try {
        return Buffer.concat([plaintext, decipher.final()])
      } catch {
        return undefined
      }
    },
  }
}

/**
 * The key of `dir` with SM4-GCM: 16 bytes, a secret KeyObject, or a JWK of type `oct`.
 * @throws TypeError for a key of another kind or for another use, errors.JWEInvalid for one of another length
 */
export function directKey(input: unknown, usage: 'encrypt' | 'decrypt'): Uint8Array {
  const key = secretBytes(input, usage)
  if (!key) throw new TypeError(`Key for the ${SGD_SM4_GCM} algorithm must be a KeyObject, JSON Web Key or Uint8Array`)
  if (key.length !== 16)
    throw new JWEInvalid(`Invalid Content Encryption Key length. Expected 128 bits, got ${key.length * 8} bits`)
  return key
}

function secretBytes(input: unknown, usage: 'encrypt' | 'decrypt'): Uint8Array | undefined {
  if (input instanceof Uint8Array) return input
  if (input instanceof KeyObject) return input.type === 'secret' ? input.export() : undefined
  if (typeof input !== 'object' || input === null || !('kty' in input) || input.kty !== 'oct') return undefined
  const jwk = input as JWK
  if (typeof jwk.k !== 'string') throw new TypeError('JSON Web Key of type "oct" must have "k" (Key Value)')
  checkJwkUse(jwk, SGD_SM4_GCM, 'enc', [usage])
  return decodeCanonical(jwk.k, 'k')
}
