/**
 * The two spellings of an SM2 signature: 64 bytes r‖s as in JOSE (RFC 7518 §3.4), and DER as in GM/T 0009-2012 §7.3.
 */
import { element, INTEGER, SEQUENCE, take, takeLast } from './der.ts'
import { n, toNumber } from './sm2-curve.ts'

/** Whether these are 64 bytes with 1 ≤ r, s < n and r + s ≠ n (GB/T 32918.2 §7.1). */
export function isRawSignature(raw: Uint8Array): boolean {
  if (raw.length !== 64) return false
  const r = toNumber(raw.subarray(0, 32))
  const s = toNumber(raw.subarray(32))
  return r > 0n && r < n && s > 0n && s < n && r + s !== n
}

/** DER of a 64-byte r‖s. */
export function sm2SignatureToDer(raw: Uint8Array): Buffer {
  if (raw.length !== 64) throw new TypeError('an SM2 signature r‖s has 64 bytes')
  return element(SEQUENCE, Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]))
}

/**
 * The 64-byte r‖s of a DER signature.
 * @throws TypeError unless it is strict DER of two positive integers of at most 32 bytes with nothing behind
 */
export function sm2SignatureFromDer(der: Uint8Array): Buffer {
  const [r, rest] = take(INTEGER, takeLast(SEQUENCE, Buffer.from(der)))
  return Buffer.concat([fixed(r), fixed(takeLast(INTEGER, rest))])
}

function integer(number: Uint8Array): Buffer {
  let start = 0
  while (start < 31 && number[start] === 0) start += 1
  const value = Buffer.from(number.subarray(start))
  return element(INTEGER, value[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), value]) : value)
}

function fixed(value: Buffer): Buffer {
  const first = value[0]
  if (first === undefined || first >= 0x80) throw new TypeError('DER: the integer is not positive')
  if (first === 0 && value.length > 1 && value[1]! < 0x80) throw new TypeError('DER: the integer is not minimal')
  const digits = first === 0 ? value.subarray(1) : value
  if (digits.length > 32) throw new TypeError('DER: the integer is too long')
  return Buffer.concat([Buffer.alloc(32 - digits.length), digits])
}
