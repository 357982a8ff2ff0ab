/**
 * SM3 (GB/T 32905-2016) and HMAC-SM3: OpenSSL's where this runtime has it, else sm-crypto's.
 */
import { createHmac, getHashes, hash, KeyObject } from 'node:crypto'
import smCrypto from 'sm-crypto'

export type EngineName = 'native' | 'sm-crypto'

export interface Sm3Engine {
  readonly name: EngineName
  sm3(data: Uint8Array): Buffer
  hmacSm3(key: Uint8Array | KeyObject, data: Uint8Array): Buffer
}

export const nativeSm3: Sm3Engine = {
  name: 'native',
  sm3: (data) => hash('sm3', data, 'buffer'),
  hmacSm3: (key, data) => createHmac('sm3', key).update(data).digest(),
}

export const smCryptoSm3: Sm3Engine = {
  name: 'sm-crypto',
  sm3: (data) => Buffer.from(smCrypto.sm3(data), 'hex'),
  hmacSm3: (key, data) =>
    Buffer.from(smCrypto.sm3(data, { mode: 'hmac', key: key instanceof KeyObject ? key.export() : key }), 'hex'),
}

/** The engine that runs here; a build of OpenSSL without SM3 does not list it. */
export const sm3Engine: Sm3Engine = getHashes().includes('sm3') ? nativeSm3 : smCryptoSm3

/** The 32-byte SM3 digest; a string is taken as UTF-8. */
export function sm3(data: Uint8Array | string): Buffer {
  return sm3Engine.sm3(bytes(data))
}

/** The 32-byte HMAC-SM3; strings are taken as UTF-8. A secret KeyObject is three times as fast as its bytes. */
export function hmacSm3(key: Uint8Array | string | KeyObject, data: Uint8Array | string): Buffer {
  return sm3Engine.hmacSm3(key instanceof KeyObject ? key : bytes(key), bytes(data))
}

function bytes(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data
}
