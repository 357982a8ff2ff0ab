/**
 * SM2 signatures on their own (GB/T 32918.2, ID 1234567812345678), for what is not JOSE.
 */
import type { JWK, KeyObject } from 'jose-upstream'
import { sm2Engine } from './self-test.ts'
import { materialOf, privateMaterialOf } from './sm2-key.ts'
import { toSm2Key } from './sm2-key-input.ts'
import type { Sm2Key } from './sm2-key.ts'
import { isRawSignature } from './sm2-signature.ts'

export type Sm2KeyInput = Sm2Key | KeyObject | JWK

/**
 * The 64-byte r‖s over SM3(ZA ‖ data).
 * @throws TypeError unless the key is a private SM2 key
 */
export function sm2Sign(key: Sm2KeyInput, data: Uint8Array): Buffer {
  return sm2Engine().sign(privateMaterialOf(toSm2Key(key, 'sign')), data)
}

/**
 * Whether these 64 bytes r‖s sign the data; any other bytes are a plain no.
 * @throws TypeError unless the key is a public SM2 key
 */
export function sm2Verify(key: Sm2KeyInput, data: Uint8Array, signature: Uint8Array): boolean {
  const material = materialOf(toSm2Key(key, 'verify'))
  return isRawSignature(signature) && sm2Engine().verify(material, data, Buffer.from(signature))
}
