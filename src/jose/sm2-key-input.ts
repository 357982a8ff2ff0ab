/**
 * The forms in which a caller hands over an SM2 key (`Sm2Key`, JWK, Node KeyObject), and what each may be used for.
 * Everything that is not an SM2 key stops here, so that no other key meets SM2.
 */
import { KeyObject } from 'node:crypto'
import type { JWK } from 'jose-upstream'
import { SGD_SM3_SM2 } from './names.ts'
import { isSm2Jwk, isSm2Key, sm2KeyFromJwk, sm2KeyFromPkcs8, sm2KeyFromSpki } from './sm2-key.ts'
import type { Sm2Key } from './sm2-key.ts'

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

/**
 * Any key a caller may hand to sign or verify with SGD_SM3_SM2: an `Sm2Key`, a JWK, a Node KeyObject.
 * @throws TypeError for a key of another kind or for another use, errors.JWKInvalid for one that is no key
 */
export function toSm2Key(input: unknown, usage: 'sign' | 'verify'): Sm2Key {
  const key = isSm2Key(input)
    ? input
    : maySm2KeyObject(input)
      ? sm2KeyFromKeyObject(input)
      : isSm2Jwk(input)
        ? fromUsableJwk(input, usage)
        : undefined
  if (!key) throw new TypeError(`Key for the ${SGD_SM3_SM2} algorithm must be an SM2 key, KeyObject or JSON Web Key`)
  const type = usage === 'sign' ? 'private' : 'public'
  if (key.type !== type) throw new TypeError(`Key for this operation must be a ${type} SM2 key`)
  return key
}

function fromUsableJwk(jwk: JWK, usage: 'sign' | 'verify'): Sm2Key {
  checkJwkUse(jwk, usage, SGD_SM3_SM2)
  let entry = known.get(jwk)
  // The caller's object may have been changed since: the numbers are compared, not trusted.
  if (!entry?.jwk || entry.jwk.x !== jwk.x || entry.jwk.y !== jwk.y || entry.jwk.d !== jwk.d)
    known.set(jwk, (entry = { key: sm2KeyFromJwk(jwk), jwk: { ...jwk } }))
  return entry.key
}

/** `use`, `alg`, `key_ops` and `ext` as the upstream package reads them (RFC 7517 §4.2–4.4). */
export function checkJwkUse(jwk: JWK, usage: 'sign' | 'verify', alg: string): void {
  if (jwk.ext !== undefined && typeof jwk.ext !== 'boolean')
    throw new TypeError('"ext" (Extractable) Parameter must be a boolean')
  if (jwk.use !== undefined && jwk.use !== 'sig')
    throw new TypeError('Invalid key for this operation, its "use" must be "sig" when present')
  if (jwk.alg !== undefined && jwk.alg !== alg)
    throw new TypeError(`Invalid key for this operation, its "alg" must be "${alg}" when present`)
  if (jwk.key_ops !== undefined && !isKeyOps(jwk.key_ops, usage))
    throw new TypeError(`Invalid key for this operation, its "key_ops" must include "${usage}" when present`)
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
