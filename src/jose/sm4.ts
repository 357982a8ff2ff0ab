/**
 * The SM4 block cipher (GB/T 32907-2016): OpenSSL's where this runtime has it, else sm-crypto's.
 */
import { createCipheriv, getCiphers } from 'node:crypto'
import smCrypto from 'sm-crypto'
import type { EngineName } from './sm3.ts'

export interface Sm4Engine {
  readonly name: EngineName
  /** Whole blocks of 16 bytes, each encrypted on its own with a key of 16 bytes. */
  encryptBlocks(key: Uint8Array, blocks: Uint8Array): Buffer
}

export const nativeSm4: Sm4Engine = {
  name: 'native',
  encryptBlocks: (key, blocks) => createCipheriv('sm4-ecb', key, null).setAutoPadding(false).update(blocks),
}

export const smCryptoSm4: Sm4Engine = {
  name: 'sm-crypto',
  encryptBlocks: (key, blocks) => Buffer.from(smCrypto.sm4.encrypt(blocks, key, { padding: 'none', output: 'array' })),
}

/** The engine that runs here; a build of OpenSSL without SM4 does not list it. */
export const sm4Engine: Sm4Engine = getCiphers().includes('sm4-ecb') ? nativeSm4 : smCryptoSm4
