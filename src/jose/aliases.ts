/**
 * Other names of the SM algorithms and of the SM2 curve that are met in the field. None of them counts by itself: an
 * algorithm goes by one only where the caller writes it (the `algorithms` option, the header to be signed), a key
 * only after `normaliseSmJwk`.
 */
import type { JWK } from 'jose-upstream'
import { SGD_SM3_HMAC, SGD_SM3_SM2, SM2_CURVE } from './names.ts'

/** JWS `alg` in the field → the name of GM/T 0125.1. */
export const SM_ALG_ALIASES: Readonly<Record<string, string>> = Object.freeze({
  SM2: SGD_SM3_SM2,
  SM2SM3: SGD_SM3_SM2,
  SM3withSM2: SGD_SM3_SM2,
  GmSM2: SGD_SM3_SM2,
  HSM3: SGD_SM3_HMAC,
})

/** JWK `crv` in the field → the name of GM/T 0125.4. */
export const SM_CURVE_ALIASES: Readonly<Record<string, string>> = Object.freeze({
  SM2: SM2_CURVE,
  'SM2-P-256': SM2_CURVE,
  SM2P256V1: SM2_CURVE,
})

/** What an alias stands for; undefined where it is none. */
export function aliased(aliases: Readonly<Record<string, string>>, name: unknown): string | undefined {
  return typeof name === 'string' && Object.hasOwn(aliases, name) ? aliases[name] : undefined
}

/** A copy of a JWK whose `crv` and `alg` go by their standard names; any other JWK comes back as it was. */
export function normaliseSmJwk(jwk: JWK): JWK {
  const crv = jwk.kty === 'EC' ? aliased(SM_CURVE_ALIASES, jwk.crv) : undefined
  const alg = aliased(SM_ALG_ALIASES, jwk.alg)
  return { ...jwk, ...(crv && { crv }), ...(alg && { alg }) }
}
