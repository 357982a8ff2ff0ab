/**
 * An X.509 certificate (RFC 5280 §4.1) read from DER, as far as a chain of signatures needs it. Strict: a certificate
 * that another reader could understand otherwise is none.
 */
import { BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING } from './der.ts'
import { SEQUENCE, take, takeLast, UTC_TIME } from './der.ts'

/** What an authority has signed: a certificate or a revocation list. */
export interface Signed {
  /** DER of what is under the signature, tbsCertificate or tbsCertList. */
  readonly signed: Buffer
  /** Hex of the AlgorithmIdentifier's content. */
  readonly algorithm: string
  readonly signature: Buffer
  readonly issuer: Buffer
}

export interface Certificate extends Signed {
  readonly der: Buffer
  /** Hex of the INTEGER's content. */
  readonly serial: string
  readonly subject: Buffer
  /** Milliseconds since 1970, both ends included. */
  readonly notBefore: number
  readonly notAfter: number
  readonly spki: Buffer
  readonly extensions: Extensions
}

export interface Extensions {
  readonly ca: boolean
  readonly pathLength?: number
  /** The first octet of the bits of keyUsage; undefined where it is absent and nothing is restricted. */
  readonly keyUsage?: number
  /** Purposes of extKeyUsage, the content of their identifiers in hex; undefined where nothing is restricted. */
  readonly purposes?: readonly string[]
  /** Whether whoever does not look at them must refuse it. */
  readonly purposesCritical?: boolean
  /** Whether one is critical that is not understood here. */
  readonly unknownCritical: boolean
  /** All of them: the value by the content of the identifier in hex. */
  readonly values: ReadonlyMap<string, Buffer>
}

// Context-specific tags of tbsCertificate.
const VERSION = 0xa0
const ISSUER_ID = 0x81
const SUBJECT_ID = 0x82
const EXTENSIONS = 0xa3

// Object identifiers, the content in hex.
const BASIC_CONSTRAINTS = '551d13'
const KEY_USAGE = '551d0f'
const EXTENDED_KEY_USAGE = '551d25'

/** @throws TypeError where it is not exactly one well-formed certificate */
export function readCertificate(der: Buffer): Certificate {
  const { signed, algorithm, signature } = readSigned(der)
  const [version, afterVersion] = takeOptional(VERSION, takeLast(SEQUENCE, signed))
  const [serial, afterSerial] = take(INTEGER, afterVersion)
  const [inner, afterInner] = take(SEQUENCE, afterSerial)
  if (!inner.equals(algorithm)) throw new TypeError('certificate: it names two signature algorithms')
  const [issuer, afterIssuer] = takeWhole(SEQUENCE, afterInner)
  const [validity, afterValidity] = take(SEQUENCE, afterIssuer)
  const [subject, afterSubject] = takeWhole(SEQUENCE, afterValidity)
  const [spki, afterSpki] = takeWhole(SEQUENCE, afterSubject)
  const [notBefore, notAfter] = readValidity(validity)
  const [, afterIssuerId] = takeOptional(ISSUER_ID, afterSpki)
  const [, afterSubjectId] = takeOptional(SUBJECT_ID, afterIssuerId)
  const extensions = readExtensions(afterSubjectId.length > 0 ? takeLast(EXTENSIONS, afterSubjectId) : undefined)
  if (afterSubjectId.length > 0 && !(version && takeLast(INTEGER, version).equals(Buffer.of(2))))
    throw new TypeError('certificate: only version 3 has extensions')
  const names = { serial: serial.toString('hex'), issuer, subject, spki, notBefore, notAfter }
  return { der, signed, algorithm: algorithm.toString('hex'), signature, ...names, extensions }
}

/** The three parts of what is signed (RFC 5280 §4.1.1, §5.1.1). */
export function readSigned(der: Buffer): { signed: Buffer; algorithm: Buffer; signature: Buffer } {
  const [signed, afterSigned] = takeWhole(SEQUENCE, takeLast(SEQUENCE, der))
  const [algorithm, afterAlgorithm] = take(SEQUENCE, afterSigned)
  return { signed, algorithm, signature: bitsOfOctets(takeLast(BIT_STRING, afterAlgorithm)) }
}

/** The element itself, with tag and length, and what follows it. */
export function takeWhole(tag: number, from: Buffer): [element: Buffer, rest: Buffer] {
  const [, rest] = take(tag, from)
  return [from.subarray(0, from.length - rest.length), rest]
}

export function takeOptional(tag: number, from: Buffer): [value: Buffer | undefined, rest: Buffer] {
  return from[0] === tag ? take(tag, from) : [undefined, from]
}

function bitsOfOctets(value: Buffer): Buffer {
  if (value[0] !== 0) throw new TypeError('certificate: a signature has whole octets')
  return value.subarray(1)
}

function readValidity(validity: Buffer): [notBefore: number, notAfter: number] {
  const [notBefore, rest] = takeTime(validity)
  const [notAfter, end] = takeTime(rest)
  if (end.length > 0) throw new TypeError('certificate: bytes follow its validity')
  return [notBefore, notAfter]
}

/** UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 narrows them: to the second, in UTC. */
export function takeTime(from: Buffer): [time: number, rest: Buffer] {
  const [value, rest] = take(from[0] === UTC_TIME ? UTC_TIME : GENERALIZED_TIME, from)
  const text = value.toString('latin1')
  const digits = from[0] === UTC_TIME ? `${text >= '50' ? '19' : '20'}${text}` : text
  const iso = digits.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const time = Date.parse(iso)
  // 30 February is read as 1 March; written again, it betrays itself.
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) throw new TypeError('certificate: no time')
  return [time, rest]
}

/** One extension after the other (RFC 5280 §4.1): none twice, no default written out. */
export function* eachExtension(list: Buffer): Generator<{ id: string; critical: boolean; value: Buffer }> {
  const seen = new Set<string>()
  for (let rest = list; rest.length > 0;) {
    const [extension, others] = take(SEQUENCE, rest)
    const [name, afterName] = take(OBJECT_IDENTIFIER, extension)
    const [critical, afterCritical] = takeOptional(BOOLEAN, afterName)
    if (critical && !isTrue(critical)) throw new TypeError('certificate: a default is written out')
    const id = name.toString('hex')
    if (seen.has(id)) throw new TypeError('certificate: an extension comes twice')
    seen.add(id)
    yield { id, critical: critical !== undefined, value: takeLast(OCTET_STRING, afterCritical) }
    rest = others
  }
}

function readExtensions(wrapped: Buffer | undefined): Extensions {
  const values = new Map<string, Buffer>()
  let read: Extensions = { ca: false, unknownCritical: false, values }
  for (const { id, critical, value } of wrapped ? eachExtension(takeLast(SEQUENCE, wrapped)) : []) {
    values.set(id, value)
    if (id === BASIC_CONSTRAINTS) read = { ...read, ...readBasicConstraints(value) }
    else if (id === KEY_USAGE) read = { ...read, keyUsage: readKeyUsage(value) }
    else if (id === EXTENDED_KEY_USAGE) read = { ...read, purposes: readPurposes(value), purposesCritical: critical }
    else if (critical) read = { ...read, unknownCritical: true }
  }
  return read
}

/** RFC 5280 §4.2.1.12. */
function readPurposes(value: Buffer): readonly string[] {
  const purposes: string[] = []
  for (let rest = takeLast(SEQUENCE, value); rest.length > 0;) {
    const [purpose, others] = take(OBJECT_IDENTIFIER, rest)
    purposes.push(purpose.toString('hex'))
    rest = others
  }
  if (purposes.length === 0) throw new TypeError('certificate: no purpose')
  return purposes
}

/** RFC 5280 §4.2.1.9. */
function readBasicConstraints(value: Buffer): Pick<Extensions, 'ca' | 'pathLength'> {
  const [ca, rest] = takeOptional(BOOLEAN, takeLast(SEQUENCE, value))
  if (ca && !isTrue(ca)) throw new TypeError('certificate: a default is written out')
  if (rest.length === 0) return { ca: ca !== undefined }
  const length = takeLast(INTEGER, rest)
  if (!ca || length.length !== 1 || length[0]! > 0x7f) throw new TypeError('certificate: no path length')
  return { ca: true, pathLength: length[0]! }
}

/** RFC 5280 §4.2.1.3; the ninth bit, decipherOnly, is of no interest to a signature. */
function readKeyUsage(value: Buffer): number {
  const bits = takeLast(BIT_STRING, value)
  if (bits.length < 2 || bits.length > 3 || bits[0]! > 7) throw new TypeError('certificate: no key usage')
  return bits[1]!
}

export function isTrue(value: Buffer): boolean {
  return value.length === 1 && value[0] === 0xff
}
