/**
 * Trust in an `x5c` chain (RFC 7515 §4.1.6) by the rules of RFC 5280 §6 that a signature's key needs: each
 * certificate signed by the next, up to a root of the caller's. Names, policies and revocation are not looked at.
 */
import type { KeyObject } from 'node:crypto'
import { errors } from 'jose-upstream'
import { pemBody } from './pem.ts'
import type { Sm2Key } from './sm2-key.ts'
import { readCertificate } from './x509-certificate.ts'
import type { Certificate } from './x509-certificate.ts'
import { certifies, publicKeyOf } from './x509-signature.ts'

const { JOSENotSupported, JWKInvalid } = errors

export interface CertificateChainOptions {
  /** The certificates trusted beforehand, in PEM. */
  readonly roots: readonly string[]
  /** The moment at which every certificate must be valid; now, where it is absent. */
  readonly currentDate?: Date
}

const MAX_CERTIFICATES = 10
const MAX_LENGTH = 16_384

const DIGITAL_SIGNATURE = 0x80
const CONTENT_COMMITMENT = 0x40
const KEY_CERT_SIGN = 0x04

/**
 * The public key of the first certificate: an `Sm2Key`, or a KeyObject of RSA (2048 bits or more), P-256, P-384 or
 * P-521.
 * @param x5c base64 DER, the signer's certificate first, each one certified by the next; the root itself may be left out
 * @throws errors.JWKInvalid where the chain does not hold, errors.JOSENotSupported for an algorithm or a critical
 *   extension that is not understood, TypeError for mistaken options
 */
export async function verifyCertificateChain(
  x5c: readonly string[] | undefined,
  options: CertificateChainOptions,
): Promise<Sm2Key | KeyObject> {
  const roots = readRoots(options)
  const date = readDate(options.currentDate)
  const path = toRoot(readChain(x5c), roots)
  // From the root down, so that no key computes before it is trusted.
  for (let at = path.length - 1; at >= 0; at -= 1) {
    const [certificate, issuer] = [path[at] as Certificate, path[at + 1]]
    if (issuer && !certifies(issuer, certificate))
      throw new JWKInvalid(`x5c: certificate ${at} is not signed by the next`)
    checkFit(certificate, at, date, path.slice(1, at))
  }
  return publicKeyOf(path[0] as Certificate)
}

/** The chain, ended by the root it leads to. */
function toRoot(chain: readonly Certificate[], roots: readonly Certificate[]): readonly Certificate[] {
  const last = chain.at(-1) as Certificate
  if (roots.some(({ der }) => der.equals(last.der))) return chain
  const root = roots.find((candidate) => certifies(candidate, last))
  if (!root) throw new JWKInvalid('x5c: the chain leads to no trusted root')
  return [...chain, root]
}

/** @param below the certificates between this one and the first */
function checkFit(certificate: Certificate, at: number, date: number, below: readonly Certificate[]): void {
  const { ca, keyUsage = 0xff, pathLength, unknownCritical } = certificate.extensions
  const what = `x5c: certificate ${at}`
  if (date < certificate.notBefore) throw new JWKInvalid(`${what} is not yet valid`)
  if (date > certificate.notAfter) throw new JWKInvalid(`${what} has expired`)
  if (unknownCritical) throw new JOSENotSupported(`${what} has a critical extension that is not understood`)
  if (at === 0) {
    if ((keyUsage & (DIGITAL_SIGNATURE | CONTENT_COMMITMENT)) === 0)
      throw new JWKInvalid(`${what} is not for signatures`)
    return
  }
  if (!ca || (keyUsage & KEY_CERT_SIGN) === 0) throw new JWKInvalid(`${what} may not certify`)
  const counted = below.filter(({ issuer, subject }) => !issuer.equals(subject))
  if (pathLength !== undefined && counted.length > pathLength) throw new JWKInvalid(`${what} allows no chain so long`)
}

function readChain(x5c: unknown): readonly Certificate[] {
  if (!Array.isArray(x5c) || x5c.length < 1 || x5c.length > MAX_CERTIFICATES)
    throw new JWKInvalid(`"x5c" must be an array of 1 to ${MAX_CERTIFICATES} certificates`)
  return x5c.map((text: unknown, at) => {
    if (typeof text !== 'string' || text.length > MAX_LENGTH || Buffer.from(text, 'base64').toString('base64') !== text)
      throw new JWKInvalid(`x5c: certificate ${at} is not base64`)
    return readMember(Buffer.from(text, 'base64'), `x5c: certificate ${at}`)
  })
}

function readMember(der: Buffer, what: string): Certificate {
  try {
    return readCertificate(der)
  } catch (cause) {
    throw new JWKInvalid(`${what} is malformed`, { cause })
  }
}

function readRoots(options: unknown): readonly Certificate[] {
  const { roots } = (options ?? {}) as { roots?: unknown }
  if (!Array.isArray(roots) || roots.length === 0) throw new TypeError('"roots" must be an array of PEM certificates')
  return roots.map((pem: unknown) => readCertificate(pemBody(pem, 'CERTIFICATE', '"roots" must be PEM certificates')))
}

function readDate(given: unknown): number {
  if (given === undefined) return Date.now()
  if (!(given instanceof Date) || Number.isNaN(given.getTime()))
    throw new TypeError('"currentDate" must be a valid Date')
  return given.getTime()
}
