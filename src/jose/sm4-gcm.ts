/**
 * SM4-GCM (RFC 8998 §2; NIST SP 800-38D): key of 16 bytes, initialization vector of 12, tag of 16, and no others.
 * The block cipher is OpenSSL's, which has no GCM of SM4 here; GHASH is ours. (sm-crypto's `mode: 'gcm'` is silently
 * ECB.)
 */
import { timingSafeEqual } from 'node:crypto'
import { ghash } from './ghash.ts'
import { sm4Engine } from './sm4.ts'
import type { Sm4Engine } from './sm4.ts'

const BLOCK = 16

/**
 * The ciphertext, as long as the plaintext, and its tag. One initialization vector must not serve a key twice.
 * @throws RangeError for a key or an initialization vector of another length
 */
export function sm4GcmEncrypt(
  key: Uint8Array,
  iv: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
  engine: Sm4Engine = sm4Engine,
): { readonly ciphertext: Buffer; readonly tag: Buffer } {
  const { hashKey, mask, stream } = streams(engine, key, iv, plaintext.length)
  const ciphertext = exclusiveOr(plaintext, stream)
  return { ciphertext, tag: exclusiveOr(ghash(hashKey, associatedData, ciphertext), mask) }
}

/**
 * The plaintext, put together only after the tag held; undefined where it did not.
 * @throws RangeError for a key or an initialization vector of another length
 */
export function sm4GcmDecrypt(
  key: Uint8Array,
  iv: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
  associatedData: Uint8Array,
  engine: Sm4Engine = sm4Engine,
): Buffer | undefined {
  const { hashKey, mask, stream } = streams(engine, key, iv, ciphertext.length)
  const expected = exclusiveOr(ghash(hashKey, associatedData, ciphertext), mask)
  return tag.length === BLOCK && timingSafeEqual(expected, tag) ? exclusiveOr(ciphertext, stream) : undefined
}

interface Streams {
  readonly hashKey: Buffer
  /** What hides GHASH in the tag. */
  readonly mask: Buffer
  /** What hides the text. */
  readonly stream: Buffer
}

/** The cipher of a zero block and of the counter blocks from 1 on, in one go: a native cipher costs more than its blocks. */
function streams(engine: Sm4Engine, key: Uint8Array, iv: Uint8Array, length: number): Streams {
  if (key.length !== 16) throw new RangeError('an SM4 key has 16 bytes')
  if (iv.length !== 12) throw new RangeError('an SM4-GCM initialization vector has 12 bytes')
  const blocks = Buffer.alloc(2 * BLOCK + Math.ceil(length / BLOCK) * BLOCK)
  for (let at = BLOCK, count = 1; at < blocks.length; at += BLOCK, count += 1) {
    blocks.set(iv, at)
    blocks.writeUInt32BE(count, at + 12)
  }
  const encrypted = engine.encryptBlocks(key, blocks)
  return {
    hashKey: encrypted.subarray(0, BLOCK),
    mask: encrypted.subarray(BLOCK, 2 * BLOCK),
    stream: encrypted.subarray(2 * BLOCK),
  }
}

function exclusiveOr(data: Uint8Array, stream: Buffer): Buffer {
  const result = Buffer.alloc(data.length)
  for (let i = 0; i < data.length; i += 1) result[i] = data[i]! ^ stream[i]!
  return result
}
