/**
 * SM2 keys. WebCrypto knows no SM2, so a key is a frozen object of our own in the shape of a CryptoKey, its numbers
 * held beside it and shown only by an export. JWK form: GM/T 0125.4, `{ kty: 'EC', crv: 'sm2p256v1', x, y, d? }`.
 */
import { randomBytes } from 'node:crypto'
import { errors } from 'jose-upstream'
import type { CryptoKey, JWK } from 'jose-upstream'
import { SM2_CURVE } from './names.ts'
import { isOnCurve, isPrivateScalar, za } from './sm2-curve.ts'
import { pkcs8Der, pointFromSpki, privateFromPkcs8, spkiDer } from './sm2-der.ts'
import { sm2Engine } from './self-test.ts'
import type { PrivateSm2Material, Sm2Material } from './sm2-engine.ts'

const { JWKInvalid } = errors

/** An imported or generated SM2 key: usable wherever this package takes a key, and nowhere else. */
export interface Sm2Key extends CryptoKey {
  readonly type: 'public' | 'private'
  readonly [Symbol.toStringTag]: 'Sm2Key'
}

export interface Sm2Jwk extends JWK {
  kty: 'EC'
  crv: typeof SM2_CURVE
  x: string
  y: string
  d?: string
}

/** What a key may do: one half of a pair has one use. */
export type Sm2KeyUsage = 'sign' | 'verify' | 'encrypt' | 'decrypt'

const materials = new WeakMap<object, Sm2Material>()
const algorithm = Object.freeze({ name: 'SM2', namedCurve: SM2_CURVE })

export function isSm2Key(value: unknown): value is Sm2Key {
  return typeof value === 'object' && value !== null && materials.has(value)
}

/** The numbers of a key, for this package's own files. */
export function materialOf(key: Sm2Key): Sm2Material {
  const material = materials.get(key)
  if (!material) throw new TypeError('not an SM2 key of this package')
  return material
}

/** As `materialOf`, of a key that signs. */
export function privateMaterialOf(key: Sm2Key): PrivateSm2Material {
  const material = materialOf(key)
  if (!isPrivate(material)) throw new TypeError('not a private SM2 key')
  return material
}

function isPrivate(material: Sm2Material): material is PrivateSm2Material {
  return material.d !== undefined
}

/** Whether a JWK names the SM2 curve. */
export function isSm2Jwk(jwk: unknown): jwk is Sm2Jwk {
  return typeof jwk === 'object' && jwk !== null && 'crv' in jwk && jwk.crv === SM2_CURVE
}

/**
 * The key of X‖Y.
 * @throws errors.JWKInvalid for a point that is not on the curve
 */
function publicSm2Key(point: Buffer, extractable = true): Sm2Key {
  if (!isOnCurve(point)) throw new JWKInvalid('SM2 public key is not a point of the curve')
  return wrap({ point, za: za(point) }, extractable)
}

/**
 * The key of d; a public key that came with it must be its own.
 * @throws errors.JWKInvalid for a d out of range, or another's public key
 */
function privateSm2Key(d: Buffer, expected: Buffer | undefined, extractable = false): Sm2Key {
  if (!isPrivateScalar(d)) throw new JWKInvalid('SM2 private key is out of range')
  const point = sm2Engine().publicPoint(d)
  if (expected && !expected.equals(point)) throw new JWKInvalid('SM2 private and public key do not belong together')
  return wrap({ point, d, za: za(point) }, extractable)
}

/** The same key for SGD_SM2_3 and not for signatures: a key has one use (GM/T 0125.4 `use`, RFC 7517 §4.2). */
export function forEncryption(key: Sm2Key): Sm2Key {
  const material = materialOf(key)
  return wrap(material, key.extractable, material.d ? 'decrypt' : 'encrypt')
}

/** The same key as another object, so that more may be said of the one than of the other. */
export function sameSm2Key(key: Sm2Key): Sm2Key {
  return wrap(materialOf(key), key.extractable, key.usages[0] as Sm2KeyUsage)
}

function wrap(
  material: Sm2Material,
  extractable: boolean,
  usage: Sm2KeyUsage = material.d ? 'sign' : 'verify',
): Sm2Key {
  const key: Sm2Key = {
    type: material.d ? 'private' : 'public',
    extractable,
    algorithm,
    usages: [usage],
    // Not 'CryptoKey': upstream refuses the object as a key of an unknown kind, so it reaches no other algorithm.
    [Symbol.toStringTag]: 'Sm2Key',
  }
  Object.freeze(key.usages)
  materials.set(key, material)
  return Object.freeze(key)
}

/** A fresh pair; the private half is exportable only where asked. */
export function generateSm2KeyPair(extractable = false): { publicKey: Sm2Key; privateKey: Sm2Key } {
  let d = randomBytes(32)
  while (!isPrivateScalar(d)) d = randomBytes(32)
  const privateKey = privateSm2Key(d, undefined, extractable)
  return { privateKey, publicKey: publicSm2Key(materialOf(privateKey).point) }
}

/**
 * The key of a JWK: private where it has `d`.
 * @throws errors.JWKInvalid for members that are missing, of another length, not canonical base64url, or that do not
 *   make a key
 */
export function sm2KeyFromJwk(jwk: JWK, extractable?: boolean): Sm2Key {
  if (jwk.kty !== 'EC' || jwk.crv !== SM2_CURVE) throw new JWKInvalid('not an SM2 JWK')
  const point = Buffer.concat([octets(jwk.x, 'x'), octets(jwk.y, 'y')])
  if (jwk.d === undefined) return publicSm2Key(point, extractable ?? jwk.ext ?? true)
  return privateSm2Key(octets(jwk.d, 'd'), point, extractable ?? jwk.ext ?? false)
}

function octets(member: unknown, name: string): Buffer {
  // 43 characters are 32 bytes; encoding them again finds unused bits that are set.
  const bytes = Buffer.from(typeof member === 'string' ? member : '', 'base64url')
  if (bytes.length !== 32 || bytes.toString('base64url') !== member)
    throw new JWKInvalid(`SM2 JWK "${name}" must be 32 bytes in base64url`)
  return bytes
}

export function sm2KeyToJwk(key: Sm2Key): Sm2Jwk {
  const { point, d } = materialOf(key)
  const text = (bytes: Buffer): string => bytes.toString('base64url')
  const jwk: Sm2Jwk = { kty: 'EC', crv: SM2_CURVE, x: text(point.subarray(0, 32)), y: text(point.subarray(32)) }
  return d ? { ...jwk, d: text(d) } : jwk
}

export function sm2KeyFromSpki(der: Buffer, extractable?: boolean): Sm2Key {
  return publicSm2Key(pointFromSpki(der), extractable)
}

export function sm2KeyFromPkcs8(der: Buffer, extractable?: boolean): Sm2Key {
  const { d, point } = privateFromPkcs8(der)
  return privateSm2Key(d, point, extractable)
}

/** DER of a key: SPKI of a public one, PKCS#8 of a private one. */
export function sm2KeyToDer(key: Sm2Key): Buffer {
  const { point, d } = materialOf(key)
  return d ? pkcs8Der(d, point) : spkiDer(point)
}
