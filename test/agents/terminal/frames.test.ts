/** Frames of GA/T 467 against the bytes of facts/verifiers.md §2.3, and in every shape a line can bring them. */
import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import {
  commands,
  createAnswerParser,
  encode,
  samNumber,
  textOf,
  type Answer,
  type Command,
} from '#src/agents/terminal/frames.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Of the test's own: XOR by a loop over every byte behind the preamble. */
function answerFrame(status: number, data: Uint8Array): Buffer {
  const body = [(data.length + 4) >> 8, (data.length + 4) & 255, 0, 0, status, ...data]
  let sum = 0
  for (const byte of body) sum ^= byte
  return Buffer.from([0xaa, 0xaa, 0xaa, 0x96, 0x69, ...body, sum])
}

const answers = fc.array(
  fc.record({ status: fc.integer({ min: 0, max: 255 }), data: fc.uint8Array({ maxLength: 300 }) }),
  { minLength: 1, maxLength: 5 },
)
/** Noise that holds nothing of a preamble. */
const noise = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((byte) => (byte === 0xaa ? 0 : byte)))

/** The bytes in pieces of these lengths, again and again. */
function pieces(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const cut: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length] as number
    cut.push(Buffer.from(bytes.subarray(at, at + length)))
    at += length
  }
  return cut
}
const parse = (parts: readonly Buffer[]) => {
  const parser = createAnswerParser()
  return parts.flatMap((part) => parser.push(part))
}
const plain = (found: readonly (Answer | 'damaged')[]) =>
  found.map((one) => (one === 'damaged' ? one : { status: one.status, data: [...one.data] }))

describe('the frames of a card reader', () => {
  it('ask in the very bytes of the standard', () => {
    const asked = Object.fromEntries(Object.entries(commands).map(([name, command]) => [name, encode(command)]))
    assert.deepEqual(asked, {
      sam: hex('AA AA AA 96 69 00 03 12 FF EE'),
      find: hex('AA AA AA 96 69 00 03 20 01 22'),
      select: hex('AA AA AA 96 69 00 03 20 02 21'),
      read: hex('AA AA AA 96 69 00 03 30 01 32'),
      presence: hex('AA AA AA 96 69 00 03 30 05 36'),
    })
  })

  it('never ask for fingerprints', () => {
    for (const { command, parameter } of Object.values<Command>(commands))
      assert.ok(!(command === 0x30 && parameter === 0x10))
  })

  it('are understood in the very bytes of the standard', () => {
    const found = parse([
      hex('AA AA AA 96 69 00 08 00 00 9F 00 00 00 00 97'),
      hex('AA AA AA 96 69 00 04 00 00 80 84'),
      hex('AA AA AA 96 69 00 0C 00 00 90 00 00 00 00 00 00 00 00 9C'),
    ])
    assert.deepEqual(plain(found), [
      { status: 0x9f, data: [0, 0, 0, 0] },
      { status: 0x80, data: [] },
      { status: 0x90, data: Array(8).fill(0) },
    ])
  })

  it('are found however they are cut and joined, with noise between them', () => {
    fc.assert(
      fc.property(
        answers,
        noise,
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (sent, between, cuts) => {
          const bytes = Buffer.concat(sent.flatMap(({ status, data }) => [between, answerFrame(status, data)]))
          const due = sent.map(({ status, data }) => ({ status, data: [...data] }))
          assert.deepEqual(plain(parse(pieces(bytes, cuts))), due)
        },
      ),
    )
  })

  it('survive any bytes at all, and are found again behind them once what they promised has come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), answers, (before, sent) => {
        const parser = createAnswerParser()
        parser.push(Buffer.from(before))
        // The longest frame that the bytes can have promised, of zeros, then what is truly sent.
        parser.push(Buffer.alloc(2400))
        const found = sent.flatMap(({ status, data }) => parser.push(answerFrame(status, data)))
        assert.deepEqual(
          plain(found),
          sent.map(({ status, data }) => ({ status, data: [...data] })),
        )
      }),
    )
  })

  it('are damaged with each of the 255 wrong checksums, and the next one is whole', () => {
    for (let wrong = 1; wrong < 256; wrong += 1) {
      const frame = answerFrame(0x90, Buffer.alloc(8, 7))
      frame[frame.length - 1] = (frame.at(-1) as number) ^ wrong
      const found = parse([frame, answerFrame(0x80, Buffer.alloc(0))])
      assert.deepEqual(plain(found), ['damaged', { status: 0x80, data: [] }], `${wrong}`)
    }
  })

  it('are damaged with any bit changed behind the preamble', () => {
    const whole = answerFrame(0x9f, Buffer.from('69010203', 'hex'))
    for (let bit = 5 * 8; bit < whole.length * 8; bit += 1) {
      const frame = Buffer.from(whole)
      frame[bit >> 3] = (frame[bit >> 3] as number) ^ (1 << (bit & 7))
      const found = parse([frame])
      assert.ok(
        found.every((one) => one === 'damaged'),
        `bit ${bit}`,
      )
    }
  })

  it('of absurd lengths are none, and do not hide the one behind them', () => {
    for (const length of ['0000', '0003', '0a00', 'ffff']) {
      const found = parse([hex(`AAAAAA9669${length}`), answerFrame(0x80, Buffer.alloc(0))])
      assert.deepEqual(plain(found), ['damaged', { status: 0x80, data: [] }], length)
    }
  })

  it('leave nothing of a chunk behind: it is wiped when it was taken in', () => {
    const chunk = answerFrame(0x90, Buffer.alloc(1284, 0x50))
    createAnswerParser().push(chunk)
    assert.deepEqual(chunk, Buffer.alloc(1295))
  })

  it('of an answer to be read hold 256 bytes of text and 1,024 of photo, or no text', () => {
    const data = Buffer.concat([hex('0100 0400'), Buffer.alloc(256, 'T'), Buffer.alloc(1024, 'P')])
    assert.equal(answerFrame(0x90, data).length, 1295)
    assert.deepEqual(textOf(data), Buffer.alloc(256, 'T'))
    for (const lengths of ['0000 0400', '0200 0300', '0100 0000', '00ff 0401'])
      assert.equal(textOf(Buffer.concat([hex(lengths), data.subarray(4)])), undefined, lengths)
  })

  it('give the number of a SAM as it is printed', () => {
    const data = hex('0500 0300 fd2c3301 87d61200 15cd5b07')
    assert.equal(samNumber(data), '05.03-20131069-0001234567-0123456789')
  })
})
