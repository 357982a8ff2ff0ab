/**
 * The frames between a host and an ID card reader's security module (SAM), GA/T 467: a preamble, a length of two bytes
 * that counts all behind it, the body, and the XOR of length and body. A question's body is command, parameter, data; an
 * answer's is three status bytes, of which the last one tells, and data. Pure: bytes in, bytes out.
 */

export const preamble = Buffer.from('aaaaaa9669', 'hex')

/** The longest answer there is: texts, photo and two fingerprints, which we never ask for, behind three status bytes. */
const longest = 3 + 6 + 256 + 1024 + 1024 + 1
/** Three status bytes and the checksum. */
const shortest = 4
const lengthAt = preamble.length
const bodyAt = lengthAt + 2

export interface Command {
  readonly command: number
  readonly parameter: number
  /** The status of success, and how many bytes of data come with it. */
  readonly ok: number
  readonly bytes: number
}

/** What is asked. The command that reads fingerprints (30 10) is left out on purpose. */
export const commands = {
  sam: { command: 0x12, parameter: 0xff, ok: 0x90, bytes: 16 },
  find: { command: 0x20, parameter: 0x01, ok: 0x9f, bytes: 4 },
  select: { command: 0x20, parameter: 0x02, ok: 0x90, bytes: 8 },
  /** Texts and photo, each behind its length of two bytes: the lengths come first. */
  read: { command: 0x30, parameter: 0x01, ok: 0x90, bytes: 4 + 256 + 1024 },
  /** The card body's number; answers for as long as a card that was read lies there. */
  presence: { command: 0x30, parameter: 0x05, ok: 0x90, bytes: 28 },
} as const satisfies Readonly<Record<string, Command>>

export interface Answer {
  readonly status: number
  /** A copy of its own, so that whoever has used it can wipe it. */
  readonly data: Buffer
}

/** XOR of everything from the length to the last byte before the checksum. */
export const checksum = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum ^ byte, 0)

export function encode({ command, parameter }: Command): Buffer {
  const counted = Buffer.of(0, 3, command, parameter)
  return Buffer.concat([preamble, counted, Buffer.of(checksum(counted))])
}

export interface AnswerParser {
  /** Takes the bytes in and wipes the chunk; `damaged` stands for a frame whose checksum or length cannot be. */
  push(chunk: Buffer): readonly (Answer | 'damaged')[]
  /** Forgets what has come of a frame. */
  clear(): void
}

/** Finds answers in a line's bytes, however they are cut or joined and whatever noise stands between them. */
export function createAnswerParser(): AnswerParser {
  let held = Buffer.alloc(0)

  const keep = (from: number): void => {
    const rest = Buffer.from(held.subarray(from))
    held.fill(0)
    held = rest
  }

  /** One step: an answer, damage, nothing yet (`undefined`). What it has looked at it lets go. */
  function next(): Answer | 'damaged' | undefined {
    const start = held.indexOf(preamble)
    // Of noise only what may be the beginning of a preamble is kept.
    if (start < 0) return void keep(Math.max(0, held.length - preamble.length + 1))
    if (start > 0) keep(start)
    if (held.length < bodyAt) return undefined
    const length = held.readUInt16BE(lengthAt)
    const end = bodyAt + length
    if (length >= shortest && length <= longest) {
      if (held.length < end) return undefined
      if (held[end - 1] === checksum(held.subarray(lengthAt, end - 1))) {
        const answer = { status: held[bodyAt + 2] as number, data: Buffer.from(held.subarray(bodyAt + 3, end - 1)) }
        keep(end)
        return answer
      }
    }
    // It was none: a real one may begin inside of what it claimed to be.
    keep(1)
    return 'damaged'
  }

  return {
    push(chunk) {
      const before = held
      held = Buffer.concat([held, chunk])
      before.fill(0)
      chunk.fill(0)
      const found: (Answer | 'damaged')[] = []
      for (let one = next(); one !== undefined; one = next()) found.push(one)
      return found
    },
    clear() {
      keep(held.length)
    },
  }
}

/** A part of a `read` answer, copied; undefined where the lengths are not those of GA/T 490. */
function partOf(data: Buffer, from: number, to: number): Buffer | undefined {
  if (data.readUInt16BE(0) !== 256 || data.readUInt16BE(2) !== 1024) return undefined
  return Buffer.from(data.subarray(from, to))
}

/** The 256 bytes of text. */
export const textOf = (data: Buffer): Buffer | undefined => partOf(data, 4, 260)

/** The 1,024 bytes of the photo. */
export const photoOf = (data: Buffer): Buffer | undefined => partOf(data, 260, 1284)

/** A SAM's number as it is printed on the reader, `05.03-20130909-0001234567-0123456789`: little-endian numbers. */
export function samNumber(data: Buffer): string {
  const digits = (value: number, width: number) => String(value).padStart(width, '0')
  const numbers = [digits(data.readUInt32LE(4), 8), digits(data.readUInt32LE(8), 10), digits(data.readUInt32LE(12), 10)]
  return [`${digits(data.readUInt16LE(0), 2)}.${digits(data.readUInt16LE(2), 2)}`, ...numbers].join('-')
}
