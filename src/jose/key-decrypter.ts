/**
 * A private SM2 key that decrypts elsewhere: in hardware, or in a process that keeps keys and does nothing else.
 */
import { SGD_SM2_3 } from './names.ts'
import { tryDecrypt } from './sm2-encryption.ts'
import type { Sm2Key } from './sm2-key.ts'
import { toSm2Key } from './sm2-key-input.ts'

/** Taken wherever a JWE is decrypted, in the place of a key for `SGD_SM2_3`. */
export interface KeyDecrypter {
  /** `SGD_SM2_3` */
  readonly alg: string
  /**
   * The content encryption key inside this SM2 ciphertext (DER, GM/T 0009-2012 §7.2), or undefined where it does not
   * decrypt. A rejection, whatever its reason, fails like a forged content and is the `cause` of that
   * `JWEDecryptionFailed`: for the log, not for whoever sent the JWE.
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
  return isKeyDecrypter(input) ? input : toSm2Key(input, 'decrypt')
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

/** What became of an encrypted key: its content, or why there is none where the keeper of the key said so. */
export interface DecryptedKey {
  readonly cek?: Uint8Array
  readonly cause?: unknown
}

/** The content encryption key of a JWE; none where its encrypted key is missing, misspelt or does not decrypt. */
export async function decryptKey(key: KeyDecrypter | Sm2Key, encoded = ''): Promise<DecryptedKey> {
  const encryptedKey = Buffer.from(encoded, 'base64url')
  const isUsable = encryptedKey.toString('base64url') === encoded && encryptedKey.length <= MAX_ENCRYPTED_KEY
  if (!isUsable || encryptedKey.length === 0) return {}
  if (!isKeyDecrypter(key)) return { cek: tryDecrypt(key, encryptedKey) }
  try {
    const cek: unknown = await key.decrypt(new Uint8Array(encryptedKey))
    return cek instanceof Uint8Array ? { cek } : {}
  } catch (cause) {
    return { cause }
  }
}
