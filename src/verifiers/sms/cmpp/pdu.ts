/**
 * The PDUs of CMPP 2.0 and 3.0 that we send and read. Fields have fixed lengths; 3.0 has longer numbers and results, and
 * a type behind each number. Integers are big-endian, texts ASCII filled up with nulls.
 */
import { createHash } from 'node:crypto'
import { PeerFailure } from '#src/peers/signed-http.ts'

export type CmppVersion = '2.0' | '3.0'

export const command = {
  connect: 0x01,
  terminate: 0x02,
  submit: 0x04,
  deliver: 0x05,
  activeTest: 0x08,
} as const

const versionByte = { '2.0': 0x20, '3.0': 0x30 } as const

/** @throws PeerFailure where it does not fit */
function octets(text: string, length: number): Buffer {
  if (text.length > length || !/^[\x20-\x7e]*$/.test(text)) throw new PeerFailure('a field does not fit')
  return Buffer.concat([Buffer.from(text, 'latin1')], length)
}

const md5 = (...parts: readonly Buffer[]) => createHash('md5').update(Buffer.concat(parts)).digest()

interface Login {
  readonly version: CmppVersion
  readonly account: string
  readonly secret: string
  /** MMDDHHMMSS in China. */
  readonly timestamp: string
}

/** AuthenticatorSource: the account, nine nulls, the secret and the time. */
export const authenticatorOf = ({ account, secret, timestamp }: Login): Buffer =>
  md5(octets(account, 6), Buffer.alloc(9), Buffer.from(secret, 'latin1'), Buffer.from(timestamp, 'latin1'))

export function connectBody(login: Login): Buffer {
  const time = Buffer.alloc(4)
  time.writeUInt32BE(Number(login.timestamp))
  return Buffer.concat([
    octets(login.account, 6),
    authenticatorOf(login),
    Buffer.from([versionByte[login.version]]),
    time,
  ])
}

/** Results have one byte in 2.0 and four in 3.0. @throws PeerFailure */
function resultAt(body: Buffer, at: number, version: CmppVersion): number {
  const length = version === '2.0' ? 1 : 4
  if (body.length < at + length) throw new PeerFailure('malformed')
  return body.readUIntBE(at, length)
}

export interface Admission {
  readonly status: number
  /** Does the gateway know the secret? AuthenticatorISMG is over the status, our authenticator and the secret. */
  readonly authentic: boolean
}

/** @throws PeerFailure */
export function admissionOf(body: Buffer, login: Login): Admission {
  const status = resultAt(body, 0, login.version)
  const length = login.version === '2.0' ? 1 : 4
  if (body.length !== length + 17) throw new PeerFailure('malformed')
  const due = md5(body.subarray(0, length), authenticatorOf(login), Buffer.from(login.secret, 'latin1'))
  return { status, authentic: due.equals(body.subarray(length, length + 16)) }
}

export interface Submission {
  readonly version: CmppVersion
  readonly account: string
  readonly serviceId: string
  /** Src_Id: the number the citizen sees. */
  readonly source: string
  readonly phone: string
  readonly content: Buffer
  readonly number: number
  readonly total: number
  readonly receipt: boolean
}

const ucs2 = 8
/** Fee_UserType 2, FeeType 01: the service pays, the citizen nothing. */
const servicePays = 2
const feeType = '01'

export function submitBody(submission: Submission): Buffer {
  const { version, account, serviceId, source, phone, content, number, total, receipt } = submission
  const three = version === '3.0'
  const numberLength = three ? 32 : 21
  /** The type of a number: 0, not a pseudonym. */
  const typed = three ? [Buffer.from([0])] : []
  return Buffer.concat([
    Buffer.alloc(8),
    Buffer.from([total, number, receipt ? 1 : 0, 1]),
    octets(serviceId, 10),
    Buffer.from([servicePays]),
    octets('', numberLength),
    ...typed,
    Buffer.from([0, total > 1 ? 1 : 0, ucs2]),
    octets(account, 6),
    octets(feeType, 2),
    octets('000000', 6),
    octets('', 17),
    octets('', 17),
    octets(source, 21),
    Buffer.from([1]),
    octets(phone, numberLength),
    ...typed,
    Buffer.from([content.length]),
    content,
    Buffer.alloc(three ? 20 : 8),
  ])
}

/** @throws PeerFailure */
export function submittedOf(body: Buffer, version: CmppVersion): { readonly id: string; readonly result: number } {
  const result = resultAt(body, 8, version)
  return { id: body.subarray(0, 8).toString('hex'), result }
}

export interface Delivered {
  /** Msg_Id of this PDU, which the answer repeats. */
  readonly id: Buffer
  /** The text a report speaks of and its state; undefined where a citizen wrote. */
  readonly report?: { readonly id: string; readonly state: string }
}

/** @throws PeerFailure */
export function deliveredOf(body: Buffer, version: CmppVersion): Delivered {
  const sender = version === '2.0' ? 21 : 33
  const kindAt = 8 + 21 + 10 + 3 + sender
  const contentAt = kindAt + 2
  const length = body[kindAt + 1]
  const tail = version === '2.0' ? 8 : 20
  if (length === undefined || body.length !== contentAt + length + tail) throw new PeerFailure('malformed')
  const id = body.subarray(0, 8)
  if (body[kindAt] !== 1) return { id }
  const content = body.subarray(contentAt, contentAt + length)
  // Msg_Id, Stat, two times, a number of 21 or (in most 3.0 gateways) 32, SMSC_sequence.
  if (length !== 60 && length !== 71) throw new PeerFailure('malformed')
  const state = content.subarray(8, 15).toString('latin1').replace(/\0+$/, '')
  return { id, report: { id: content.subarray(0, 8).toString('hex'), state } }
}

export const deliverAnswer = (id: Buffer, version: CmppVersion): Buffer =>
  Buffer.concat([id, Buffer.alloc(version === '2.0' ? 1 : 4)])
