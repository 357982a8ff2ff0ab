/**
 * The token's signature over the text (UTF-8): SM2 with the default identifier (GM/T 0009 §10), ECDSA P-256 with SHA-256
 * and P-384 with SHA-384, RSA with SHA-256 as PKCS#1 v1.5 or PSS (RFC 8017 §8).
 */
import { constants, verify, type KeyObject } from 'node:crypto'
import { isSm2Key, sm2SignatureFromDer, sm2Verify, type Sm2Key } from 'jose'
import type { Answer } from './answer.ts'

/** The kind of a key that may sign here. */
export type KeyKind = 'sm2' | 'ec' | 'rsa'

const curves: Readonly<Record<string, readonly [hash: string, bytes: number]>> = {
  prime256v1: ['sha256', 64],
  secp384r1: ['sha384', 96],
}

/** Undefined for a key that no token is asked for. */
export function kindOf(key: Sm2Key | KeyObject): KeyKind | undefined {
  if (isSm2Key(key)) return 'sm2'
  const { asymmetricKeyType, asymmetricKeyDetails } = key as KeyObject
  if (asymmetricKeyType === 'rsa') return 'rsa'
  return Object.hasOwn(curves, asymmetricKeyDetails?.namedCurve ?? '') ? 'ec' : undefined
}

type Signed = Pick<Answer, 'text' | 'signature' | 'format'>

function sm2Signed(key: Sm2Key, { text, signature, format }: Signed): boolean {
  const raw = format === undefined ? signature.length === 64 : format === 'raw'
  try {
    return sm2Verify(key, Buffer.from(text), raw ? signature : sm2SignatureFromDer(signature))
  } catch {
    return false // not strict DER
  }
}

function ecSigned(key: KeyObject, { text, signature, format }: Signed): boolean {
  const [hash, bytes] = curves[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? ['', 0]
  const raw = format === undefined ? signature.length === bytes : format === 'raw'
  if (raw && signature.length !== bytes) return false
  return verify(hash, Buffer.from(text), { key, dsaEncoding: raw ? 'ieee-p1363' : 'der' }, signature)
}

function rsaSigned(key: KeyObject, { text, signature }: Signed): boolean {
  const data = Buffer.from(text)
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return verify('sha256', data, key, signature) || verify('sha256', data, pss, signature)
}

export function isSignedBy(key: Sm2Key | KeyObject, signed: Signed): boolean {
  if (isSm2Key(key)) return sm2Signed(key, signed)
  const standard = key as KeyObject
  return standard.asymmetricKeyType === 'rsa' ? rsaSigned(standard, signed) : ecSigned(standard, signed)
}
