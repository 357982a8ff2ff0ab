/**
 * GHASH (NIST SP 800-38D §6.4) without tables: no index and no branch depends on the key or the data, so no cache
 * line tells of them, as the usual tables would. Products over GF(2) come out of integer multiplication by Pornin's
 * method (BearSSL's ghash_ctmul32): with three of four bits cleared, the carries of a product stay in the gaps.
 * As fast here as a table of 4 bits. What the engine makes of numbers is its own affair: a hardware module promises more.
 */

const LENGTH_BLOCK = 16

/**
 * The 16-byte GHASH of the associated data and the ciphertext, both padded, and their lengths; `h` is the hash key.
 */
export function ghash(h: Uint8Array, associatedData: Uint8Array, ciphertext: Uint8Array): Buffer {
  const key = factorsOf(words(h))
  const state = new Int32Array(4)
  absorb(state, key, associatedData)
  absorb(state, key, ciphertext)
  const lengths = Buffer.alloc(LENGTH_BLOCK)
  lengths.writeBigUInt64BE(BigInt(associatedData.length) * 8n, 0)
  lengths.writeBigUInt64BE(BigInt(ciphertext.length) * 8n, 8)
  absorb(state, key, lengths)
  const digest = Buffer.alloc(16)
  for (let i = 0; i < 4; i += 1) digest.writeInt32BE(state[3 - i]!, 4 * i)
  return digest
}

/** A block as four words, the least significant first. */
function words(block: Uint8Array): Int32Array {
  const view = new DataView(block.buffer, block.byteOffset, 16)
  return Int32Array.of(view.getInt32(12), view.getInt32(8), view.getInt32(4), view.getInt32(0))
}

function absorb(state: Int32Array, key: Factors, data: Uint8Array): void {
  const whole = data.length & ~15
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  for (let at = 0; at < whole; at += 16) {
    for (let i = 0; i < 4; i += 1) state[3 - i]! ^= view.getInt32(at + 4 * i)
    multiply(state, key)
  }
  if (whole === data.length) return
  const last = new Uint8Array(16)
  last.set(data.subarray(whole))
  words(last).forEach((word, i) => (state[i]! ^= word))
  multiply(state, key)
}

/** The nine factors of two Karatsuba steps over four words, and the same with their bits reversed. */
interface Factors {
  readonly straight: Int32Array
  readonly reversed: Int32Array
}

function factorsOf(block: Int32Array): Factors {
  return { straight: nine(block, new Int32Array(9)), reversed: nine(block.map(reverse), new Int32Array(9)) }
}

function nine(w: Int32Array, into: Int32Array): Int32Array {
  const [w0, w1, w2, w3] = [w[0]!, w[1]!, w[2]!, w[3]!]
  into[0] = w0
  into[1] = w1
  into[2] = w2
  into[3] = w3
  into[4] = w0 ^ w1
  into[5] = w2 ^ w3
  into[6] = w0 ^ w2
  into[7] = w1 ^ w3
  into[8] = w0 ^ w1 ^ w2 ^ w3
  return into
}

const backwards = new Int32Array(4)
const factor: Factors = { straight: new Int32Array(9), reversed: new Int32Array(9) }
const low = new Int32Array(9)
const high = new Int32Array(9)
const product = new Int32Array(8)

/** state · key in GF(2^128), into state. The buffers above are reused: nothing here waits. */
function multiply(state: Int32Array, key: Factors): void {
  for (let i = 0; i < 4; i += 1) backwards[i] = reverse(state[i]!)
  nine(state, factor.straight)
  nine(backwards, factor.reversed)
  for (let i = 0; i < 9; i += 1) {
    low[i] = carryless(factor.straight[i]!, key.straight[i]!)
    high[i] = reverse(carryless(factor.reversed[i]!, key.reversed[i]!)) >>> 1
  }
  for (const half of [low, high]) {
    half[4]! ^= half[0]! ^ half[1]!
    half[5]! ^= half[2]! ^ half[3]!
    half[8]! ^= half[6]! ^ half[7]!
  }
  combine()
  reduce(state)
}

/** The eight words of the product out of the nine partial ones. */
function combine(): void {
  const [a0, a1, a2, a3] = [low[0]!, high[0]! ^ low[4]!, low[1]! ^ high[4]!, high[1]!]
  const [c0, c1, c2, c3] = [low[2]!, high[2]! ^ low[5]!, low[3]! ^ high[5]!, high[3]!]
  product[0] = a0
  product[1] = a1
  product[2] = a2 ^ low[6]! ^ a0 ^ c0
  product[3] = a3 ^ high[6]! ^ low[8]! ^ a1 ^ c1
  product[4] = c0 ^ low[7]! ^ high[8]! ^ a2 ^ c2
  product[5] = c1 ^ high[7]! ^ a3 ^ c3
  product[6] = c2
  product[7] = c3
}

/** Modulo x^128 + x^7 + x^2 + x + 1; GCM writes its bits mirrored, hence the shift by one before. */
function reduce(state: Int32Array): void {
  for (let i = 7; i > 0; i -= 1) product[i] = (product[i]! << 1) | (product[i - 1]! >>> 31)
  product[0]! <<= 1
  for (let i = 0; i < 4; i += 1) {
    const word = product[i]!
    product[i + 4]! ^= word ^ (word >>> 1) ^ (word >>> 2) ^ (word >>> 7)
    product[i + 3]! ^= (word << 31) ^ (word << 30) ^ (word << 25)
  }
  for (let i = 0; i < 4; i += 1) state[i] = product[i + 4]!
}

/** The low 32 bits of the carry-less product. */
function carryless(x: number, y: number): number {
  const [x0, x1, x2, x3] = [x & 0x11111111, x & 0x22222222, x & 0x44444444, x & 0x88888888]
  const [y0, y1, y2, y3] = [y & 0x11111111, y & 0x22222222, y & 0x44444444, y & 0x88888888]
  const { imul } = Math
  const z0 = imul(x0, y0) ^ imul(x1, y3) ^ imul(x2, y2) ^ imul(x3, y1)
  const z1 = imul(x0, y1) ^ imul(x1, y0) ^ imul(x2, y3) ^ imul(x3, y2)
  const z2 = imul(x0, y2) ^ imul(x1, y1) ^ imul(x2, y0) ^ imul(x3, y3)
  const z3 = imul(x0, y3) ^ imul(x1, y2) ^ imul(x2, y1) ^ imul(x3, y0)
  return (z0 & 0x11111111) | (z1 & 0x22222222) | (z2 & 0x44444444) | (z3 & 0x88888888)
}

/** The 32 bits in the opposite order. */
function reverse(word: number): number {
  let x = ((word & 0x55555555) << 1) | ((word >>> 1) & 0x55555555)
  x = ((x & 0x33333333) << 2) | ((x >>> 2) & 0x33333333)
  x = ((x & 0x0f0f0f0f) << 4) | ((x >>> 4) & 0x0f0f0f0f)
  x = ((x & 0x00ff00ff) << 8) | ((x >>> 8) & 0x00ff00ff)
  return (x << 16) | (x >>> 16)
}
