/**
 * The two spellings of an SM2 signature: 64 bytes r‖s as in JOSE (RFC 7518 §3.4), and DER as in GM/T 0009-2012 §7.3.
 */
import { element, INTEGER, positiveInteger, SEQUENCE, take, takeLast, toBytes32 } from './der.ts'
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
  return element(SEQUENCE, Buffer.concat([positiveInteger(raw.subarray(0, 32)), positiveInteger(raw.subarray(32))]))
}

/**
 * The 64-byte r‖s of a DER signature.
 * @throws TypeError unless it is strict DER of two positive integers of at most 32 bytes with nothing behind
 */
export function sm2SignatureFromDer(der: Uint8Array): Buffer {
  const [r, rest] = take(INTEGER, takeLast(SEQUENCE, Buffer.from(der)))
  return Buffer.concat([toBytes32(r), toBytes32(takeLast(INTEGER, rest))])
}
