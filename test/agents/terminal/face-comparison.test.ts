/** A comparison from the question to what is signed, with a stand-in for the model: outcomes, faults, and what is wiped. */
import { strict as assert } from 'node:assert'
import { request, type IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { createDoors } from '#src/agents/terminal/doors.ts'
import { createComparer, type ComparerOptions, type Watcher } from '#src/agents/terminal/face/comparison.ts'
import { createMirror } from '#src/agents/terminal/face/mirror.ts'
import type { Pose } from '#src/agents/terminal/face/pose.ts'
import type { Seen } from '#src/agents/terminal/face/watching.ts'
import { createAgent, refuse } from '#src/agents/terminal/http.ts'
import type { CardReader, Wanted } from '#src/agents/terminal/reader.ts'
import type { Reading } from '#src/agents/terminal/signing.ts'
import { photoOf } from '#src/demo/fake-camera/portraits.ts'
import { dayInChina } from '#src/identity/calendar.ts'
import { adultText, box, serve, standInAnalyser, textOfBirth } from '../../support/face.ts'

const issuer = 'https://id.test.example'
const picture = Buffer.from('ffd8' + 'JPEG-OF-NOBODY'.repeat(20), 'latin1')
picture[0] = 0xff
picture[1] = 0xd8
const wiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0)
const asked = { nonce: 'n0nce-of-the-server-0123456789', attempt: 'a1', face: { actions: ['left', 'mouth'] } }

/** Does whatever is asked for, at once. */
const holder = (pose: Pose): Seen => ({ faces: 1, box, pose, distance: 0.3 })
const stranger = (pose: Pose): Seen => ({ faces: 1, box, pose, distance: 0.7 })
const nobody = (): Seen => ({ faces: 0 })

interface Played {
  readonly see?: (pose: Pose) => Seen | undefined
  readonly photoFace?: boolean
  readonly text?: Buffer
  readonly options?: Partial<ComparerOptions>
  readonly withoutCamera?: boolean
}

describe('a comparison at a terminal', () => {
  const closing: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  /** An agent whose reader always has this card, and whose device writes down what it signs. */
  async function play({ see = holder, photoFace = true, text = adultText(), options = {}, withoutCamera }: Played) {
    const photo = photoOf('ash')
    const taken: Uint8Array[] = []
    const outcomes: string[] = []
    const analyser = standInAnalyser(see, photoFace)
    const signed: Reading[] = []
    let wanted: Wanted | undefined
    let decoded: Uint8Array | undefined
    const reader: CardReader = {
      state: () => ({ reader: 'ready', card: true }),
      async read(_wait, _signal, asks) {
        wanted = asks
        return { text, sam: 'sam', ...(asks?.photo ? { photo } : {}) }
      },
      close: async () => undefined,
    }
    const comparer = createComparer({
      decode: async (bytes) => (decoded = Uint8Array.from(bytes)),
      take: async () => {
        assert.ok(wiped(photo), 'the photo is gone before the camera is looked through')
        taken.push(Uint8Array.from(picture))
        return taken.at(-1)
      },
      start: () => analyser,
      threshold: 0.45,
      forMs: 2_000,
      ...options,
    })
    let port = 0
    const doors = createDoors({ issuer, port: () => port })
    const agent = createAgent({
      ...{ terminal: 'terminal-1', reader, doors, waitMs: 1_000, files: new Map() },
      device: {
        valid: () => true,
        sign: async (reading) => (signed.push({ ...reading, text: Uint8Array.from(reading.text) }), 'signed'),
      },
      ...(withoutCamera ? {} : { face: { comparer, mirror: createMirror({ comparer, doors, issuer, refuse }) } }),
      onReading: (outcome, error) => void outcomes.push(error ? `${outcome}: ${String(error)}` : outcome),
    })
    const server = await serve(agent)
    port = Number(new URL(server.url).port)
    closing.push(server.close)
    const get = (path: string, headers: object = {}) => fetch(`${server.url}${path}`, { headers: { ...headers } })
    return {
      ...{ photo, text, taken, analyser, signed, outcomes, url: server.url, get },
      wanted: () => wanted,
      decoded: () => decoded,
      state: async () => (await get('/state', { origin: issuer })).json() as Promise<Record<string, unknown>>,
      async ask(body: object = asked, signal?: AbortSignal) {
        const headers = { origin: issuer, 'content-type': 'application/json' }
        const sent = { method: 'POST', headers, body: JSON.stringify(body), ...(signal ? { signal } : {}) }
        const answered = await fetch(`${server.url}/reading`, sent)
        return [answered.status, await answered.json()] as const
      },
      /** Nothing that came from the citizen's face or card is left in the agent. */
      wipedAll() {
        assert.ok(wiped(photo) && wiped(text), 'photo and text')
        assert.ok(taken.every(wiped), 'pictures')
        assert.ok(analyser.closed, 'what the analyser knew')
      },
    }
  }
  const until = async (holds: () => boolean | Promise<boolean>) => {
    for (let waited = 0; !(await holds()); waited += 10) {
      assert.ok(waited < 3_000)
      await pause(10)
    }
  }

  const statement = (outcome: string) => ({
    ...{ model: 'face-api-1.7.15', threshold: 0.45, actions: ['left', 'mouth'], outcome },
  })

  it('signs that the holder looked and moved, and nothing of how near he came', async () => {
    const played = await play({})
    assert.deepEqual(await played.ask(), [200, { reading: 'signed' }])
    const [reading] = played.signed
    assert.deepEqual(Object.keys(reading ?? {}).sort(), [
      ...['attempt', 'face', 'nonce', 'readAt', 'sam', 'terminal', 'text'],
    ])
    assert.deepEqual(reading?.face, statement('match'))
    assert.deepEqual(played.outcomes, ['face-match'])
    played.wipedAll()
  })

  for (const [outcome, see, forMs] of [
    ['mismatch', stranger, 5_000],
    ['no-face', nobody, 300],
    ['actions', (pose: Pose) => (pose === 'front' ? holder(pose) : { faces: 1, box, pose: 'front' as const }), 300],
  ] as const)
    it(`signs ${outcome} too`, async () => {
      const played = await play({ see, options: { forMs } })
      assert.deepEqual(await played.ask(), [200, { reading: 'signed' }])
      assert.deepEqual(played.signed[0]?.face, statement(outcome))
      played.wipedAll()
    })

  it('makes no comparison where none is asked for: the photo is not even taken', async () => {
    const played = await play({})
    const { face: _, ...plain } = asked
    assert.deepEqual(await played.ask(plain), [200, { reading: 'signed' }])
    assert.ok(!('face' in (played.signed[0] as object)))
    assert.ok(!played.wanted()?.photo)
    assert.equal(played.taken.length, 0)
    assert.deepEqual(await played.state(), { reader: 'ready', card: true })
  })

  it('is refused by a terminal without a camera, before a card is waited for', async () => {
    const played = await play({ withoutCamera: true })
    assert.deepEqual(await played.ask(), [409, { error: 'no-camera' }])
    assert.equal(played.wanted(), undefined)
    assert.equal((await played.get('/mirror')).status, 404)
  })

  it('is not made of a child: camera and decoder are left alone', async () => {
    const today = dayInChina(Date.now())
    const years = (count: number) => `${Number(today.slice(0, 4)) - count}${today.slice(4)}`
    const child = await play({ text: textOfBirth(years(13)) })
    assert.deepEqual(await child.ask(), [409, { error: 'too-young' }])
    assert.deepEqual([child.taken.length, child.decoded(), child.signed.length], [0, undefined, 0])
    child.wipedAll()
    // Fourteen today.
    assert.equal((await (await play({ text: textOfBirth(years(14)) })).ask())[0], 200)
    const unknown = await play({ text: Buffer.alloc(256, 'no text at all. ') })
    assert.deepEqual(await unknown.ask(), [409, { error: 'card-fault' }], 'whose age nobody knows')
    assert.equal(unknown.taken.length, 0)
    unknown.wipedAll()
  })

  it('says that the card’s photo cannot be read, or shows no face', async () => {
    const unreadable = await play({ options: { decode: async () => undefined } })
    assert.deepEqual(await unreadable.ask(), [409, { error: 'photo-fault' }])
    unreadable.wipedAll()
    const faceless = await play({ photoFace: false })
    assert.deepEqual(await faceless.ask(), [409, { error: 'photo-fault' }])
    assert.equal(faceless.taken.length, 0)
    faceless.wipedAll()
  })

  it('says that the camera is gone, or gives what is no picture', async () => {
    const broken = await play({ see: () => undefined, options: { forMs: 10_000 } })
    assert.deepEqual(await broken.ask(), [409, { error: 'camera-fault' }])
    broken.wipedAll()
    const gone = await play({ options: { take: async () => undefined, forMs: 10_000, patienceMs: 300 } })
    assert.deepEqual(await gone.ask(), [409, { error: 'camera-fault' }])
    gone.wipedAll()
  }).timeout(10_000)

  it('is a fault where the model fails, and leaves nothing behind', async () => {
    const failing = await play({
      see: () => {
        throw new Error('the face model failed')
      },
    })
    assert.deepEqual(await failing.ask(), [500, { error: 'fault' }])
    assert.deepEqual(failing.outcomes, ['fault: Error: the face model failed'])
    failing.wipedAll()
    assert.deepEqual(await failing.state(), { reader: 'ready', card: true })
  })

  it('tells the pages what to do meanwhile, and nothing before and after', async () => {
    let now: Seen = nobody()
    let photoTime = () => {}
    const decode = () => new Promise<Uint8Array>((done) => (photoTime = () => done(Uint8Array.of(1))))
    const played = await play({ see: () => now, options: { decode, forMs: 10_000 } })
    const face = async () => (await played.state())['face']
    assert.equal(await face(), undefined)
    const answered = played.ask()
    await until(async () => (await face()) === null)
    photoTime()
    const says = (step: string, see: string) =>
      until(async () => JSON.stringify(await face()) === JSON.stringify({ step, see }))
    await says('look', 'nobody')
    now = { faces: 2, box, pose: 'front' }
    await says('look', 'many')
    now = { faces: 1, box: { ...box, width: 0.1 }, pose: 'front' }
    await says('look', 'far')
    now = holder('front')
    await says('left', 'ok')
    now = holder('left')
    await says('mouth', 'ok')
    now = holder('mouth')
    await says('look', 'ok')
    now = holder('front')
    assert.equal((await answered)[0], 200)
    assert.equal(await face(), undefined)
  })

  it('ends when the citizen’s page goes away, and is ready for the next', async () => {
    const played = await play({ see: nobody, options: { forMs: 20_000 } })
    const leaving = new AbortController()
    const left = played.ask(asked, leaving.signal)
    await until(() => played.taken.length > 1)
    leaving.abort()
    await assert.rejects(left)
    await until(() => played.outcomes.length === 1)
    assert.deepEqual([played.outcomes, played.signed.length], [['left'], 0])
    const count = played.taken.length
    played.wipedAll()
    await pause(250)
    assert.equal(played.taken.length, count, 'the camera is left alone')
    assert.equal((await played.get('/state', { origin: issuer })).status, 200)
    const { face: _, ...plain } = asked
    played.text.set(adultText())
    assert.equal((await played.ask(plain))[0], 200)
  })

  it('lets nobody try faces with one card without end, though he leaves before each outcome', async () => {
    let see: (pose: Pose) => Seen = stranger
    let ahead = 0
    const now = () => Date.now() + ahead
    const played = await play({ see: (pose) => see(pose), options: { forMs: 20_000, now } })
    const again = () => void played.text.set(adultText())
    for (let round = 0; round < 10; round += 1) {
      // Every other time he was taken for the holder, and did not move.
      const others = round % 2 === 0
      let looked = 0
      see = (pose) => (looked++ === 0 ? (others ? stranger : holder)(pose) : nobody())
      const leaving = new AbortController()
      const left = played.ask(asked, leaving.signal)
      await until(() => looked > 1)
      leaving.abort()
      await assert.rejects(left)
      await until(() => played.outcomes.length === round + 1)
      again()
    }
    see = holder
    const count = played.taken.length
    assert.deepEqual(await played.ask(), [409, { error: 'too-often' }])
    assert.equal(played.taken.length, count, 'the camera stays shut')
    played.text.set(textOfBirth('1990-01-01'))
    assert.equal((await played.ask())[0], 200, 'another’s card is not this one')
    again()
    ahead = 86_400_000
    assert.equal((await played.ask())[0], 200)
  })

  it('counts neither who was not seen nor who was the holder', async () => {
    let see: (pose: Pose) => Seen = nobody
    const played = await play({ see: (pose) => see(pose), options: { forMs: 40 } })
    for (let round = 0; round < 11; round += 1) {
      assert.equal((await played.ask())[0], 200)
      played.text.set(adultText())
    }
    const quick = await play({})
    for (let round = 0; round < 11; round += 1) {
      assert.equal((await quick.ask())[0], 200)
      quick.text.set(adultText())
    }
  }).timeout(20_000)

  it('is asked for with two different movements and nothing besides', async () => {
    const played = await play({})
    for (const face of [
      ...[null, {}, { actions: [] }, { actions: ['left'] }, { actions: ['left', 'left'] }, { actions: ['left', 'up'] }],
      ...[
        { actions: ['left', 'right', 'mouth'] },
        { actions: ['left', 'mouth'], threshold: 1 },
        { actions: 'left,mouth' },
      ],
    ])
      assert.deepEqual(await played.ask({ ...asked, face }), [400, { error: 'bad-request' }], JSON.stringify(face))
    assert.equal(played.wanted(), undefined)
  })

  describe('has a mirror', () => {
    const own = { 'sec-fetch-site': 'same-origin' }
    /** With node:http, since fetch sets Sec-Fetch-Site by itself. */
    const open = (url: string, headers: object) =>
      new Promise<{ status: number; headers: Record<string, unknown>; bytes: () => Buffer; ended: Promise<void> }>(
        (done, fail) => {
          const sent = request(`${url}/mirror/picture`, { headers: { ...headers } }, (response) => {
            const parts: Buffer[] = []
            response.on('data', (part: Buffer) => parts.push(part))
            const ended = new Promise<void>((over) => response.once('close', over))
            done({
              status: response.statusCode ?? 0,
              headers: response.headers,
              bytes: () => Buffer.concat(parts),
              ended,
            })
          })
          sent.on('error', fail)
          sent.end()
        },
      )

    it('that shows the camera’s pictures while it is under way, and ends with it', async () => {
      let now = nobody()
      const played = await play({ see: (pose) => (now.faces === 0 ? now : holder(pose)), options: { forMs: 10_000 } })
      assert.equal((await open(played.url, own)).status, 404, 'nothing is under way')
      const answered = played.ask()
      await until(() => played.taken.length > 0)
      const shown = await open(played.url, own)
      assert.deepEqual(
        [shown.status, shown.headers['content-type']],
        [200, 'multipart/x-mixed-replace; boundary=yihao-picture'],
      )
      const part = `--yihao-picture\r\nContent-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`
      const expected = Buffer.concat([Buffer.from(part), picture, Buffer.from('\r\n--yihao-picture\r\n')])
      await until(() => shown.bytes().length > 2 * expected.length)
      assert.deepEqual(shown.bytes().subarray(0, expected.length), expected)
      now = { faces: 1 }
      assert.equal((await answered)[0], 200)
      await shown.ended
      assert.ok(shown.bytes().toString('latin1').endsWith('--yihao-picture--\r\n'))
      assert.equal((await open(played.url, own)).status, 404)
      played.wipedAll()
    })

    it('that leaves nothing with a reader who does not read', async () => {
      const watchers: Watcher[] = []
      const watch = (watcher: Watcher) => (watchers.push(watcher), () => undefined)
      let port = 0
      const mirror = createMirror({
        comparer: { watch },
        doors: createDoors({ issuer, port: () => port }),
        issuer,
        refuse,
      })
      let closed = false
      const server = await serve((asking, response) => {
        response.once('close', () => (closed = true))
        mirror.answer('/mirror/picture', asking, response)
      })
      closing.push(server.close)
      port = Number(new URL(server.url).port)
      const shown = await new Promise<IncomingMessage>((done, fail) =>
        request(server.url, { headers: own }, done).on('error', fail).end(),
      )
      shown.on('error', () => undefined)
      const [watcher] = watchers
      // More than the system takes for him.
      watcher?.picture(new Uint8Array(50_000_000))
      watcher?.end()
      await until(() => closed)
      shown.destroy()
    })

    it('that shows nothing to other pages, to the issuer’s own, or to an address typed in', async () => {
      const played = await play({ see: nobody, options: { forMs: 700 } })
      const answered = played.ask()
      await until(() => played.taken.length > 0)
      const foreign: readonly object[] = [
        {},
        { 'sec-fetch-site': 'none' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: issuer },
        { ...own, origin: issuer },
        { ...own, origin: 'https://elsewhere.example' },
        { ...own, host: 'id.test.example' },
      ]
      for (const headers of foreign) {
        const refused = await open(played.url, headers)
        await refused.ended
        assert.deepEqual(
          [refused.status, refused.bytes().toString()],
          [403, '{"error":"foreign-origin"}'],
          JSON.stringify(headers),
        )
        assert.equal(refused.headers['access-control-allow-origin'], undefined)
      }
      await answered
    })

    it('on a page that the issuer alone may frame, with nothing in it but the picture', async () => {
      const { get, url } = await play({})
      const page = await get('/mirror')
      assert.equal(page.status, 200)
      assert.equal(page.headers.get('x-frame-options'), null)
      assert.equal(
        page.headers.get('content-security-policy'),
        `default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${issuer}`,
      )
      assert.doesNotMatch(await page.text(), /<script|style=|https?:/)
      assert.match(await (await get('/mirror.css')).text(), /scaleX\(-1\)/)
      assert.equal((await fetch(`${url}/mirror`, { method: 'POST' })).status, 405)
      for (const path of ['/mirror.css', '/state', '/reading', '/elsewhere']) {
        const other = await get(path, { origin: issuer })
        assert.match(other.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, path)
        assert.equal(other.headers.get('x-frame-options'), 'DENY', path)
      }
    })
  })
})
