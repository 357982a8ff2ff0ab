/**
 * Trust in an `x5c` chain (RFC 7515 §4.1.6) by the rules of RFC 5280 §6 that a signature's key needs: each
 * certificate signed by the next, up to a root of the caller's. Names and policies are not looked at; revocation is
 * `x509-crl.ts`'s matter.
 */
import type { KeyObject } from 'node:crypto'
import { errors } from 'jose-upstream'
import { pemBody } from './pem.ts'
import type { Sm2Key } from './sm2-key.ts'
import { readCertificate } from './x509-certificate.ts'
import type { Certificate } from './x509-certificate.ts'
import { withFault } from './x509-fault.ts'
import type { CertificateFault } from './x509-fault.ts'
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
/** anyExtendedKeyUsage (RFC 5280 §4.2.1.12). */
const ANY_PURPOSE = '551d2500'

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
  return publicKeyOf(trustedPath(readChain(x5c), { roots, date })[0] as Certificate)
}

export interface PathOptions {
  readonly roots: readonly Certificate[]
  readonly date: number
  /** What the first certificate must be for where it says what it is for: the identifier's content in hex. */
  readonly purpose?: string
}

/**
 * The chain, signer first, ended by the root it leads to, all of it trusted.
 * @throws as `verifyCertificateChain`, with its `fault` (`x509-fault.ts`)
 */
export function trustedPath(chain: readonly Certificate[], options: PathOptions): readonly Certificate[] {
  const path = toRoot(chain, options.roots)
  // From the root down, so that no key computes before it is trusted.
  for (let at = path.length - 1; at >= 0; at -= 1) {
    const [certificate, issuer] = [path[at] as Certificate, path[at + 1]]
    if (issuer && !certifies(issuer, certificate))
      throw invalid(`x5c: certificate ${at} is not signed by the next`, 'chain')
    checkFit(certificate, at, options, path.slice(1, at))
  }
  return path
}

const invalid = (message: string, fault: CertificateFault, cause?: unknown) =>
  withFault(new JWKInvalid(message, cause === undefined ? undefined : { cause }), fault)

const KEY_ID = '551d0e'
const AUTHORITY_KEY_ID = '551d23'

/**
 * Puts certificates in the order of a chain: from this one upwards, each found in the pool by name and, where both say
 * it, by key (RFC 5280 §4.2.1.1). Nothing is verified yet.
 */
export function chainFrom(first: Certificate, pool: readonly Certificate[]): readonly Certificate[] {
  const chain = [first]
  while (chain.length < MAX_CERTIFICATES) {
    const last = chain.at(-1) as Certificate
    const next = pool.find((one) => !chain.includes(one) && one.subject.equals(last.issuer) && mayHaveSigned(one, last))
    if (!next) break
    chain.push(next)
  }
  return chain
}

function mayHaveSigned(authority: Certificate, certificate: Certificate): boolean {
  const own = authority.extensions.values.get(KEY_ID)
  const named = certificate.extensions.values.get(AUTHORITY_KEY_ID)
  // SEQUENCE { [0] keyIdentifier … } against OCTET STRING: the same octets behind their tags.
  if (!own || named?.[2] !== 0x80) return true
  return named.subarray(4, 4 + (named[3] ?? 0)).equals(own.subarray(2))
}

/** The chain, ended by the root it leads to. */
function toRoot(chain: readonly Certificate[], roots: readonly Certificate[]): readonly Certificate[] {
  const last = chain.at(-1) as Certificate
  if (roots.some(({ der }) => der.equals(last.der))) return chain
  const root = roots.find((candidate) => certifies(candidate, last))
  if (!root) throw invalid('x5c: the chain leads to no trusted root', 'chain')
  return [...chain, root]
}

/** @param below the certificates between this one and the first */
function checkFit(
  certificate: Certificate,
  at: number,
  { date, purpose }: PathOptions,
  below: readonly Certificate[],
): void {
  const { ca, keyUsage = 0xff, pathLength, purposes, purposesCritical, unknownCritical } = certificate.extensions
  const what = `x5c: certificate ${at}`
  if (date < certificate.notBefore) throw invalid(`${what} is not yet valid`, 'not-yet')
  if (date > certificate.notAfter) throw invalid(`${what} has expired`, 'expired')
  if (unknownCritical || (purposesCritical && !(at === 0 && purpose)))
    throw withFault(new JOSENotSupported(`${what} has a critical extension that is not understood`), 'usage')
  if (at === 0) {
    if ((keyUsage & (DIGITAL_SIGNATURE | CONTENT_COMMITMENT)) === 0)
      throw invalid(`${what} is not for signatures`, 'usage')
    if (purpose && purposes && ![purpose, ANY_PURPOSE].some((one) => purposes.includes(one)))
      throw invalid(`${what} is for another purpose`, 'usage')
    return
  }
  if (!ca || (keyUsage & KEY_CERT_SIGN) === 0) throw invalid(`${what} may not certify`, 'usage')
  const counted = below.filter(({ issuer, subject }) => !issuer.equals(subject))
  if (pathLength !== undefined && counted.length > pathLength) throw invalid(`${what} allows no chain so long`, 'chain')
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
    throw invalid(`${what} is malformed`, 'malformed', cause)
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
