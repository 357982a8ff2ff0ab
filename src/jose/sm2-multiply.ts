/**
 * k·P on the SM2 curve, which SM2 encryption needs and Node does not offer: its ECDH refuses this curve. Two ways,
 * OpenSSL and BigInt; the first in constant time, the second where the first fails its known answer.
 *
 * The native way: a private key may spell its curve out (SEC 1 C.2, SpecifiedECDomain), base point included, and of
 * one that comes without its public key OpenSSL computes that. With P as the base point the public key is k·P, by
 * OpenSSL's Montgomery ladder. So a private key never becomes a JavaScript number.
 */
import { createECDH, createPrivateKey, createPublicKey } from 'node:crypto'
import { a, b, g, mod, n, p, toBytes, toNumber } from './sm2-curve.ts'

export interface Sm2Multiplier {
  readonly name: 'native' | 'bigint'
  /** X‖Y of k·G, for 1 ≤ k < n in 32 bytes. */
  base(k: Buffer): Buffer
  /** X‖Y of k·P, for P = X‖Y on the curve and 1 ≤ k < n. */
  multiply(k: Buffer, point: Buffer): Buffer
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

// PKCS#8 up to the base point, from there to d: id-ecPublicKey, the curve spelt out (its a and b, G, n and h = 1), then
// an ECPrivateKey of d alone.
const beforeBase = Buffer.concat([
  hex('3082011b0201003081ec06072a8648ce3d02013081e0020101302c06072a8648ce3d0101022100'),
  toBytes(p),
  hex('30440420'),
  toBytes(a),
  hex('0420'),
  toBytes(b),
  hex('044104'),
])
const beforeScalar = Buffer.concat([hex('022100'), toBytes(n), hex('020101042730250201010420')])

export const nativeMultiplier: Sm2Multiplier = {
  name: 'native',
  base(k) {
    const ecdh = createECDH('SM2')
    ecdh.setPrivateKey(k)
    return ecdh.getPublicKey().subarray(1)
  },
  multiply(k, point) {
    const der = Buffer.concat([beforeBase, point, beforeScalar, k])
    try {
      const publicKey = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
      const spki = publicKey.export({ format: 'der', type: 'spki' })
      if (spki.at(-65) !== 4) throw new Error('the public key is not an uncompressed point')
      return spki.subarray(-64)
    } finally {
      der.fill(0)
    }
  },
}

export const bigintMultiplier: Sm2Multiplier = {
  name: 'bigint',
  base: (k) => ladder(k, hex(g)),
  multiply: (k, point) => ladder(k, point),
}

/** X : Y : Z with x = X/Z, y = Y/Z; infinity is 0 : 1 : 0. */
type Projective = readonly [bigint, bigint, bigint]

/** A Montgomery ladder: the same steps for every k, though BigInt does not take the same time for every number. */
function ladder(k: Buffer, point: Buffer): Buffer {
  let low: Projective = [0n, 1n, 0n]
  let high: Projective = [toNumber(point.subarray(0, 32)), toNumber(point.subarray(32)), 1n]
  for (let bit = 255; bit >= 0; bit -= 1) {
    const sum = add(low, high)
    const isSet = ((k[31 - (bit >> 3)]! >> (bit & 7)) & 1) === 1
    if (isSet) [low, high] = [sum, add(high, high)]
    else [low, high] = [add(low, low), sum]
  }
  const [x, y, z] = low
  const inverse = power(z, p - 2n)
  return Buffer.concat([toBytes(mod(x * inverse, p)), toBytes(mod(y * inverse, p))])
}

/** The complete addition of Renes, Costello and Batina (2016), equation 8: no case apart, doubling included. */
function add([x1, y1, z1]: Projective, [x2, y2, z2]: Projective): Projective {
  const [xx, yy, zz] = [mod(x1 * x2, p), mod(y1 * y2, p), mod(z1 * z2, p)]
  const [xy, yz, xz] = [mod(x1 * y2 + x2 * y1, p), mod(y1 * z2 + y2 * z1, p), mod(x1 * z2 + x2 * z1, p)]
  const t = mod(a * xz + 3n * b * zz, p)
  const u = mod(a * xx + 3n * b * xz - a * a * zz, p)
  const v = mod(3n * xx + a * zz, p)
  return [mod(xy * (yy - t) - yz * u, p), mod((yy + t) * (yy - t) + v * u, p), mod(yz * (yy + t) + xy * v, p)]
}

function power(value: bigint, exponent: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = mod(result * result, p)
    if (bit === '1') result = mod(result * value, p)
  }
  return result
}
