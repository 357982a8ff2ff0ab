/**
 * Two ways to compute SM2 (GB/T 32918.2): OpenSSL through Node, and sm-crypto where that way fails its known answer.
 *
 * The native way leans on how OpenSSL's streaming API treats an imported SM2 key: it hashes what it is fed and signs
 * the digest by SM2, so ZA is fed first. (One-shot sign would use an empty identifier, and the object that
 * generateKeyPairSync returns signs ECDSA.) Hence the self-test, and hence keys enter by DER only.
 */
import { createECDH, createPrivateKey, createPublicKey, createSign, createVerify, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import smCrypto from 'sm-crypto'
import { mod, n, toBytes, toNumber } from './sm2-curve.ts'
import { pkcs8Der, spkiDer } from './sm2-der.ts'
import { sm2SignatureFromDer, sm2SignatureToDer } from './sm2-signature.ts'
import { sm3 } from './sm3.ts'
import type { EngineName } from './sm3.ts'

/** A key as numbers: X‖Y (64 bytes), d (32 bytes) for a private one, ZA computed once. */
export interface Sm2Material {
  readonly point: Buffer
  readonly d?: Buffer
  readonly za: Buffer
}

export interface PrivateSm2Material extends Sm2Material {
  readonly d: Buffer
}

export interface Sm2Engine {
  readonly name: EngineName
  /** X‖Y of d·G. */
  publicPoint(d: Buffer): Buffer
  /** 64-byte r‖s. */
  sign(key: PrivateSm2Material, message: Uint8Array): Buffer
  /** `signature` has passed `isRawSignature`. */
  verify(key: Sm2Material, message: Uint8Array, signature: Buffer): boolean
}

const privateObjects = new WeakMap<Sm2Material, KeyObject>()
const publicObjects = new WeakMap<Sm2Material, KeyObject>()

function once(cache: WeakMap<Sm2Material, KeyObject>, key: Sm2Material, load: () => KeyObject): KeyObject {
  let object = cache.get(key)
  if (!object) cache.set(key, (object = load()))
  return object
}

export const nativeSm2: Sm2Engine = {
  name: 'native',
  publicPoint(d) {
    const ecdh = createECDH('SM2')
    ecdh.setPrivateKey(d)
    return ecdh.getPublicKey().subarray(1)
  },
  sign(key, message) {
    const object = once(privateObjects, key, () =>
      createPrivateKey({ key: pkcs8Der(key.d, key.point), format: 'der', type: 'pkcs8' }),
    )
    return sm2SignatureFromDer(createSign('sm3').update(key.za).update(message).sign(object))
  },
  verify(key, message, signature) {
    const object = once(publicObjects, key, () =>
      createPublicKey({ key: spkiDer(key.point), format: 'der', type: 'spki' }),
    )
    return createVerify('sm3').update(key.za).update(message).verify(object, sm2SignatureToDer(signature))
  },
}

export const smCryptoSm2: Sm2Engine = {
  name: 'sm-crypto',
  publicPoint: (d) => Buffer.from(smCrypto.sm2.getPublicKeyFromPrivateKey(d.toString('hex')).slice(2), 'hex'),
  sign: (key, message) => signWithNonce(key, message, () => randomBytes(40)),
  verify: (key, message, signature) =>
    smCrypto.sm2.doVerifySignature(message, signature.toString('hex'), `04${key.point.toString('hex')}`, {
      hash: true,
    }),
}

/**
 * GB/T 32918.2 §6.1 over sm-crypto's point multiplication. Its own signing draws k from an RC4 seeded once in a
 * process's life; here every k is 40 fresh bytes of the system's generator reduced to [1, n − 1].
 */
export function signWithNonce(key: PrivateSm2Material, message: Uint8Array, draw: () => Buffer): Buffer {
  const e = toNumber(sm3(Buffer.concat([key.za, message])))
  const d = toNumber(key.d)
  for (;;) {
    const pair = smCrypto.sm2.generateKeyPairHex(draw().toString('hex'), 16)
    const k = BigInt(`0x${pair.privateKey}`)
    const r = mod(e + BigInt(`0x${pair.publicKey.slice(2, 66)}`), n)
    const s = mod(inverse(1n + d) * (k - r * d), n)
    if (r !== 0n && r + k !== n && s !== 0n) return Buffer.concat([toBytes(r), toBytes(s)])
  }
}

/** The inverse modulo n, by Euclid. */
function inverse(value: bigint): bigint {
  let [r, next, t, tNext] = [n, mod(value, n), 0n, 1n]
  while (next !== 0n) {
    const q = r / next
    ;[r, next, t, tNext] = [next, r - q * next, tNext, t - q * tNext]
  }
  return mod(t, n)
}
