/**
 * A small authority of SM2 device certificates (RFC 5280, GM/T 0015) for the demo city, where no openssl may be
 * assumed. A city has its own authority; this one keeps no record and revokes nothing.
 */
import { randomBytes } from 'node:crypto'
import { exportPKCS8, exportSPKI, generateKeyPair, sm3, sm2SignatureToDer, sm2Sign, type Sm2Key } from 'jose'
import {
  BIT_STRING,
  BOOLEAN,
  element,
  GENERALIZED_TIME,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  positiveInteger,
  SEQUENCE,
  UTC_TIME,
} from '#src/jose/der.ts'
import { pem, pemBody } from '#src/jose/pem.ts'

export interface Certified {
  /** PKCS#8, PEM. */
  readonly key: string
  /** PEM. */
  readonly certificate: string
}

const SET = 0x31
const UTF8_STRING = 0x0c
const VERSION = 0xa0
const EXTENSIONS = 0xa3
const KEY_IDENTIFIER = 0x80

const sequence = (...parts: readonly Buffer[]) => element(SEQUENCE, Buffer.concat(parts))
const hex = (text: string) => Buffer.from(text, 'hex')
/** SM2-with-SM3, 1.2.156.10197.1.501. */
const algorithm = sequence(element(OBJECT_IDENTIFIER, hex('2a811ccf55018375')))
const bits = (value: Buffer, unused = 0) => element(BIT_STRING, Buffer.concat([Buffer.of(unused), value]))

/** A name of one commonName. */
const nameOf = (text: string) =>
  sequence(element(SET, sequence(element(OBJECT_IDENTIFIER, hex('550403')), element(UTF8_STRING, Buffer.from(text)))))

/** UTCTime until 2049, as RFC 5280 §4.1.2.5 wants it. */
function timeOf(time: number): Buffer {
  const digits = `${new Date(time).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  return digits < '2050'
    ? element(UTC_TIME, Buffer.from(digits.slice(2)))
    : element(GENERALIZED_TIME, Buffer.from(digits))
}

const critical = (id: string, value: Buffer) =>
  sequence(element(OBJECT_IDENTIFIER, hex(id)), element(BOOLEAN, Buffer.of(0xff)), element(OCTET_STRING, value))

const plain = (id: string, value: Buffer) => sequence(element(OBJECT_IDENTIFIER, hex(id)), element(OCTET_STRING, value))

/** Any number will do that is the key's own (RFC 5280 §4.2.1.2). */
const identifierOf = (spki: Buffer) => sm3(spki).subarray(0, 20)

/**
 * basicConstraints, keyUsage (keyCertSign and cRLSign of an authority, digitalSignature of a device), and the
 * identifiers of its own key and its authority's.
 */
const extensionsOf = (authority: boolean, spki: Buffer, issuerSpki: Buffer) =>
  sequence(
    plain('551d0e', element(OCTET_STRING, identifierOf(spki))),
    plain('551d23', sequence(element(KEY_IDENTIFIER, identifierOf(issuerSpki)))),
    critical('551d13', authority ? sequence(element(BOOLEAN, Buffer.of(0xff))) : sequence()),
    critical('551d0f', authority ? bits(Buffer.of(0x06), 1) : bits(Buffer.of(0x80), 7)),
  )

const day = 86_400_000

interface Request {
  readonly name: string
  /** Absent: the certificate is an authority's, signed by itself. */
  readonly by?: { readonly name: string; readonly key: Sm2Key; readonly spki: Buffer }
  readonly days: number
}

async function certify({
  name,
  by,
  days,
}: Request): Promise<Certified & { readonly privateKey: Sm2Key; readonly spki: Buffer }> {
  const { privateKey, publicKey } = await generateKeyPair('SGD_SM3_SM2', { extractable: true })
  const own = privateKey as unknown as Sm2Key
  const spki = pemBody(`${await exportSPKI(publicKey)}`, 'PUBLIC KEY', 'not a public key')
  const now = Date.now()
  // The first bit is set: never zero, and as long each time.
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const signed = sequence(
    element(VERSION, element(INTEGER, Buffer.of(2))),
    positiveInteger(serial),
    algorithm,
    nameOf(by?.name ?? name),
    sequence(timeOf(now - day), timeOf(now + days * day)),
    nameOf(name),
    spki,
    element(EXTENSIONS, extensionsOf(by === undefined, spki, by?.spki ?? spki)),
  )
  const signature = sm2SignatureToDer(await sm2Sign(by?.key ?? own, signed))
  const certificate = `${pem(sequence(signed, algorithm, bits(signature)), 'CERTIFICATE')}\n`
  return { key: `${await exportPKCS8(privateKey)}\n`, certificate, privateKey: own, spki }
}

/** An authority whose key is forgotten at once, and one device that it certified. */
export async function newDevice(name: string): Promise<{ readonly root: string; readonly device: Certified }> {
  const authority = 'Example City device authority (demo)'
  const { certificate: root, privateKey, spki } = await certify({ name: authority, days: 3650 })
  const { key, certificate } = await certify({ name, by: { name: authority, key: privateKey, spki }, days: 3600 })
  return { root, device: { key, certificate } }
}
