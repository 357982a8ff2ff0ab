/**
 * A private SM2 key that decrypts elsewhere: in hardware, or in a process that keeps keys and does nothing else.
 */
import { tryDecrypt, toEncryptionKey } from './sm2-encryption.ts'
import { SGD_SM2_3 } from './names.ts'
import type { Sm2Key } from './sm2-key.ts'

/** Taken wherever a JWE is decrypted, in the place of a key for `SGD_SM2_3`. */
export interface KeyDecrypter {
  readonly alg: typeof SGD_SM2_3
  /**
   * The content encryption key inside this SM2 ciphertext (DER, GM/T 0009-2012 §7.2), or undefined where it does not
   * decrypt, for whatever reason that lies in the bytes. A rejection says that the keeper of the key failed, and
   * reaches the caller of the decryption as it is.
   */
  decrypt(encryptedKey: Uint8Array): Promise<Uint8Array | undefined>
}

/** The longest encrypted key: a content encryption key of 512 bits takes less. */
const MAX_ENCRYPTED_KEY = 256

/**
 * The key of an SM2 decryption: one that decrypts elsewhere, or any form of a private SM2 key.
 * @throws TypeError for a key of another kind or for another use
 */
export function toKeyDecrypter(input: unknown): KeyDecrypter | Sm2Key {
  return isKeyDecrypter(input) ? input : toEncryptionKey(input, 'decrypt')
}

function isKeyDecrypter(input: unknown): input is KeyDecrypter {
  return (
    typeof input === 'object' &&
    input !== null &&
    'alg' in input &&
    input.alg === SGD_SM2_3 &&
    'decrypt' in input &&
    typeof input.decrypt === 'function'
  )
}

/** The content encryption key of a JWE, or undefined where its encrypted key is missing, misspelt or does not decrypt. */
export async function decryptKey(key: KeyDecrypter | Sm2Key, encoded = ''): Promise<Uint8Array | undefined> {
  const encryptedKey = Buffer.from(encoded, 'base64url')
  const isUsable = encryptedKey.toString('base64url') === encoded && encryptedKey.length <= MAX_ENCRYPTED_KEY
  if (!isUsable || encryptedKey.length === 0) return undefined
  const cek = isKeyDecrypter(key) ? await key.decrypt(new Uint8Array(encryptedKey)) : tryDecrypt(key, encryptedKey)
  return cek instanceof Uint8Array ? cek : undefined
}
