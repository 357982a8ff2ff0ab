/**
 * The key of a certificate, and whether it signed another one. Node reads SM2 certificates but verifies them with an
 * empty identifier; so SM2 is verified here, over tbsCertificate with the default one (GM/T 0015).
 */
import { createPublicKey, KeyObject, verify } from 'node:crypto'
import { errors } from 'jose-upstream'
import { sm2Verify } from './sm2.ts'
import { pointFromSpki } from './sm2-der.ts'
import { sm2KeyFromSpki } from './sm2-key.ts'
import type { Sm2Key } from './sm2-key.ts'
import { sm2SignatureFromDer } from './sm2-signature.ts'
import type { Certificate, Signed } from './x509-certificate.ts'
import { withFault } from './x509-fault.ts'
import type { CertificateFault } from './x509-fault.ts'

const { JOSENotSupported } = errors

const unsupported = (what: string, cause?: unknown, fault: CertificateFault = 'algorithm') =>
  withFault(new JOSENotSupported(`x5c: unsupported ${what}`, cause === undefined ? undefined : { cause }), fault)

/** Signature algorithms by the hex of their AlgorithmIdentifier: SM2-with-SM3 (1.2.156.10197.1.501), ECDSA, RSA. */
const signatureAlgorithms: Readonly<Record<string, readonly [type: 'sm2' | 'ec' | 'rsa', hash: string]>> = {
  '06082a811ccf55018375': ['sm2', 'sm3'],
  '06082a811ccf550183750500': ['sm2', 'sm3'],
  '06082a8648ce3d040302': ['ec', 'sha256'],
  '06082a8648ce3d040303': ['ec', 'sha384'],
  '06082a8648ce3d040304': ['ec', 'sha512'],
  '06092a864886f70d01010b0500': ['rsa', 'sha256'],
  '06092a864886f70d01010c0500': ['rsa', 'sha384'],
  '06092a864886f70d01010d0500': ['rsa', 'sha512'],
}

/**
 * Whether the issuer's key signed the certificate or the revocation list, in the issuer's name.
 * @throws errors.JOSENotSupported for an algorithm or a key that is not understood
 */
export function certifies(issuer: Certificate, certificate: Signed): boolean {
  if (!issuer.subject.equals(certificate.issuer)) return false
  const algorithm = signatureAlgorithms[certificate.algorithm]
  if (!algorithm) throw unsupported('signature algorithm')
  const [type, hash] = algorithm
  const key = publicKeyOf(issuer)
  if (key instanceof KeyObject)
    return key.asymmetricKeyType === type && verify(hash, certificate.signed, key, certificate.signature)
  return type === 'sm2' && verifySm2(key, certificate)
}

function verifySm2(key: Sm2Key, { signed, signature }: Signed): boolean {
  try {
    return sm2Verify(key, signed, sm2SignatureFromDer(signature))
  } catch {
    return false // not strict DER
  }
}

/**
 * @throws errors.JOSENotSupported for a key other than SM2, RSA of 2048 to 8192 bits, P-256, P-384 and P-521;
 *   errors.JWKInvalid for one off the curve SM2
 */
export function publicKeyOf({ spki }: Certificate): Sm2Key | KeyObject {
  if (isSm2Spki(spki)) return sm2KeyFromSpki(spki)
  const key = readKey(spki)
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  const known =
    key.asymmetricKeyType === 'rsa'
      ? modulusLength >= 2048 && modulusLength <= 8192
      : key.asymmetricKeyType === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve)
  if (!known) {
    const weak = key.asymmetricKeyType === 'rsa' && modulusLength < 2048
    throw unsupported('public key', undefined, weak ? 'weak-key' : 'algorithm')
  }
  return key
}

export function isSm2Spki(spki: Buffer): boolean {
  try {
    return pointFromSpki(spki).length > 0
  } catch {
    return false
  }
}

function readKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (cause) {
    throw unsupported('public key', cause)
  }
}
