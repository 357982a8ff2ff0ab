/**
 * The `Decrypter` of an SM2 key held in this process's memory (`SGD_SM2_3`, GB/T 32918.4). Not a certified cryptographic
 * module; a cryptographic machine is another implementation of the same port.
 */
import {
  calculateJwkThumbprint,
  importJWK,
  SGD_SM2_3,
  sm2Decrypt,
  sm2Encrypt,
  SM2_CURVE,
  type JWK,
  type Sm2Key,
} from 'jose'
import { AppError } from '#src/errors.ts'
import type { Decrypter } from './decrypter.ts'

/**
 * A decrypter for a private JWK on sm2p256v1; its `kid` is the RFC 7638 thumbprint, whatever the JWK says.
 * @throws AppError key_invalid for any other key, and for one whose halves do not belong together
 */
export async function createSoftwareDecrypter(privateJwk: JWK): Promise<Decrypter> {
  try {
    const { kty, crv, x, y, d, use = 'enc', alg = SGD_SM2_3 } = privateJwk
    if (kty !== 'EC' || crv !== SM2_CURVE || d === undefined || use !== 'enc' || alg !== SGD_SM2_3)
      throw new TypeError('not a private key for SGD_SM2_3')
    const publicPart = { kty, crv, x: String(x), y: String(y) }
    const key = (await importJWK({ ...publicPart, d }, SGD_SM2_3)) as Sm2Key
    const probe = Buffer.from('probe')
    if (!sm2Decrypt(key, sm2Encrypt(publicPart, probe)).equals(probe)) throw new TypeError('it does not decrypt')
    const kid = await calculateJwkThumbprint(publicPart)
    const publicJwk = Object.freeze({ ...publicPart, kid, alg: SGD_SM2_3, use: 'enc' as const })
    return Object.freeze({
      alg: SGD_SM2_3,
      kid,
      publicJwk,
      decrypt: async (encryptedKey: Uint8Array) => opened(key, encryptedKey),
    })
  } catch (cause) {
    throw new AppError('key_invalid', { detail: 'not a usable private key for decryption', cause })
  }
}

function opened(key: Sm2Key, encryptedKey: Uint8Array): Uint8Array {
  try {
    return sm2Decrypt(key, encryptedKey)
  } catch {
    throw new AppError('sealed_value_invalid', { detail: 'it was not encrypted to this key' })
  }
}
