/**
 * The inside of a fake ID card reader: frames of GA/T 467 in, frames out, byte for byte, over a card that somebody put
 * down. A card that was read answers no search until it was lifted, as real ones do. Not derived from the terminal agent.
 */

export interface FakeCard {
  /** 256 bytes of GA/T 490. */
  readonly text: Buffer
  /** 1,024 bytes. */
  readonly photo?: Buffer
  /** It is found and selected, but cannot be read. */
  readonly damaged?: boolean
}

/** How the line and the reader misbehave, until told otherwise. */
export interface Behaviour {
  /** XOR on the checksum of each answer, 1 to 255; 0 leaves it right. */
  spoil: number
  /** How many answers are spoilt; then they are right again. */
  spoilt: number
  delayMs: number
  silent: boolean
}

export interface FakeReader {
  readonly behaviour: Behaviour
  /** Commands that came, in hex: command and parameter. */
  readonly asked: readonly string[]
  place(card: FakeCard): void
  lift(): void
  readonly card: FakeCard | undefined
  /** A line of its own for each connection: bytes in; what is answered goes to `send`. */
  line(send: (bytes: Buffer) => void): (bytes: Buffer) => void
}

/** A photo of nobody, in bytes that a test finds again wherever they should not be. */
export const fakePhoto = Buffer.alloc(1024, 'PHOTO-OF-NOBODY.')
const fingerprint = Buffer.alloc(512, 'FINGER-OF-NOBODY')
/** 05.03, 20260101, 0000000069, 0000000001. */
const samId = Buffer.from('05000300' + '05253501' + '45000000' + '01000000', 'hex')
export const fakeSam = '05.03-20260101-0000000069-0000000001'
const serialNumber = Buffer.from('6900000000000001', 'hex')
const managementNumber = Buffer.alloc(28, 0x69)
const moreAddresses = Buffer.alloc(280, Buffer.from(' ', 'utf16le'))
const preamble = Buffer.from('aaaaaa9669', 'hex')

const xor = (bytes: Uint8Array) => bytes.reduce((sum, byte) => sum ^ byte, 0)
const uint16 = (number: number) => Buffer.of(number >> 8, number & 0xff)

function frame(status: number, data: Buffer, spoil: number): Buffer {
  const counted = Buffer.concat([uint16(data.length + 4), Buffer.of(0, 0, status), data])
  return Buffer.concat([preamble, counted, Buffer.of(xor(counted) ^ spoil)])
}

export function createFakeReader(): FakeReader {
  const behaviour: Behaviour = { spoil: 0, spoilt: 0, delayMs: 0, silent: false }
  const asked: string[] = []
  let card: FakeCard | undefined
  let phase: 'away' | 'lying' | 'found' | 'selected' | 'read' = 'away'

  const withLengths = (...parts: readonly Buffer[]) =>
    Buffer.concat([...parts.map(({ length }) => uint16(length)), ...parts])

  function readOut(...more: readonly Buffer[]): readonly [number, Buffer?] {
    if (!card || phase !== 'selected' || card.damaged) return [0x41]
    phase = 'read'
    return [0x90, withLengths(card.text, card.photo ?? fakePhoto, ...more)]
  }

  const onCard = (data: Buffer): readonly [number, Buffer?] =>
    phase === 'selected' || phase === 'read' ? [0x90, data] : [0x41]

  function perform(question: string): readonly [status: number, data?: Buffer] {
    switch (question) {
      case '10ff':
      case '11ff':
        return [0x90]
      case '12ff':
        return [0x90, samId]
      case '2001':
        if (phase === 'away' || phase === 'read') return [0x80]
        phase = 'found'
        return [0x9f, Buffer.alloc(4)]
      case '2002':
        if (phase !== 'found') return [0x81]
        phase = 'selected'
        return [0x90, serialNumber]
      case '3001':
        return readOut()
      case '3010':
        return readOut(Buffer.concat([fingerprint, fingerprint]))
      case '3003':
        return onCard(moreAddresses)
      case '3005':
        return onCard(managementNumber)
      default:
        return [0x21]
    }
  }

  return {
    behaviour,
    asked,
    get card() {
      return card
    },
    place(next) {
      card = next
      phase = 'lying'
    },
    lift() {
      card = undefined
      phase = 'away'
    },
    line(send) {
      let held: Buffer = Buffer.alloc(0)
      const answer = (status: number, data: Buffer = Buffer.alloc(0)) => {
        const spoil = behaviour.spoilt > 0 ? behaviour.spoil : 0
        behaviour.spoilt = Math.max(0, behaviour.spoilt - 1)
        const bytes = frame(status, data, spoil)
        if (behaviour.silent) return
        if (behaviour.delayMs > 0) setTimeout(() => send(bytes), behaviour.delayMs).unref()
        else send(bytes)
      }
      return (bytes) => {
        held = Buffer.concat([held, bytes])
        for (;;) {
          const start = held.indexOf(preamble)
          if (start < 0) return void (held = held.subarray(Math.max(0, held.length - preamble.length + 1)))
          held = held.subarray(start)
          const length = held.length < 7 ? Infinity : held.readUInt16BE(5)
          if (held.length < 7 + length) return
          const counted = held.subarray(5, 7 + length)
          held = held.subarray(7 + length)
          if (xor(counted) !== 0) answer(0x10)
          else if (length !== 3) answer(0x11)
          else {
            const question = counted.subarray(2, 4).toString('hex')
            asked.push(question)
            answer(...perform(question))
          }
        }
      }
    },
  }
}
