/**
 * The forms in which a caller hands over an SM2 key (`Sm2Key`, JWK, Node KeyObject), and what each may be used for.
 * Everything that is not an SM2 key stops here, so that no other key meets SM2.
 */
import { KeyObject } from 'node:crypto'
import type { JWK } from 'jose-upstream'
import { SGD_SM2_3, SGD_SM3_SM2 } from './names.ts'
import { forEncryption, isSm2Jwk, isSm2Key, sm2KeyFromJwk, sm2KeyFromPkcs8, sm2KeyFromSpki } from './sm2-key.ts'
import type { Sm2Key, Sm2KeyUsage } from './sm2-key.ts'

/** Whether a Node KeyObject may hold an SM2 key: Node names the curve of a generated one and no type of an imported. */
export function maySm2KeyObject(value: unknown): value is KeyObject {
  return (
    value instanceof KeyObject &&
    value.type !== 'secret' &&
    (value.asymmetricKeyType === undefined || value.asymmetricKeyDetails?.namedCurve === 'SM2')
  )
}

const known = new WeakMap<object, { readonly key: Sm2Key; readonly jwk?: JWK }>()

/** The key in a Node KeyObject, through PKCS#8 or SPKI (its JWK form is unsupported, SEC1 ends the process). */
export function sm2KeyFromKeyObject(object: KeyObject): Sm2Key {
  let entry = known.get(object)
  if (!entry) {
    const key =
      object.type === 'private'
        ? sm2KeyFromPkcs8(object.export({ type: 'pkcs8', format: 'der' }), true)
        : sm2KeyFromSpki(object.export({ type: 'spki', format: 'der' }))
    known.set(object, (entry = { key }))
  }
  return entry.key
}

interface Purpose {
  readonly type: 'public' | 'private'
  readonly alg: string
  readonly use: JwkUse
  /** Any of these in `key_ops` will do. */
  readonly operations: readonly string[]
}

const purposes: Readonly<Record<Sm2KeyUsage, Purpose>> = {
  sign: { type: 'private', alg: SGD_SM3_SM2, use: 'sig', operations: ['sign'] },
  verify: { type: 'public', alg: SGD_SM3_SM2, use: 'sig', operations: ['verify'] },
  encrypt: { type: 'public', alg: SGD_SM2_3, use: 'enc', operations: ['wrapKey', 'encrypt'] },
  decrypt: { type: 'private', alg: SGD_SM2_3, use: 'enc', operations: ['unwrapKey', 'decrypt'] },
}

/**
 * Any key a caller may hand over for SGD_SM3_SM2 or SGD_SM2_3: an `Sm2Key`, a JWK, a Node KeyObject.
 * @throws TypeError for a key of another kind or for another use, errors.JWKInvalid for one that is no key
 */
export function toSm2Key(input: unknown, usage: Sm2KeyUsage): Sm2Key {
  const { type, alg, use } = purposes[usage]
  const free = maySm2KeyObject(input)
    ? sm2KeyFromKeyObject(input)
    : isSm2Jwk(input)
      ? fromUsableJwk(input, usage)
      : undefined
  const key = isSm2Key(input) ? input : free && use === 'enc' ? forEncryption(free) : free
  if (!key) throw new TypeError(`Key for the ${alg} algorithm must be an SM2 key, KeyObject or JSON Web Key`)
  if (key.type !== type) throw new TypeError(`Key for this operation must be a ${type} SM2 key`)
  if (!key.usages.includes(usage)) throw new TypeError(`Key for this operation must have the usage "${usage}"`)
  return key
}

function fromUsableJwk(jwk: JWK, usage: Sm2KeyUsage): Sm2Key {
  const { alg, use, operations } = purposes[usage]
  checkJwkUse(jwk, alg, use, operations)
  let entry = known.get(jwk)
  // The caller's object may have been changed since: the numbers are compared, not trusted.
  if (!entry?.jwk || entry.jwk.x !== jwk.x || entry.jwk.y !== jwk.y || entry.jwk.d !== jwk.d)
    known.set(jwk, (entry = { key: sm2KeyFromJwk(jwk), jwk: { ...jwk } }))
  return entry.key
}

/** RFC 7517 §4.2. */
export type JwkUse = 'sig' | 'enc'

/**
 * `use`, `alg`, `key_ops` and `ext` as the upstream package reads them (RFC 7517 §4.2–4.4).
 * @throws TypeError where one of them says otherwise; of the operations, one is enough
 */
export function checkJwkUse(jwk: JWK, alg: string, use: JwkUse, operations: readonly string[]): void {
  if (jwk.ext !== undefined && typeof jwk.ext !== 'boolean')
    throw new TypeError('"ext" (Extractable) Parameter must be a boolean')
  if (jwk.use !== undefined && jwk.use !== use)
    throw new TypeError(`Invalid key for this operation, its "use" must be "${use}" when present`)
  if (jwk.alg !== undefined && jwk.alg !== alg)
    throw new TypeError(`Invalid key for this operation, its "alg" must be "${alg}" when present`)
  if (jwk.key_ops !== undefined && !operations.some((operation) => isKeyOps(jwk.key_ops, operation)))
    throw new TypeError(`Invalid key for this operation, its "key_ops" must include "${operations[0]}" when present`)
}

/** Whether `key_ops` is an array of unique strings with this one among them. */
export function isKeyOps(keyOps: unknown, usage: string): boolean {
  return (
    Array.isArray(keyOps) &&
    keyOps.every((operation) => typeof operation === 'string') &&
    new Set(keyOps).size === keyOps.length &&
    keyOps.includes(usage)
  )
}
