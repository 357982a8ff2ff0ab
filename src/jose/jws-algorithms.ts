/**
 * The JWS algorithms of GM/T 0125.1: which one a name stands for, and how each takes a key, signs and verifies.
 */
import { timingSafeEqual } from 'node:crypto'
import type * as upstream from 'jose-upstream'
import { aliased, SM_ALG_ALIASES } from './aliases.ts'
import { toHmacSecret } from './hmac-secret.ts'
import type { HmacSecret } from './hmac-secret.ts'
import { SGD_SM3_HMAC, SGD_SM3_SM2 } from './names.ts'
import { sm2Sign, sm2Verify } from './sm2.ts'
import { toSm2Key } from './sm2-key-input.ts'
import type { Sm2Key } from './sm2-key.ts'
import { sm2SignatureFromDer, sm2SignatureToDer } from './sm2-signature.ts'
import { hmacSm3 } from './sm3.ts'

export interface Sm2SignatureOption {
  /** How an SM2 signature is spelt: r‖s of 64 bytes (the default), or DER (GM/T 0009 §7.3). Never guessed. */
  sm2Signature?: 'raw' | 'der'
}
export interface SignOptions extends upstream.SignOptions, Sm2SignatureOption {}
export interface VerifyOptions extends upstream.VerifyOptions, Sm2SignatureOption {}
export interface JWTVerifyOptions extends upstream.JWTVerifyOptions, Sm2SignatureOption {}

export interface JwsAlgorithm<Key = unknown> {
  /** The name of GM/T 0125.1, also where the token goes by an alias. */
  readonly name: string
  /** @throws TypeError for a key of another kind or for another use, errors.JWKInvalid for one that is no key */
  toKey(input: unknown, usage: 'sign' | 'verify'): Key
  sign(key: Key, input: Uint8Array, options?: Sm2SignatureOption): Buffer
  verify(key: Key, input: Uint8Array, signature: Uint8Array, options?: Sm2SignatureOption): boolean
}

const sm2: JwsAlgorithm<Sm2Key> = {
  name: SGD_SM3_SM2,
  toKey: toSm2Key,
  sign(key, input, options) {
    const toDer = isDer(options)
    const raw = sm2Sign(key, input)
    return toDer ? sm2SignatureToDer(raw) : raw
  },
  verify(key, input, signature, options) {
    const raw = isDer(options) ? rawOfDer(signature) : signature
    return raw !== undefined && sm2Verify(key, input, raw)
  },
}

const hmac: JwsAlgorithm<HmacSecret> = {
  name: SGD_SM3_HMAC,
  toKey: toHmacSecret,
  sign: (secret, input) => hmacSm3(secret, input),
  verify(secret, input, signature) {
    const expected = hmacSm3(secret, input)
    return signature.length === expected.length && timingSafeEqual(signature, expected)
  },
}

const algorithms = new Map<unknown, JwsAlgorithm>([
  [SGD_SM3_SM2, sm2 as JwsAlgorithm],
  [SGD_SM3_HMAC, hmac as JwsAlgorithm],
])

/** The algorithm of a header to be signed, in whatever name the caller wrote; undefined where it is upstream's. */
export function signingAlgorithm(alg: unknown): JwsAlgorithm | undefined {
  return algorithms.get(alg) ?? algorithms.get(aliased(SM_ALG_ALIASES, alg))
}

/** The algorithm of a token; it goes by an alias only where the `algorithms` option names just that. */
export function verifyingAlgorithm(alg: unknown, options?: upstream.VerifyOptions): JwsAlgorithm | undefined {
  const named: unknown = options?.algorithms
  return algorithms.get(alg) ?? (Array.isArray(named) && named.includes(alg) ? signingAlgorithm(alg) : undefined)
}

function isDer(options?: Sm2SignatureOption): boolean {
  const form: unknown = options?.sm2Signature ?? 'raw'
  if (form !== 'raw' && form !== 'der') throw new TypeError('"sm2Signature" option must be "raw" or "der"')
  return form === 'der'
}

function rawOfDer(signature: Uint8Array): Buffer | undefined {
  try {
    return sm2SignatureFromDer(signature)
  } catch {
    return undefined
  }
}
