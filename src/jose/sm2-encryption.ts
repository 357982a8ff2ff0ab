/**
 * SM2 encryption on its own (GB/T 32918.4), for what is not JOSE. Ciphertexts are the DER of GM/T 0009-2012 §7.2, as
 * OpenSSL reads and writes it.
 */
import { errors } from 'jose-upstream'
import { sm2Multiplier } from './encryption-self-test.ts'
import { decryptBy, encryptTo } from './sm2-cipher.ts'
import type { Sm2KeyInput } from './sm2.ts'
import { materialOf, privateMaterialOf } from './sm2-key.ts'
import type { Sm2Key } from './sm2-key.ts'
import { toSm2Key } from './sm2-key-input.ts'

const { JWEDecryptionFailed } = errors

/**
 * The ciphertext of 1 to 32,768 bytes.
 * @throws TypeError unless the key is a public SM2 key that may encrypt, RangeError for another length
 */
export function sm2Encrypt(key: Sm2KeyInput, message: Uint8Array): Buffer {
  return encryptTo(sm2Multiplier(), materialOf(toSm2Key(key, 'encrypt')).point, message)
}

/**
 * What was encrypted to the key.
 * @throws errors.JWEDecryptionFailed, without saying why; TypeError unless the key is a private SM2 key that may decrypt
 */
export function sm2Decrypt(key: Sm2KeyInput, ciphertext: Uint8Array): Buffer {
  const message = tryDecrypt(toSm2Key(key, 'decrypt'), ciphertext)
  if (!message) throw new JWEDecryptionFailed()
  return message
}

/** As `sm2Decrypt`, of a key that was looked at; undefined where it fails. */
export function tryDecrypt(key: Sm2Key, ciphertext: Uint8Array): Buffer | undefined {
  return decryptBy(sm2Multiplier(), privateMaterialOf(key).d, ciphertext)
}
