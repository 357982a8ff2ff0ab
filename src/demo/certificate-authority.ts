/**
 * A small certificate authority of the demo city: writes X.509 certificates (RFC 5280 §4) and revocation lists (§5) in
 * DER, signed by SM2, ECDSA or RSA. For synthetic people and devices; a real city trusts an authority of its own.
 */
import { createHash, randomBytes } from 'node:crypto'
import { BIT_STRING, BOOLEAN, element, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER } from '#src/jose/der.ts'
import { OCTET_STRING, positiveInteger, SEQUENCE, UTC_TIME } from '#src/jose/der.ts'
import type { CertifiedKey } from './certificate-keys.ts'

export interface Extension {
  /** Dotted. */
  readonly id: string
  readonly critical?: boolean
  /** DER. */
  readonly value: Buffer
}

export interface CertificateRequest {
  /** Attribute (dotted, or C, O, OU, CN, serialNumber) and text, in order. */
  readonly subject: readonly (readonly [attribute: string, text: string])[]
  readonly spki: Buffer
  readonly notBefore: number
  readonly notAfter: number
  /** An authority; else it signs, and proves who somebody is (clientAuth). */
  readonly ca?: boolean
  readonly serial?: Buffer
  /** Besides those that the two kinds have; one of the same id takes the place of theirs. */
  readonly extensions?: readonly Extension[]
}

export interface RevocationListRequest {
  readonly revoked: readonly { readonly serial: Buffer; readonly at: number }[]
  readonly thisUpdate: number
  readonly nextUpdate?: number
  readonly number: number
  readonly extensions?: readonly Extension[]
}

export interface Authority {
  /** DER. */
  readonly certificate: Buffer
  issue(request: CertificateRequest): Buffer
  revocationList(request: RevocationListRequest): Buffer
}

type Subject = CertificateRequest['subject']

const UTF8_STRING = 0x0c
const PRINTABLE_STRING = 0x13
const SET = 0x31

const attributes: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  serialNumber: '2.5.4.5',
  C: '2.5.4.6',
  O: '2.5.4.10',
  OU: '2.5.4.11',
}

const seq = (...parts: readonly Buffer[]): Buffer => element(SEQUENCE, Buffer.concat(parts))
const bits = (octets: Buffer): Buffer => element(BIT_STRING, Buffer.concat([Buffer.of(0), octets]))

/** OBJECT IDENTIFIER of a dotted name (X.690 §8.19). */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number)
  const octets = [first * 40 + second, ...arcs].flatMap((arc) => {
    const sevens = [arc & 0x7f]
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) sevens.unshift((rest & 0x7f) | 0x80)
    return sevens
  })
  return element(OBJECT_IDENTIFIER, Buffer.from(octets))
}

/** A name of one attribute in each part, as authorities write them (X.520: C and serialNumber are printable). */
export function distinguishedName(parts: Subject): Buffer {
  return seq(
    ...parts.map(([attribute, text]) => {
      const tag = attribute === 'C' || attribute === 'serialNumber' ? PRINTABLE_STRING : UTF8_STRING
      return element(SET, seq(objectIdentifier(attributes[attribute] ?? attribute), element(tag, Buffer.from(text))))
    }),
  )
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
function time(at: number): Buffer {
  const digits = `${new Date(at).toISOString().replace(/\D/g, '').slice(0, 14)}Z`
  return digits < '2050'
    ? element(UTC_TIME, Buffer.from(digits.slice(2)))
    : element(GENERALIZED_TIME, Buffer.from(digits))
}

function extension({ id, critical = false, value }: Extension): Buffer {
  return seq(
    objectIdentifier(id),
    critical ? element(BOOLEAN, Buffer.of(0xff)) : Buffer.alloc(0),
    element(OCTET_STRING, value),
  )
}

const keyId = (spki: Buffer): Buffer => createHash('sha256').update(spki).digest().subarray(0, 20)

/** What authorities' and signers' certificates say of themselves (RFC 5280 §4.2.1). */
function usual({ ca = false, spki }: CertificateRequest, issuerSpki: Buffer): readonly Extension[] {
  const usage = ca ? Buffer.of(1, 0x06) : Buffer.of(6, 0xc0) // keyCertSign, cRLSign; digitalSignature, contentCommitment
  const clientAuth = seq(objectIdentifier('1.3.6.1.5.5.7.3.2'))
  return [
    { id: '2.5.29.19', critical: true, value: seq(ca ? element(BOOLEAN, Buffer.of(0xff)) : Buffer.alloc(0)) },
    { id: '2.5.29.15', critical: true, value: element(BIT_STRING, usage) },
    { id: '2.5.29.14', value: element(OCTET_STRING, keyId(spki)) },
    { id: '2.5.29.35', value: seq(element(0x80, keyId(issuerSpki))) },
    ...(ca ? [] : [{ id: '2.5.29.37', value: clientAuth }]),
  ]
}

/** One after the other; a later one of the same id takes the earlier one's place. */
const merged = (list: readonly Extension[]): Buffer =>
  seq(...new Map(list.map((one) => [one.id, extension(one)])).values())

export function newSerial(): Buffer {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40 // positive, and no shorter
  return serial
}

function signed(key: CertifiedKey, content: Buffer): Buffer {
  return seq(content, Buffer.from(key.algorithm, 'hex'), bits(key.sign(content)))
}

function certificate(key: CertifiedKey, issuer: Buffer, issuerSpki: Buffer, request: CertificateRequest): Buffer {
  const extensions = merged([...usual(request, issuerSpki), ...(request.extensions ?? [])])
  return signed(
    key,
    seq(
      element(0xa0, element(INTEGER, Buffer.of(2))), // version 3
      positiveInteger(request.serial ?? newSerial()),
      Buffer.from(key.algorithm, 'hex'),
      issuer,
      seq(time(request.notBefore), time(request.notAfter)),
      distinguishedName(request.subject),
      request.spki,
      element(0xa3, extensions),
    ),
  )
}

function revocationList(key: CertifiedKey, issuer: Buffer, request: RevocationListRequest): Buffer {
  const { revoked, thisUpdate, nextUpdate, number, extensions = [] } = request
  const entries = revoked.map(({ serial, at }) => seq(positiveInteger(serial), time(at)))
  const own: readonly Extension[] = [
    { id: '2.5.29.35', value: seq(element(0x80, keyId(key.spki))) },
    { id: '2.5.29.20', value: positiveInteger(Buffer.from(number.toString(16).padStart(12, '0'), 'hex')) },
  ]
  return signed(
    key,
    seq(
      element(INTEGER, Buffer.of(1)), // version 2
      Buffer.from(key.algorithm, 'hex'),
      issuer,
      time(thisUpdate),
      ...(nextUpdate === undefined ? [] : [time(nextUpdate)]),
      ...(entries.length > 0 ? [element(SEQUENCE, Buffer.concat(entries))] : []),
      element(0xa0, merged([...own, ...extensions])),
    ),
  )
}

/** An authority of this name and key; one that was kept is opened by giving its certificate. */
export function createAuthority(
  key: CertifiedKey,
  self: Omit<CertificateRequest, 'spki' | 'ca'>,
  kept?: Buffer,
): Authority {
  const name = distinguishedName(self.subject)
  return {
    certificate: kept ?? certificate(key, name, key.spki, { ...self, spki: key.spki, ca: true }),
    issue: (request) => certificate(key, name, key.spki, request),
    revocationList: (request) => revocationList(key, name, request),
  }
}

/** A file's form of DER (RFC 7468). */
export function toPem(der: Buffer, label = 'CERTIFICATE'): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
