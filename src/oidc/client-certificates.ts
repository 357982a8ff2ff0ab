/**
 * Keys with certificates (`x5c`, RFC 7517 §4.7). The first certificate is that of the key, or the key is none; and where
 * an application is trusted by certificate, its chain must lead to one of the application's roots, today, and the
 * certificate be the application's own: an authority certifies others as well.
 */
import { X509Certificate } from 'node:crypto'
import { exportJWK, importX509, SGD_SM3_SM2, verifyCertificateChain } from 'jose'
import type { CryptoKey, JWK, KeyObject } from 'jose'
import type { ClientKey } from './client-keys.ts'

export interface CertificateTrust {
  /** Certificates of the authorities, PEM. */
  readonly roots: readonly string[]
  /** Of the application's own certificate, as `subjectOf` gives it. */
  readonly subject?: string | undefined
}

/** What may be computed with, and the time in milliseconds. */
export interface CertificateCheck {
  readonly smOnly: boolean
  readonly now: number
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

/** `C=CN, O=公积金中心, CN=housing-fund`: a comma inside a name is escaped (RFC 4514 §2.4), so no two are spelt alike. */
const subjectOf = (certificate: string): string => new X509Certificate(certificate).subject.replaceAll('\n', ', ')

/** Every signature of the chain is made by a key of it or of a root. @throws Error where one is not of SM2 */
const refuseOtherThanSm2 = (certificates: readonly string[]) =>
  Promise.all(certificates.map((certificate) => importX509(certificate.trim(), SGD_SM3_SM2)))

async function vouchedKey(x5c: readonly string[], { roots, subject }: CertificateTrust, check: CertificateCheck) {
  const chain = x5c.map(pem)
  if (check.smOnly) await refuseOtherThanSm2([...chain, ...roots])
  const key = await verifyCertificateChain(x5c, { roots, currentDate: new Date(check.now) })
  if (subject !== undefined && subjectOf(chain[0] ?? '') !== subject) throw new Error('the certificate is of another')
  return key
}

/** The key of the first certificate, after its chain where somebody must vouch for it. */
function certifiedKey(
  key: ClientKey,
  x5c: readonly string[],
  trust: CertificateTrust | undefined,
  check: CertificateCheck,
): Promise<CryptoKey | KeyObject> {
  if (trust) return vouchedKey(x5c, trust, check)
  return importX509(pem(x5c[0] ?? ''), key.kty === 'RSA' ? 'RS256' : (algOf[String(key['crv'])] ?? ''))
}

const numbers = ({ kty, crv, x, y, n, e }: JWK): string => JSON.stringify([kty, crv, x, y, n, e])

async function holds(key: ClientKey, trust: CertificateTrust | undefined, check: CertificateCheck): Promise<boolean> {
  const { x5c } = key
  if (x5c === undefined) return trust === undefined
  try {
    const found = await certifiedKey(key, x5c, trust, check)
    return numbers(await exportJWK(found)) === numbers(key as JWK)
  } catch {
    return false
  }
}

/** Those of the keys that may be used. */
export async function certified(
  keys: readonly ClientKey[],
  trust: CertificateTrust | undefined,
  check: CertificateCheck,
): Promise<readonly ClientKey[]> {
  const usable = await Promise.all(keys.map((key) => holds(key, trust, check)))
  return keys.filter((_, at) => usable[at])
}
