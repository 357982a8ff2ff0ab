/**
 * Keys with certificates (`x5c`, RFC 7517 §4.7). The first certificate is that of the key, or the key is none; and where
 * an application is trusted by certificate, its chain must lead to one of the application's roots, today.
 */
import { X509Certificate } from 'node:crypto'
import { exportJWK, importX509, verifyCertificateChain, type CryptoKey, type JWK, type KeyObject } from 'jose'
import type { ClientKey } from './client-keys.ts'

export interface CertificateTrust {
  /** Certificates of the authorities, PEM. */
  readonly roots: readonly string[]
}

const algOf: Readonly<Record<string, string>> = { sm2p256v1: 'SGD_SM3_SM2', 'P-256': 'ES256', 'P-384': 'ES384' }

/** Is this one certificate in PEM? */
export function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0
  } catch {
    return false
  }
}

const pem = (base64: string): string => `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----`

/** The key of the first certificate, after its chain where somebody must vouch for it. */
function certifiedKey(key: ClientKey, x5c: readonly string[], trust: CertificateTrust | undefined, now: number) {
  if (trust) return verifyCertificateChain(x5c, { roots: trust.roots, currentDate: new Date(now) })
  return importX509(pem(x5c[0] ?? ''), key.kty === 'RSA' ? 'RS256' : (algOf[String(key['crv'])] ?? ''))
}

const numbers = ({ kty, crv, x, y, n, e }: JWK): string => JSON.stringify([kty, crv, x, y, n, e])

async function holds(key: ClientKey, trust: CertificateTrust | undefined, now: number): Promise<boolean> {
  const { x5c } = key
  if (x5c === undefined) return trust === undefined
  try {
    const found: CryptoKey | KeyObject = await certifiedKey(key, x5c, trust, now)
    return numbers(await exportJWK(found)) === numbers(key as JWK)
  } catch {
    return false
  }
}

/** Those of the keys that may be used. */
export async function certified(
  keys: readonly ClientKey[],
  trust: CertificateTrust | undefined,
  now: number,
): Promise<readonly ClientKey[]> {
  const usable = await Promise.all(keys.map((key) => holds(key, trust, now)))
  return keys.filter((_, at) => usable[at])
}
