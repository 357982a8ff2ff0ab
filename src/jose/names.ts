/**
 * The names of GM/T 0125.1 (algorithms) and GM/T 0125.4 (keys) that this package adds to JOSE.
 */

/** JWS `alg`: SM2 signature over SM3 with ZA (GM/T 0125.1, SGD label of GM/T 0006). */
export const SGD_SM3_SM2 = 'SGD_SM3_SM2'

/** JWS `alg`: HMAC with SM3 (GM/T 0125.1). */
export const SGD_SM3_HMAC = 'SGD_SM3_HMAC'

/** JWE `alg`: the content encryption key encrypted to an SM2 public key (GM/T 0125.1; GB/T 32918.4). */
export const SGD_SM2_3 = 'SGD_SM2_3'

/** JWE `enc`: SM4 in Galois/Counter Mode, key of 128 bits (GM/T 0125.1; RFC 8998 §2). */
export const SGD_SM4_GCM = 'SGD_SM4_GCM'

/** JWK `crv` of the SM2 recommended curve (GM/T 0125.4). */
export const SM2_CURVE = 'sm2p256v1'

export function isSm2Alg(alg: unknown): boolean {
  return alg === SGD_SM3_SM2
}
