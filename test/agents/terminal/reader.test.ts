/** The card reader as the agent keeps it: against the fake reader over TCP and a serial device, and one in Python. */
import { strict as assert } from 'node:assert'
import { setTimeout as pause } from 'node:timers/promises'
import { linkTo } from '#src/agents/terminal/link.ts'
import { createCardReader, type CardReader, type ReaderState } from '#src/agents/terminal/reader.ts'
import { listenOnTcp, openPty, type Line } from '#src/demo/fake-reader/lines.ts'
import { createFakeReader, fakeSam, type FakeReader } from '#src/demo/fake-reader/sam.ts'
import { startPythonReader } from '../../support/card-reader.ts'

const quick = { pollMs: 20, reopenMs: 30, answerMs: 400, readMs: 500 }
const text = Buffer.alloc(256, 'synthetic')

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !holds(); waited += 5) {
    assert.ok(waited < 5_000, what)
    await pause(5)
  }
}

describe('a card reader', () => {
  let fake: FakeReader
  let line: Line
  let reader: CardReader
  let seen: string[]

  const start = async (open: (reader: FakeReader) => Promise<Line> = listenOnTcp) => {
    fake = createFakeReader()
    line = await open(fake)
    seen = []
    reader = createCardReader({ open: linkTo(line.address), ...quick, onReader: (state) => seen.push(state) })
    await until(() => reader.state().reader === 'ready', 'it is never ready')
  }
  afterEach(async () => {
    await reader.close()
    await line?.close()
  })
  const is = (state: ReaderState) => until(() => JSON.stringify(reader.state()) === JSON.stringify(state), 'its state')
  const ready = (card: boolean) => is({ reader: 'ready', card })

  /** A machine that stalls may lose the line for a moment: asked again, as a page does. */
  const read = async () => {
    for (let tried = 0; ; tried += 1) {
      await until(() => reader.state().reader === 'ready', 'it is never ready')
      const outcome = await reader.read(5_000)
      if (outcome !== 'no-reader' || tried === 5) return outcome
    }
  }

  for (const [name, open] of [
    ['TCP', listenOnTcp],
    ['a serial device', openPty],
  ] as const) {
    it(`reads a card over ${name}, once until it was lifted, and tells whether it lies there`, async () => {
      await start(open)
      await ready(false)
      const waiting = reader.read(5_000)
      await pause(50)
      fake.place({ text })
      assert.deepEqual(await waiting, { text, sam: fakeSam })
      await ready(true)
      assert.equal(await reader.read(150), 'no-card', 'the same card must be lifted first')
      await ready(true)
      fake.lift()
      await ready(false)
      fake.place({ text })
      assert.deepEqual(await read(), { text, sam: fakeSam })
      assert.ok(!fake.asked.includes('3010'), 'fingerprints were asked for')
    })

    it(`hands the photo over ${name} to who asks for it, and to nobody else`, async () => {
      const photo = Buffer.alloc(1024, 'photo of nobody, ')
      await start(open)
      fake.place({ text, photo })
      assert.deepEqual(await reader.read(5_000, undefined, { photo: true }), { text, sam: fakeSam, photo })
      fake.lift()
      await ready(false)
      fake.place({ text, photo })
      assert.deepEqual(await read(), { text, sam: fakeSam })
    })

    it(`says at once that it is gone over ${name}`, async () => {
      await start(open)
      const waiting = reader.read(5_000)
      await line.close()
      assert.equal(await waiting, 'no-reader')
      await is({ reader: 'absent', card: false })
      assert.equal(await reader.read(5_000), 'no-reader')
      assert.deepEqual(seen, ['ready', 'absent'])
    })
  }

  it('that was unplugged in the middle and is back reads again', async () => {
    await start()
    fake.place({ text })
    await ready(true)
    fake.behaviour.delayMs = 60
    const waiting = reader.read(5_000)
    await until(() => fake.asked.at(-1) === '3001', 'the card is not read')
    const { port } = new URL(line.address)
    await line.close()
    assert.equal(await waiting, 'no-reader')
    fake.behaviour.delayMs = 0
    line = await listenOnTcp(fake, Number(port))
    fake.lift()
    await is({ reader: 'ready', card: false })
    fake.place({ text })
    assert.deepEqual(await read(), { text, sam: fakeSam })
  })

  it('of Python, which knows the facts alone, is read byte for byte', async () => {
    const python = await startPythonReader()
    line = { address: python.address, close: () => python.close() }
    reader = createCardReader({ open: linkTo(python.address), ...quick })
    await ready(false)
    for (let round = 0; round < 2; round += 1) {
      const waiting = reader.read(5_000)
      python.place()
      assert.deepEqual(await waiting, { text: python.text, sam: '05.03-20130909-0001234567-4001234567' })
      await ready(true)
      python.lift()
      await ready(false)
    }
  })

  it('whose checksums are wrong now and then is asked again', async () => {
    await start()
    for (const spoil of [1, 0x80, 0xff]) {
      fake.place({ text })
      await ready(true)
      Object.assign(fake.behaviour, { spoil, spoilt: 2 })
      assert.deepEqual(await read(), { text, sam: fakeSam })
      fake.lift()
      await ready(false)
    }
  })

  it('whose checksums are wrong 255 times in a row is away for as long, and then reads', async () => {
    await start()
    fake.place({ text })
    await ready(true)
    Object.assign(fake.behaviour, { spoil: 0x55, spoilt: 255 })
    await until(() => reader.state().reader === 'absent', 'it is trusted')
    assert.equal(await reader.read(5_000), 'no-reader')
    fake.behaviour.spoilt = 1
    await is({ reader: 'ready', card: true })
    assert.deepEqual(await read(), { text, sam: fakeSam })
  })

  it('that cannot read a card says so, three tries later, and reads the next', async () => {
    await start()
    fake.place({ text, damaged: true })
    await ready(true)
    const before = fake.asked.length
    assert.equal(await reader.read(5_000), 'card-fault')
    assert.equal(fake.asked.slice(before).filter((question) => question === '3001').length, 3)
    fake.lift()
    await ready(false)
    fake.place({ text })
    assert.deepEqual(await read(), { text, sam: fakeSam })
  })

  it('that is slow is waited for, and that is silent is hung up on, so that a late answer is nobody’s', async () => {
    await start()
    fake.behaviour.delayMs = 60
    fake.place({ text })
    assert.deepEqual(await read(), { text, sam: fakeSam })
    fake.lift()
    await ready(false)
    // Later than the agent waits: the answer to the first card must not be taken for the second's.
    const first = Buffer.alloc(256, 'first')
    fake.behaviour.delayMs = 900
    fake.place({ text: first })
    await is({ reader: 'absent', card: false })
    fake.behaviour.delayMs = 0
    fake.lift()
    await ready(false)
    fake.place({ text })
    assert.deepEqual(await read(), { text, sam: fakeSam })
    fake.behaviour.silent = true
    await is({ reader: 'absent', card: false })
  })

  it('serves one who waits, lets him go when he leaves, and serves the next', async () => {
    await start()
    const leaving = new AbortController()
    const waiting = reader.read(5_000, leaving.signal)
    assert.equal(await reader.read(5_000), 'busy')
    leaving.abort()
    assert.equal(await waiting, 'no-card')
    assert.equal(await reader.read(5_000, AbortSignal.abort()), 'no-card')
    fake.place({ text })
    assert.deepEqual(await read(), { text, sam: fakeSam })
  })

  it('looks for a card every 300 ms and no oftener', async () => {
    fake = createFakeReader()
    line = await listenOnTcp(fake)
    reader = createCardReader({ open: linkTo(line.address) })
    await pause(1_000)
    const looks = fake.asked.filter((question) => question === '2001').length
    assert.ok(looks >= 2 && looks <= 4, `${looks} looks in a second`)
  })

  it('is absent while nobody is at the address', async () => {
    fake = createFakeReader()
    line = await listenOnTcp(fake)
    await line.close()
    reader = createCardReader({ open: linkTo(line.address), ...quick })
    await pause(100)
    assert.deepEqual(reader.state(), { reader: 'absent', card: false })
    line = await listenOnTcp(fake, Number(new URL(line.address).port))
    await is({ reader: 'ready', card: false })
  })
})
