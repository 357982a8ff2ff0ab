/**
 * A certificate revocation list (RFC 5280 §5), complete and of its own issuer's certificates. Strict, and narrow: one by
 * an authority about others' certificates (indirect), one of changes (delta), one of some reasons or of attribute
 * certificates alone, and whatever is critical and unknown is refused, since what it leaves out would count as good.
 */
import { GENERALIZED_TIME, INTEGER, SEQUENCE, take, takeLast, UTC_TIME } from './der.ts'
import { eachExtension, isTrue, readSigned, takeOptional, takeTime, takeWhole } from './x509-certificate.ts'
import type { Certificate, Signed } from './x509-certificate.ts'
import { certifies } from './x509-signature.ts'

export interface RevocationList extends Signed {
  /** Milliseconds since 1970. */
  readonly thisUpdate: number
  /** When the next one is due at the latest. */
  readonly nextUpdate: number
  /** It counts up with each list (§5.2.3); undefined where its issuer does not count. */
  readonly number?: bigint
  /** Serial numbers, hex of the INTEGER's content. */
  readonly revoked: ReadonlySet<string>
  readonly scope: Scope
}

/** About which of the issuer's certificates the list is (§5.2.5). */
export interface Scope {
  /** Those that name one of these addresses as theirs; absent: all. */
  readonly addresses?: readonly string[]
  readonly only?: 'users' | 'authorities'
}

// Object identifiers, the content in hex.
const CRL_NUMBER = '551d14'
const ISSUING_DISTRIBUTION_POINT = '551d1c'
const DISTRIBUTION_POINTS = '551d1f'

// Context-specific tags.
const EXTENSIONS = 0xa0
const CRL_SIGN = 0x02

/** @throws TypeError where it is not exactly one well-formed list of this narrow kind */
export function readRevocationList(der: Buffer): RevocationList {
  const { signed, algorithm, signature } = readSigned(der)
  const [version, afterVersion] = takeOptional(INTEGER, takeLast(SEQUENCE, signed))
  if (version && !version.equals(Buffer.of(1))) throw new TypeError('revocation list: no known version')
  const [inner, afterInner] = take(SEQUENCE, afterVersion)
  if (!inner.equals(algorithm)) throw new TypeError('revocation list: it names two signature algorithms')
  const [issuer, afterIssuer] = takeWhole(SEQUENCE, afterInner)
  const [thisUpdate, afterThis] = takeTime(afterIssuer)
  // §5.1.2.5: without the next date nobody knows when it stops being true.
  const [nextUpdate, afterNext] = takeTime(afterThis)
  if (nextUpdate <= thisUpdate) throw new TypeError('revocation list: it is replaced before it is made')
  const [entries, afterEntries] = takeOptional(SEQUENCE, afterNext)
  const wrapped = afterEntries.length > 0 ? takeLast(SEQUENCE, takeLast(EXTENSIONS, afterEntries)) : undefined
  if (wrapped && !version) throw new TypeError('revocation list: only version 2 has extensions')
  return {
    ...{ signed, algorithm: algorithm.toString('hex'), signature, issuer, thisUpdate, nextUpdate },
    revoked: readEntries(entries, version !== undefined),
    ...readExtensions(wrapped),
  }
}

function readEntries(list: Buffer | undefined, extended: boolean): ReadonlySet<string> {
  const revoked = new Set<string>()
  if (list?.length === 0) throw new TypeError('revocation list: an empty list is left out')
  for (let rest = list; rest && rest.length > 0;) {
    const [entry, others] = take(SEQUENCE, rest)
    const [serial, afterSerial] = take(INTEGER, entry)
    // The date of a revocation changes nothing: no signature of before is judged here.
    const [, extensions] = take(afterSerial[0] === UTC_TIME ? UTC_TIME : GENERALIZED_TIME, afterSerial)
    if (extensions.length > 0) {
      if (!extended) throw new TypeError('revocation list: only version 2 has extensions')
      for (const { critical } of eachExtension(takeLast(SEQUENCE, extensions)))
        if (critical) throw new TypeError('revocation list: an entry says what is not understood')
    }
    revoked.add(serial.toString('hex'))
    rest = others
  }
  return revoked
}

function readExtensions(list: Buffer | undefined): Pick<RevocationList, 'number' | 'scope'> {
  let read: Pick<RevocationList, 'number' | 'scope'> = { scope: {} }
  for (const { id, critical, value } of list ? eachExtension(list) : []) {
    if (id === CRL_NUMBER) read = { ...read, number: readNumber(takeLast(INTEGER, value)) }
    else if (id === ISSUING_DISTRIBUTION_POINT) read = { ...read, scope: readScope(value) }
    else if (critical) throw new TypeError('revocation list: it says what is not understood')
  }
  return read
}

/** §5.2.3: at most 20 octets. */
function readNumber(value: Buffer): bigint {
  if (value.length < 1 || value.length > 20 || value[0]! > 0x7f) throw new TypeError('revocation list: no number')
  return BigInt(`0x${value.toString('hex')}`)
}

/** §5.2.5; onlySomeReasons [3], indirectCRL [4] and onlyContainsAttributeCerts [5] are none of our business. */
function readScope(value: Buffer): Scope {
  const [point, afterPoint] = takeOptional(0xa0, takeLast(SEQUENCE, value))
  const [users, afterUsers] = takeOptional(0x81, afterPoint)
  const [authorities, rest] = takeOptional(0x82, afterUsers)
  if (rest.length > 0) throw new TypeError('revocation list: it is not about all reasons, or not its issuer’s')
  if ([users, authorities].some((flag) => flag && !isTrue(flag)) || (users && authorities))
    throw new TypeError('revocation list: it is about nothing')
  return {
    ...(point ? { addresses: addressesIn(point) } : {}),
    ...(users ? { only: 'users' as const } : authorities ? { only: 'authorities' as const } : {}),
  }
}

/** The web addresses of a distributionPoint's fullName. */
function addressesIn(point: Buffer): readonly string[] {
  const addresses: string[] = []
  for (let rest = takeLast(0xa0, point); rest.length > 0;) {
    const [name, others] = take(rest[0] ?? 0, rest)
    if (rest[0] === 0x86) addresses.push(name.toString('latin1'))
    rest = others
  }
  return addresses
}

/**
 * Where a certificate says that its revocation is told (§4.2.1.13); nothing where it says so in another way.
 */
export function distributionPointsOf({ extensions }: Certificate): readonly string[] {
  const value = extensions.values.get(DISTRIBUTION_POINTS)
  if (!value) return []
  const addresses: string[] = []
  try {
    for (let rest = takeLast(SEQUENCE, value); rest.length > 0;) {
      const [point, others] = take(SEQUENCE, rest)
      // One with reasons [1] or an issuer of its own [2] is about lists that are not read here.
      if (point[0] === 0xa0) addresses.push(...addressesIn(takeLast(0xa0, point)))
      rest = others
    }
  } catch {
    return []
  }
  return addresses
}

/** Whether this list speaks about that certificate of its issuer's. */
export function isAbout({ issuer, scope }: RevocationList, certificate: Certificate): boolean {
  if (!issuer.equals(certificate.issuer)) return false
  if (scope.only && (scope.only === 'authorities') !== certificate.extensions.ca) return false
  return !scope.addresses || distributionPointsOf(certificate).some((one) => scope.addresses?.includes(one))
}

/**
 * Whether this authority made the list: its name, its key, and its leave to sign such (§6.3.3 f).
 * @throws errors.JOSENotSupported for an algorithm or a key that is not understood
 */
export function listsRevocations(authority: Certificate, list: RevocationList): boolean {
  const { keyUsage = 0xff } = authority.extensions
  return (keyUsage & CRL_SIGN) !== 0 && certifies(authority, list)
}
