/**
 * The little of DER (ITU-T X.690 §10) that SM2 keys, signatures and certificates need. Strict: no BER, no padding, nothing behind.
 */

export const BOOLEAN = 0x01
export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04
export const OBJECT_IDENTIFIER = 0x06
export const UTC_TIME = 0x17
export const GENERALIZED_TIME = 0x18
export const SEQUENCE = 0x30

/**
 * Takes one element of this tag off the front: its value and what follows it.
 * @throws TypeError on another tag, an indefinite or over-long length, or too few bytes
 */
export function take(tag: number, from: Buffer): [value: Buffer, rest: Buffer] {
  if (from[0] !== tag) throw new TypeError('DER: another type was expected')
  const first = from[1] ?? 0x80
  let start = 2
  let length = first
  if (first >= 0x80) {
    const size = first - 0x80
    if (size < 1 || size > 3 || from.length < 2 + size) throw new TypeError('DER: length is not definite')
    length = from.readUIntBE(2, size)
    if (length < (size === 1 ? 0x80 : 0x100 ** (size - 1))) throw new TypeError('DER: length is not minimal')
    start += size
  }
  if (from.length < start + length) throw new TypeError('DER: bytes are missing')
  return [from.subarray(start, start + length), from.subarray(start + length)]
}

/** Like `take`, for an element that must be the last one. */
export function takeLast(tag: number, from: Buffer): Buffer {
  const [value, rest] = take(tag, from)
  if (rest.length > 0) throw new TypeError('DER: bytes follow the end')
  return value
}

/** One element; values of up to 16 MiB, less one byte. */
export function element(tag: number, value: Buffer): Buffer {
  const { length } = value
  if (length > 0xffffff) throw new RangeError('DER: value too long')
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value])
  const size = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3
  const header = Buffer.of(tag, 0x80 + size, ...Array<number>(size).fill(0))
  header.writeUIntBE(length, 2, size)
  return Buffer.concat([header, value])
}

/** INTEGER of a positive number in big-endian bytes. */
export function positiveInteger(number: Uint8Array): Buffer {
  let start = 0
  while (start < number.length - 1 && number[start] === 0) start += 1
  const value = Buffer.from(number.subarray(start))
  return element(INTEGER, value[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), value]) : value)
}

/**
 * The 32 big-endian bytes of an INTEGER's value.
 * @throws TypeError where it is negative, not minimal, or longer
 */
export function toBytes32(value: Buffer): Buffer {
  const first = value[0]
  if (first === undefined || first >= 0x80) throw new TypeError('DER: the integer is not positive')
  if (first === 0 && value.length > 1 && value[1]! < 0x80) throw new TypeError('DER: the integer is not minimal')
  const digits = first === 0 ? value.subarray(1) : value
  if (digits.length > 32) throw new TypeError('DER: the integer is too long')
  return Buffer.concat([Buffer.alloc(32 - digits.length), digits])
}
