/**
 * Import, export and generation (RFC 7517) of SM2 keys and HMAC-SM3 secrets under the upstream package's own names;
 * keys of every other kind go to upstream.
 */
import { randomBytes } from 'node:crypto'
import * as upstream from 'jose-upstream'
import type {
  CryptoKey,
  GenerateKeyPairOptions,
  GenerateKeyPairResult,
  GenerateSecretOptions,
  JWK,
  JWSHeaderParameters,
  FlattenedJWSInput,
  KeyImportOptions,
  KeyObject,
} from 'jose-upstream'
import { isSm2Alg, SGD_SM2_3, SGD_SM3_HMAC, SGD_SM4_GCM } from './names.ts'
import { pem, pemBody } from './pem.ts'
import {
  forEncryption,
  generateSm2KeyPair,
  isSm2Jwk,
  isSm2Key,
  sm2KeyFromJwk,
  sm2KeyFromPkcs8,
  sm2KeyFromSpki,
  sm2KeyToDer,
  sm2KeyToJwk,
} from './sm2-key.ts'
import type { Sm2Key } from './sm2-key.ts'
import { maySm2KeyObject, sm2KeyFromKeyObject, toSm2Key } from './sm2-key-input.ts'
import { readCertificate } from './x509-certificate.ts'

const { JOSENotSupported, JWSInvalid } = upstream.errors

/** As upstream's. A JWK with `crv: sm2p256v1` becomes an `Sm2Key`, for `SGD_SM3_SM2` or for `SGD_SM2_3` and no other algorithm. */
export const importJWK = (async (jwk: JWK, alg?: string, options?: KeyImportOptions) => {
  if (!isSm2Jwk(jwk)) return upstream.importJWK(jwk, alg, options)
  const wanted = alg ?? jwk.alg
  if (!wanted) throw new TypeError('"alg" argument is required when "jwk.alg" is not present')
  if (!isSm2KeyAlg(wanted)) throw new JOSENotSupported('Invalid or unsupported JWK "alg" (Algorithm) Parameter value')
  return forAlg(sm2KeyFromJwk(jwk, extractableOption(options)), wanted)
}) as typeof upstream.importJWK

/** As upstream's; with `SGD_SM3_SM2` or `SGD_SM2_3` the PEM must hold an SM2 key, and the result is an `Sm2Key`. */
export async function importSPKI(spki: string, alg: string, options?: KeyImportOptions): Promise<CryptoKey> {
  if (!isSm2KeyAlg(alg)) return upstream.importSPKI(spki, alg, options)
  const extractable = extractableOption(options)
  const der = pemBody(spki, 'PUBLIC KEY', '"spki" must be SPKI formatted string')
  return supported(() => forAlg(sm2KeyFromSpki(der, extractable), alg))
}

/** As upstream's; with `SGD_SM3_SM2` or `SGD_SM2_3` the PEM must hold an SM2 key, and the result is an `Sm2Key`. */
export async function importPKCS8(pkcs8: string, alg: string, options?: KeyImportOptions): Promise<CryptoKey> {
  if (!isSm2KeyAlg(alg)) return upstream.importPKCS8(pkcs8, alg, options)
  const extractable = extractableOption(options)
  const der = pemBody(pkcs8, 'PRIVATE KEY', '"pkcs8" must be PKCS#8 formatted string')
  return supported(() => forAlg(sm2KeyFromPkcs8(der, extractable), alg))
}

/**
 * As upstream's; with `SGD_SM3_SM2` or `SGD_SM2_3` the PEM must hold a certificate of an SM2 key. Its signature and its dates are not
 * looked at: that is `verifyCertificateChain`.
 */
export async function importX509(x509: string, alg: string, options?: KeyImportOptions): Promise<CryptoKey> {
  if (!isSm2KeyAlg(alg)) return upstream.importX509(x509, alg, options)
  const extractable = extractableOption(options)
  const der = pemBody(x509, 'CERTIFICATE', '"x509" must be X.509 formatted string')
  const spki = spkiOf(der)
  return supported(() => forAlg(sm2KeyFromSpki(spki, extractable), alg))
}

/** As upstream's, and for SM2 keys: an `Sm2Key`, or a Node KeyObject on the curve SM2. */
export async function exportJWK(key: CryptoKey | KeyObject | Uint8Array): Promise<JWK> {
  const sm2Key = exportable(key, 'JWK')
  return sm2Key ? sm2KeyToJwk(sm2Key) : upstream.exportJWK(key)
}

/** As upstream's, and for SM2 keys. */
export async function exportSPKI(key: CryptoKey | KeyObject): Promise<string> {
  const sm2Key = exportable(key, 'SPKI', 'public')
  return sm2Key ? pem(sm2KeyToDer(sm2Key), 'PUBLIC KEY') : upstream.exportSPKI(key)
}

/** As upstream's, and for SM2 keys. */
export async function exportPKCS8(key: CryptoKey | KeyObject): Promise<string> {
  const sm2Key = exportable(key, 'PKCS#8', 'private')
  return sm2Key ? pem(sm2KeyToDer(sm2Key), 'PRIVATE KEY') : upstream.exportPKCS8(key)
}

/** As upstream's, and for `SGD_SM3_SM2` and `SGD_SM2_3`. */
export async function generateKeyPair(alg: string, options?: GenerateKeyPairOptions): Promise<GenerateKeyPairResult> {
  if (!isSm2KeyAlg(alg)) return upstream.generateKeyPair(alg, options)
  const { publicKey, privateKey } = generateSm2KeyPair(extractableOption(options))
  return { publicKey: forAlg(publicKey, alg), privateKey: forAlg(privateKey, alg) }
}

/** As upstream's; for `SGD_SM3_HMAC` 32 and for `SGD_SM4_GCM` 16 random bytes: WebCrypto has no key of these kinds. */
export const generateSecret = (async (alg: string, options?: GenerateSecretOptions) => {
  const length = secretLengths.get(alg)
  if (length === undefined) return upstream.generateSecret(alg, options)
  extractableOption(options)
  return new Uint8Array(randomBytes(length))
}) as ((alg: typeof SGD_SM3_HMAC | typeof SGD_SM4_GCM, options?: GenerateSecretOptions) => Promise<Uint8Array>) &
  typeof upstream.generateSecret

const secretLengths: ReadonlyMap<string, number> = new Map([
  [SGD_SM3_HMAC, 32],
  [SGD_SM4_GCM, 16],
])

/** As upstream's, and for the key in the header of an `SGD_SM3_SM2` token. */
export async function EmbeddedJWK(header?: JWSHeaderParameters, token?: FlattenedJWSInput): Promise<CryptoKey> {
  const { alg, jwk } = { ...header, ...token?.header }
  if (!isSm2Alg(alg)) return upstream.EmbeddedJWK(header, token)
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    throw new JWSInvalid('"jwk" (JSON Web Key) Header Parameter must be a JSON object')
  try {
    return toSm2Key(jwk, 'verify')
  } catch (cause) {
    throw new JWSInvalid('Invalid Embedded JWK', { cause })
  }
}

function isSm2KeyAlg(alg: unknown): boolean {
  return isSm2Alg(alg) || alg === SGD_SM2_3
}

function forAlg(key: Sm2Key, alg: unknown): Sm2Key {
  return alg === SGD_SM2_3 ? forEncryption(key) : key
}

function asSm2(key: unknown): Sm2Key | undefined {
  if (isSm2Key(key)) return key
  if (!maySm2KeyObject(key)) return undefined
  try {
    return sm2KeyFromKeyObject(key)
  } catch {
    return undefined // of a type Node has no name for, and not SM2: upstream says what it makes of it
  }
}

/** The JWK of an SM2 key in any form but that. */
export function jwkOfSm2(key: unknown): JWK | undefined {
  const sm2Key = asSm2(key)
  return sm2Key && sm2KeyToJwk(sm2Key)
}

function exportable(key: unknown, form: string, type?: 'public' | 'private'): Sm2Key | undefined {
  const sm2Key = asSm2(key)
  if (sm2Key && !sm2Key.extractable) throw new TypeError(`non-extractable SM2 key cannot be exported as ${form}`)
  if (sm2Key && type && sm2Key.type !== type) throw new TypeError(`key is not a ${type} key`)
  return sm2Key
}

function extractableOption(options: { extractable?: boolean } | undefined): boolean | undefined {
  const extractable: unknown = options?.extractable
  if (extractable !== undefined && typeof extractable !== 'boolean')
    throw new TypeError('"extractable" option must be a boolean')
  return extractable
}

function spkiOf(der: Buffer): Buffer {
  try {
    return readCertificate(der).spki
  } catch (cause) {
    throw new TypeError('Failed to parse the X.509 certificate', { cause })
  }
}

function supported<Key>(read: () => Key): Key {
  try {
    return read()
  } catch (cause) {
    throw new JOSENotSupported('Invalid or unsupported key format', { cause })
  }
}
