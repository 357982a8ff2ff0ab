/**
 * What SMPP and CMPP have in common: PDUs that say their length first, numbered questions, each answered under its
 * number with the top bit of its command set, by either side, over one connection that stays.
 */
import { PeerFailure } from '#src/peers/signed-http.ts'

export interface Pdu {
  readonly command: number
  /** Of an answer; 0 where the header of the protocol has none. */
  readonly status: number
  readonly sequence: number
  readonly body: Buffer
}

export interface Protocol {
  /** 12 without a status (CMPP), 16 with one (SMPP). */
  readonly headerLength: 12 | 16
  readonly heartbeat: number
  readonly terminate: number
  /** The question that opens a session, made anew each time. */
  login(): {
    readonly command: number
    readonly body: Buffer
    /** @throws PeerFailure where the answer lets us not in, or is not the gateway's */
    check(answer: Pdu): void
  }
  /** Answers a question of the gateway; undefined: with silence. @throws PeerFailure where it is malformed */
  answer(question: Pdu): Promise<Omit<Pdu, 'sequence'> | undefined>
}

export const answerBit = 0x80000000
export const answerTo = (command: number): number => (command | answerBit) >>> 0

/** Nothing we exchange comes near it; a longer one is no PDU. */
const longest = 4096

export function encodePdu({ headerLength }: Protocol, { command, status, sequence, body }: Pdu): Buffer {
  const header = Buffer.alloc(headerLength)
  header.writeUInt32BE(headerLength + body.length, 0)
  header.writeUInt32BE(command, 4)
  if (headerLength === 16) header.writeUInt32BE(status, 8)
  header.writeUInt32BE(sequence, headerLength - 4)
  return Buffer.concat([header, body])
}

function decodePdu(headerLength: 12 | 16, frame: Buffer): Pdu {
  return {
    command: frame.readUInt32BE(4),
    status: headerLength === 16 ? frame.readUInt32BE(8) : 0,
    sequence: frame.readUInt32BE(headerLength - 4),
    body: frame.subarray(headerLength),
  }
}

/** Cuts what arrives into PDUs. The function it gives @throws PeerFailure for a length that no PDU has */
export function pduReader({ headerLength }: Protocol): (chunk: Buffer) => readonly Pdu[] {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const pdus: Pdu[] = []
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0)
      if (length < headerLength || length > longest) throw new PeerFailure('malformed')
      if (rest.length < length) break
      pdus.push(decodePdu(headerLength, rest.subarray(0, length)))
      rest = rest.subarray(length)
    }
    return pdus
  }
}
