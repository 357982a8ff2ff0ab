/**
 * SM2 encryption on its own (GB/T 32918.4), for what is not JOSE, and the forms in which its keys are handed over.
 * Ciphertexts are the DER of GM/T 0009-2012 §7.2, as OpenSSL reads and writes it.
 */
import type { JWK } from 'jose-upstream'
import { errors } from 'jose-upstream'
import { checkEncryptionJwk } from './encryption-jwk.ts'
import { sm2Multiplier } from './encryption-self-test.ts'
import { SGD_SM2_3 } from './names.ts'
import { decryptBy, encryptTo } from './sm2-cipher.ts'
import type { Sm2KeyInput } from './sm2.ts'
import { forEncryption, isSm2Jwk, isSm2Key, materialOf, privateMaterialOf } from './sm2-key.ts'
import type { Sm2Key } from './sm2-key.ts'
import { maySm2KeyObject, sm2KeyFromKeyObject, sm2KeyOfJwk } from './sm2-key-input.ts'

const { JWEDecryptionFailed } = errors

/**
 * The ciphertext of 1 to 32,768 bytes.
 * @throws TypeError unless the key is a public SM2 key that may encrypt, RangeError for another length
 */
export function sm2Encrypt(key: Sm2KeyInput, message: Uint8Array): Buffer {
  return encryptTo(sm2Multiplier(), materialOf(toEncryptionKey(key, 'encrypt')).point, message)
}

/**
 * What was encrypted to the key.
 * @throws errors.JWEDecryptionFailed, without saying why; TypeError unless the key is a private SM2 key that may decrypt
 */
export function sm2Decrypt(key: Sm2KeyInput, ciphertext: Uint8Array): Buffer {
  const message = tryDecrypt(toEncryptionKey(key, 'decrypt'), ciphertext)
  if (!message) throw new JWEDecryptionFailed()
  return message
}

/** As `sm2Decrypt`, of a key that was looked at; undefined where it fails. */
export function tryDecrypt(key: Sm2Key, ciphertext: Uint8Array): Buffer | undefined {
  return decryptBy(sm2Multiplier(), privateMaterialOf(key).d, ciphertext)
}

/**
 * Any key a caller may hand over for SGD_SM2_3: an `Sm2Key`, a JWK, a Node KeyObject.
 * @throws TypeError for a key of another kind or for another use, errors.JWKInvalid for one that is no key
 */
export function toEncryptionKey(input: unknown, usage: 'encrypt' | 'decrypt'): Sm2Key {
  const key = isSm2Key(input)
    ? input
    : maySm2KeyObject(input)
      ? forEncryption(sm2KeyFromKeyObject(input))
      : isSm2Jwk(input)
        ? fromUsableJwk(input, usage)
        : undefined
  if (!key) throw new TypeError(`Key for the ${SGD_SM2_3} algorithm must be an SM2 key, KeyObject or JSON Web Key`)
  const type = usage === 'decrypt' ? 'private' : 'public'
  if (key.type !== type) throw new TypeError(`Key for this operation must be a ${type} SM2 key`)
  if (!key.usages.includes(usage)) throw new TypeError(`Key for this operation must have the usage "${usage}"`)
  return key
}

function fromUsableJwk(jwk: JWK, usage: 'encrypt' | 'decrypt'): Sm2Key {
  checkEncryptionJwk(jwk, SGD_SM2_3, usage === 'encrypt' ? ['wrapKey', 'encrypt'] : ['unwrapKey', 'decrypt'])
  return forEncryption(sm2KeyOfJwk(jwk))
}
