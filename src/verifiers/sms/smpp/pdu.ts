/** The PDUs of SMPP 3.4 that we send and read (SMPP v3.4 Issue 1.2, chapters 4 and 5): session, submit_sm, deliver_sm. */
import { PeerFailure } from '#src/peers/signed-http.ts'

export const command = {
  unbind: 0x06,
  submitSm: 0x04,
  deliverSm: 0x05,
  bindTransceiver: 0x09,
  enquireLink: 0x15,
  genericNack: 0x80000000,
} as const

/** §5.1.3 */
export const status = { ok: 0, unknownCommand: 0x03, invalidDestination: 0x0b } as const

/** A C-octet string: ASCII and a null. @throws PeerFailure where it does not fit */
export function cString(text: string, longest: number): Buffer {
  if (text.length > longest || !/^[\x20-\x7e]*$/.test(text)) throw new PeerFailure('a field does not fit')
  return Buffer.from(`${text}\0`, 'latin1')
}

export interface Address {
  /** Type of number and numbering plan (§5.2.5, §5.2.6). */
  readonly ton: number
  readonly npi: number
  readonly number: string
}

const addressBytes = ({ ton, npi, number }: Address) => Buffer.concat([Buffer.from([ton, npi]), cString(number, 20)])

export function bindBody(account: { systemId: string; password: string; systemType: string }): Buffer {
  return Buffer.concat([
    cString(account.systemId, 15),
    cString(account.password, 8),
    cString(account.systemType, 12),
    // interface_version 3.4, and any address.
    Buffer.from([0x34, 0, 0, 0]),
  ])
}

interface Submission {
  readonly source: Address
  readonly destination: Address
  readonly content: Buffer
  /** The content begins with a user data header. */
  readonly header: boolean
  readonly receipt: boolean
}

const ucs2 = 0x08
const userDataHeader = 0x40

export function submitBody({ source, destination, content, header, receipt }: Submission): Buffer {
  return Buffer.concat([
    cString('', 5),
    addressBytes(source),
    addressBytes(destination),
    // esm_class, protocol_id, priority_flag; schedule_delivery_time and validity_period are the centre's own.
    Buffer.from([header ? userDataHeader : 0, 0, 0, 0, 0]),
    Buffer.from([receipt ? 1 : 0, 0, ucs2, 0, content.length]),
    content,
  ])
}

/** Reads a body from its front. Each reading @throws PeerFailure where it ends too early */
function reader(body: Buffer) {
  let at = 0
  const bytes = (length: number): Buffer => {
    if (at + length > body.length) throw new PeerFailure('malformed')
    at += length
    return body.subarray(at - length, at)
  }
  const byte = (): number => bytes(1)[0] as number
  const text = (): string => {
    const end = body.indexOf(0, at)
    if (end < 0) throw new PeerFailure('malformed')
    const read = bytes(end - at).toString('latin1')
    at += 1
    return read
  }
  return { bytes, byte, text, left: () => body.length - at }
}

/** @throws PeerFailure */
export function messageIdOf(body: Buffer): string {
  const id = reader(body).text()
  if (!/^[\x21-\x7e]{1,64}$/.test(id)) throw new PeerFailure('malformed')
  return id
}

export interface DeliveryReceipt {
  readonly id: string
  /** DELIVRD, EXPIRED, UNDELIV … (§5.2.28). */
  readonly state: string
}

const receivedMessageId = 0x001e
/** message_type of esm_class: a delivery receipt (§5.2.12). */
const messageType = 0x3c
const isReceipt = 0x04

/** The receipt that a deliver_sm holds; undefined where it is a message of somebody. @throws PeerFailure */
export function receiptOf(body: Buffer): DeliveryReceipt | undefined {
  const { bytes, byte, text, left } = reader(body)
  text()
  for (let address = 0; address < 2; address += 1) {
    bytes(2)
    text()
  }
  const kind = byte()
  bytes(2)
  text()
  text()
  bytes(4)
  const content = bytes(byte()).toString('latin1')
  if ((kind & messageType) !== isReceipt) return undefined
  let id = /(?:^|\s)id:(\S{1,64})/.exec(content)?.[1]
  const state = /(?:^|\s)stat:(\w{1,10})/.exec(content)?.[1]
  while (left() > 0) {
    const tag = bytes(2).readUInt16BE()
    const value = bytes(bytes(2).readUInt16BE())
    // The centre's own word, where it writes the id of the text in another base.
    if (tag === receivedMessageId) id = value.toString('latin1').replace(/\0$/, '')
  }
  if (id === undefined || state === undefined || !/^[\x21-\x7e]{1,64}$/.test(id)) throw new PeerFailure('malformed')
  return { id, state }
}
