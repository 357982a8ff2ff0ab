/** A terminal agent that compares faces, in a process of its own: fake reader, fake camera, fake decoder, true model. */
import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { compactVerify, verifyCertificateChain } from 'jose'
import { pictureOf, photoOf, type Portrait, type Shot } from '#src/demo/fake-camera/portraits.ts'
import { fakeSam } from '#src/demo/fake-reader/sam.ts'
import { openChromium, type Browser } from '../../support/chromium.ts'
import { adultText, serve } from '../../support/face.ts'
import { temporaryDirectories } from '../../support/temporary.ts'
import { startTerminalAgent, type TerminalAgent } from '../../support/terminal-agent.ts'

const decoder = resolve(import.meta.dirname, '../../../src/demo/fake-camera/decode-photo.ts')
const asked = { nonce: 'n0nce-of-the-server-0123456789', attempt: 'a1', face: { actions: ['left', 'mouth'] } }
type State = { readonly reader: string; readonly face?: { readonly step: string; readonly see: string } | null }

describe('a terminal agent with a camera', function () {
  this.timeout(60_000)
  const newDirectory = temporaryDirectories()
  let agent: TerminalAgent
  let camera: Awaited<ReturnType<typeof serve>>
  let website: Awaited<ReturnType<typeof serve>>
  let stranger: Awaited<ReturnType<typeof serve>>
  let shown: readonly [Portrait, Shot]

  before(async () => {
    camera = await serve((_request, response) => response.end(pictureOf(...shown)))
    const page = `<!doctype html><title>·</title><iframe name="mirror"></iframe>`
    const pages = () => serve((_request, response) => response.setHeader('content-type', 'text/html').end(page))
    ;[website, stranger] = [await pages(), await pages()]
    agent = await startTerminalAgent({
      directory: newDirectory(),
      settings: {
        issuer: website.url,
        face: { camera: camera.url, photo: [process.execPath, decoder], threshold: 0.45, seconds: 25 },
      },
    })
    for (let waited = 0; (await state()).reader !== 'ready'; waited += 30) {
      assert.ok(waited < 6_000)
      await pause(30)
    }
  })
  after(async () => {
    await agent.close()
    for (const server of [camera, website, stranger]) await server.close()
  })
  afterEach(() => agent.fake.lift())

  const state = async (): Promise<State> =>
    (await fetch(`${agent.url}/state`, { headers: { origin: website.url } })).json() as Promise<State>

  /** Puts the card of one down, and the other before the camera, who does what the terminal's page would tell him. */
  async function reading(holder: Portrait, person: Portrait) {
    shown = [person, 'front']
    agent.fake.place({ text: adultText(), photo: photoOf(holder) })
    let over = false
    const answered = fetch(`${agent.url}/reading`, {
      ...{ method: 'POST', body: JSON.stringify(asked) },
      headers: { origin: website.url, 'content-type': 'application/json' },
    }).finally(() => (over = true))
    while (!over) {
      const step = (await state()).face?.step
      shown = [person, step === undefined || step === 'look' ? 'front' : (step as Shot)]
      await pause(50)
    }
    const response = await answered
    return { status: response.status, body: (await response.json()) as { readonly reading: string } }
  }
  async function payloadOf(jws: string): Promise<Record<string, unknown>> {
    const roots = [readFileSync(agent.root, 'utf8')]
    const keyOf = ({ x5c }: { x5c?: string[] }) => verifyCertificateChain(x5c, { roots })
    const { payload } = await compactVerify(jws, keyOf, { algorithms: ['SGD_SM3_SM2'] })
    return JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>
  }
  const face = (outcome: string) => ({
    ...{ model: 'face-api-1.7.15', threshold: 0.45, actions: ['left', 'mouth'], outcome },
  })

  it('signs that the holder of the card looked into the camera and moved as asked', async () => {
    const { status, body } = await reading('ash', 'ash')
    assert.equal(status, 200, agent.output())
    const { readAt, ...payload } = await payloadOf(body.reading)
    assert.deepEqual(payload, {
      ...{ nonce: asked.nonce, attempt: asked.attempt, terminal: 'terminal-1', sam: fakeSam },
      text: adultText().toString('base64url'),
      face: face('match'),
    })
    assert.ok(Math.abs(Number(readAt) - Date.now() / 1000) < 60)
    assert.deepEqual(Object.keys(await state()), ['reader', 'card'])
  })

  it('signs that it was somebody else, and shows him to himself meanwhile, but to no other page', async function () {
    const browser: Browser = await openChromium(this)
    try {
      const [own, other] = [await browser.newPage(), await browser.newPage()]
      for (const [page, at] of [
        [own, website.url],
        [other, stranger.url],
      ] as const)
        await page.goto(at)
      const compared = reading('cedar', 'birch')
      while (!(await state()).face) await pause(30)
      for (const page of [own, other])
        await page.evaluate(`document.querySelector('iframe').src = ${JSON.stringify(`${agent.url}/mirror`)}`)
      const mirror = own.frame({ name: 'mirror' }) ?? assert.fail()
      const size = `(() => { const { naturalWidth, naturalHeight } = document.querySelector('img') ?? {}; return naturalWidth > 0 && [naturalWidth, naturalHeight].join() })()`
      let seen: unknown
      for (let tried = 0; tried < 60 && !seen; tried += 1) {
        seen = await mirror.evaluate(size).catch(() => undefined)
        await pause(50)
      }
      assert.equal(seen, '320,400')
      assert.equal(
        await mirror.evaluate(`getComputedStyle(document.querySelector('img')).transform`),
        'matrix(-1, 0, 0, 1, 0, 0)',
      )
      const reach = `(() => { try { return String(document.querySelector('iframe').contentDocument) } catch (error) { return error.name } })()`
      assert.equal(await own.evaluate(reach), 'null', 'the page that frames it sees none of it')
      const elsewhere = other.frame({ name: 'mirror' }) ?? assert.fail()
      for (let tried = 0; tried < 60 && elsewhere.url() === ''; tried += 1) await pause(50)
      assert.match(elsewhere.url(), /^chrome-error:/, 'another page must not frame it')
      const { status, body } = await compared
      assert.equal(status, 200)
      assert.deepEqual((await payloadOf(body.reading))['face'], face('mismatch'))
    } finally {
      await browser.close()
    }
  })

  it('writes of it what came out, and nothing of anybody', () => {
    const output = agent.output()
    assert.match(output, /"outcome":"face-match"/)
    for (const secret of [asked.nonce, 'PORTRAIT', 'ash', adultText().toString('base64url').slice(0, 30), 'distance'])
      assert.ok(!output.includes(secret), secret)
  })

  it('refuses settings with every fault they have, and a decoder that cannot be run', async () => {
    const start = (settings: object) =>
      startTerminalAgent({ directory: newDirectory(), settings: { face: settings } }).then(
        async (started) => {
          await started.close()
          return 'it started'
        },
        (error: Error) => error.message,
      )
    const fine = { camera: 'http://127.0.0.1:17090/snapshot', photo: ['/bin/true'] }
    const said = await start({ camera: 'http://192.0.2.7/snapshot', photo: [], threshold: 0.9, seconds: 500, more: 1 })
    for (const path of ['face.camera: must be http:// on 127.0.0.1', 'face.photo:', 'face.threshold:', 'face.seconds:'])
      assert.ok(said.includes(path), said)
    for (const camera of [
      'https://127.0.0.1/',
      'file:///dev/video0',
      'http://127.0.0.1.example/',
      'http://u:p@127.0.0.1/',
    ])
      assert.match(await start({ ...fine, camera }), /face\.camera: must be/, camera)
    assert.match(await start({ ...fine, photo: ['wlt2bmp'] }), /face\.photo: must begin with the full path/)
    const file = join(newDirectory(), 'decoder')
    assert.match(await start({ ...fine, photo: [file] }), /face\.photo: .*cannot be run/)
    writeFileSync(file, '', { mode: 0o600 })
    assert.match(await start({ ...fine, photo: [file] }), /face\.photo: .*cannot be run/)
    assert.equal(await start(fine), 'it started')
  })
})
