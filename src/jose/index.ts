/**
 * The npm package `jose` and, under its own names, the SM algorithms of GM/T 0125: what is exported here by name
 * takes the place of upstream's export, everything else is upstream's.
 */
export * from 'jose-upstream'

export { CompactSign, FlattenedSign } from './jws-sign.ts'
export { GeneralSign } from './jws-general.ts'
export { compactVerify, flattenedVerify, generalVerify } from './jws-verify.ts'
export { SignJWT, jwtVerify } from './jwt.ts'
export { createLocalJWKSet, createRemoteJWKSet } from './jwks.ts'
export {
  EmbeddedJWK,
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  generateSecret,
  importJWK,
  importPKCS8,
  importSPKI,
  importX509,
} from './keys.ts'
export { calculateJwkThumbprint, calculateJwkThumbprintUri } from './thumbprint.ts'
export type { JWTVerifyOptions, SignOptions, VerifyOptions } from './jws-algorithms.ts'

export { CompactEncrypt, FlattenedEncrypt } from './jwe-encrypt.ts'
export { compactDecrypt, flattenedDecrypt } from './jwe-decrypt.ts'
export { GeneralEncrypt, generalDecrypt } from './jwe-general.ts'
export { EncryptJWT, jwtDecrypt } from './jwe-jwt.ts'
export type { KeyDecrypter } from './key-decrypter.ts'

export { sm2Decrypt, sm2Encrypt } from './sm2-encryption.ts'
export { sm4GcmDecrypt, sm4GcmEncrypt } from './sm4-gcm.ts'

export { SGD_SM2_3, SGD_SM3_HMAC, SGD_SM3_SM2, SGD_SM4_GCM, SM2_CURVE } from './names.ts'
export { speakingSm2Key } from './dialect.ts'
export type { Sm2Dialect } from './dialect.ts'
export { normaliseSmJwk, SM_ALG_ALIASES, SM_CURVE_ALIASES } from './aliases.ts'
export { verifyCertificateChain } from './x509-chain.ts'
export type { CertificateChainOptions } from './x509-chain.ts'
export { hmacSm3, sm3 } from './sm3.ts'
export { sm2Sign, sm2Verify } from './sm2.ts'
export type { Sm2KeyInput } from './sm2.ts'
export { sm2SignatureFromDer, sm2SignatureToDer } from './sm2-signature.ts'
export { selfTest } from './self-test.ts'
export type { Engines } from './self-test.ts'
export type { EngineName } from './sm3.ts'
export { isSm2Key } from './sm2-key.ts'
export type { Sm2Jwk, Sm2Key } from './sm2-key.ts'
