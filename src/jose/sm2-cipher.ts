/**
 * SM2 public-key encryption (GB/T 32918.4-2016) over a way to multiply points, and its ciphertext in the DER of
 * GM/T 0009-2012 §7.2: SEQUENCE { x INTEGER, y INTEGER, C3 OCTET STRING (32), C2 OCTET STRING }, where C1 is the
 * point x, y. The older order C1‖C2‖C3 and the bare bytes are not read.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { element, INTEGER, OCTET_STRING, positiveInteger, SEQUENCE, take, takeLast, toBytes32 } from './der.ts'
import { isOnCurve, isPrivateScalar } from './sm2-curve.ts'
import type { Sm2Multiplier } from './sm2-multiply.ts'
import { sm3 } from './sm3.ts'

/** The longest message, far above any key. */
const MAX_MESSAGE = 32_768

/**
 * DER of the message (1 to 32,768 bytes) encrypted to the key X‖Y (§6.1). `draw` gives 32 fresh random bytes.
 * @throws RangeError for an empty or longer message
 */
export function encryptTo(
  { base, multiply }: Sm2Multiplier,
  point: Buffer,
  message: Uint8Array,
  draw: () => Buffer = () => randomBytes(32),
): Buffer {
  if (message.length < 1 || message.length > MAX_MESSAGE) throw new RangeError('SM2 encrypts 1 to 32,768 bytes')
  for (;;) {
    const k = draw()
    if (!isPrivateScalar(k)) continue
    const shared = multiply(k, point)
    const stream = keyStream(shared, message.length)
    if (stream.every((byte) => byte === 0)) continue // A5: such a k would show the message
    return toDer(base(k), digest(shared, message), exclusiveOr(message, stream))
  }
}

/**
 * The message of a ciphertext (§7.1), or undefined where it is not DER, C1 is no point of the curve, or C3 does not
 * fit; the caller does not learn which.
 */
export function decryptBy({ multiply }: Sm2Multiplier, d: Buffer, ciphertext: Uint8Array): Buffer | undefined {
  const parts = fromDer(Buffer.from(ciphertext))
  if (!parts) return undefined
  const shared = multiply(d, parts.c1)
  const stream = keyStream(shared, parts.c2.length)
  const message = exclusiveOr(parts.c2, stream)
  const holds = timingSafeEqual(digest(shared, message), parts.c3)
  return holds && stream.some((byte) => byte !== 0) ? message : undefined
}

/** C3 = SM3(x2 ‖ M ‖ y2). */
function digest(shared: Buffer, message: Uint8Array): Buffer {
  return sm3(Buffer.concat([shared.subarray(0, 32), message, shared.subarray(32)]))
}

/** The KDF of §5.4.3: SM3(x2 ‖ y2 ‖ counter) for counter = 1, 2, … */
function keyStream(shared: Buffer, length: number): Buffer {
  const input = Buffer.concat([shared, Buffer.alloc(4)])
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) => {
    input.writeUInt32BE(index + 1, 64)
    return sm3(input)
  })
  return Buffer.concat(blocks, length)
}

function exclusiveOr(data: Uint8Array, stream: Buffer): Buffer {
  return Buffer.from(data.map((byte, index) => byte ^ stream[index]!))
}

function toDer(c1: Buffer, c3: Buffer, c2: Buffer): Buffer {
  const [x, y] = [positiveInteger(c1.subarray(0, 32)), positiveInteger(c1.subarray(32))]
  return element(SEQUENCE, Buffer.concat([x, y, element(OCTET_STRING, c3), element(OCTET_STRING, c2)]))
}

function fromDer(der: Buffer): { readonly c1: Buffer; readonly c3: Buffer; readonly c2: Buffer } | undefined {
  try {
    const [x, afterX] = take(INTEGER, takeLast(SEQUENCE, der))
    const [y, afterY] = take(INTEGER, afterX)
    const [c3, afterC3] = take(OCTET_STRING, afterY)
    const c2 = takeLast(OCTET_STRING, afterC3)
    const c1 = Buffer.concat([toBytes32(x), toBytes32(y)])
    const isWhole = c3.length === 32 && c2.length >= 1 && c2.length <= MAX_MESSAGE
    return isWhole && isOnCurve(c1) ? { c1, c3, c2 } : undefined
  } catch {
    return undefined
  }
}
