/**
 * The recommended curve of GB/T 32918.5-2017 and what is computed from its constants: ZA and the check of a point.
 */
import { sm3 } from './sm3.ts'

export const p = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn
export const a = p - 3n
export const b = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n
export const n = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n
/** The base point, Gx‖Gy in hex. */
export const g =
  '32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7' +
  'bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0'

/** The default distinguishing identifier of GM/T 0009-2012 §10. */
const DEFAULT_ID = '1234567812345678'

const id = Buffer.from(DEFAULT_ID, 'ascii')
const zaPrefix = Buffer.concat([Buffer.of(0, id.length * 8), id, toBytes(a), toBytes(b), Buffer.from(g, 'hex')])

export function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

export function toBytes(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex')
}

export function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus
  return rest < 0n ? rest + modulus : rest
}

/** Whether the 64 bytes X‖Y are a point of the curve, with both coordinates below p. */
export function isOnCurve(point: Uint8Array): boolean {
  const x = toNumber(point.subarray(0, 32))
  const y = toNumber(point.subarray(32))
  return x < p && y < p && mod(y * y - (x * x * x + a * x + b), p) === 0n
}

/** Whether d may be a private key: 1 ≤ d ≤ n − 2 (GB/T 32918.1 §6.1), so that 1 + d has an inverse. */
export function isPrivateScalar(d: Uint8Array): boolean {
  const number = toNumber(d)
  return number >= 1n && number <= n - 2n
}

/** ZA = SM3(ENTL ‖ ID ‖ a ‖ b ‖ Gx ‖ Gy ‖ Px ‖ Py) for the default ID (GB/T 32918.2 §5.5). */
export function za(point: Uint8Array): Buffer {
  return sm3(Buffer.concat([zaPrefix, point]))
}
