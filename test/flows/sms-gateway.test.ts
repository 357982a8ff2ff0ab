/** A city's own SMS gateway, behind signed HTTP and in another language: the whole way, and what is when it is down. */
import { strict as assert } from 'node:assert'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, stepOf } from '../support/citizen.ts'
import { relyingParty } from '../support/relying-party.ts'
import { startPeer, type Peer } from '../support/signed-peer.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const webOf = ({ channels }: Record<string, unknown>) => (channels as Record<string, object>)['web']

describe('signing in by a code that a gateway of the city sends', () => {
  const newDirectory = temporaryDirectories()
  let peer: Peer
  let server: TestServer
  let phones = 0
  before(async () => {
    peer = await startPeer()
  })
  after(() => peer.close())

  beforeEach(async () => {
    await peer.behave('')
    const keyFile = join(newDirectory(), 'sms.key')
    writeFileSync(keyFile, `${peer.key.toString('base64url')}\n`, { mode: 0o600 })
    server = await startServer({
      settings: (config) => {
        const { sms } = config['verifiers'] as { sms: object }
        Object.assign(config['channels'] as object, { web: { ...webOf(config), verifiers: ['sms'] } })
        Object.assign(sms, { gateways: [{ kind: 'http', url: `${peer.url}/sms`, keyFile, timeout: 1 }] })
      },
      overrides: { smsGateway: undefined },
    })
  })
  afterEach(() => server.close())

  const newPhone = (): string => `+861985590${String(++phones).padStart(4, '0')}`
  /** What the gateway was asked to send to a phone, oldest first. */
  const texts = async (phone: string) =>
    (await peer.seen()).map(({ question }) => question).filter((question) => question['phone'] === phone)
  const codeFor = async (phone: string): Promise<string> =>
    ((await texts(phone)).at(-1)?.['variables'] as { code: string }).code

  interface Visitor {
    readonly phone: string
    ask(): Promise<Page>
    answer(code: string): Promise<Page>
    readonly browser: Browser
    readonly attempt: string
  }
  const visit = async (phone = newPhone()): Promise<Visitor> => {
    const browser = openBrowser(server.url)
    const attempt = attemptOf(await browser.get(relyingParty(server.url, 'first').request().path))
    return {
      ...{ phone, browser, attempt },
      ask: () => browser.post(`${attempt}/phone`, { phone }),
      answer: (code) => browser.post(`${attempt}/code`, { code }),
    }
  }
  const unavailable = (page: Page): void => {
    assert.equal(page.status, 200)
    assert.equal(stepOf(page), 'phone', 'the way stays in sight')
    assert.match(page.text, /这种验证方式暂时不可用，您填的没有错。请换一种方式，稍后再试，或到窗口办理。/)
  }

  it('goes the whole way', async () => {
    const { phone, ask, answer } = await visit()
    assert.equal(stepOf(await ask()), 'code')
    const [text] = await texts(phone)
    assert.equal(text?.['template'], 'code')
    assert.match(String(text?.['text']), /第一个应用/)
    assert.equal(stepOf(await answer(await codeFor(phone))), 'document')
  })

  it('asks once more after a failure, under the same id, and the citizen sees nothing of it', async () => {
    await peer.behave('/flaky')
    const { phone, ask, answer } = await visit()
    assert.equal(stepOf(await ask()), 'code')
    const asked = await texts(phone)
    assert.equal(asked.length, 2)
    assert.equal(new Set(asked.map(({ id }) => id)).size, 1)
    assert.equal(stepOf(await answer(await codeFor(phone))), 'document')
  })

  it('says when the gateway is down what to do, keeps what was typed, and goes on when it is back', async () => {
    const visitor = await visit()
    const { perPhoneDaily } = server.config.verifiers.sms
    for (const way of ['/broken', '/refuse', '/unsigned', '/forged']) {
      await peer.behave(way)
      for (let count = 0; count < 2; count += 1) {
        const page = await visitor.ask()
        unavailable(page)
        assert.ok(page.text.includes(visitor.phone.slice(-4)), 'the number is still in the field')
      }
      server.clock.advance(31_000)
    }
    await peer.behave('')
    // No pause to wait out, and the whole day is left.
    for (let count = 0; count < perPhoneDaily; count += 1) {
      assert.equal(stepOf(await visitor.ask()), 'code', `code ${count + 1}`)
      server.clock.advance(61_000)
    }
    assert.match((await visitor.ask()).text, /次数已用完/)
  })

  it('logs why a text was not sent, under the number that the page shows, and quotes nothing', async () => {
    for (const [way, why] of [
      ['/broken', 'status 503'],
      ['/unsigned', 'not-signed'],
      ['/hang', 'timeout'],
    ] as const) {
      await peer.behave(way)
      const { phone, ask } = await visit()
      const [, reference] = /class="reference">([^<]+)</.exec((await ask()).text) ?? []
      const line = server.logged.find((text) => text.includes('a back end failed') && text.includes(reference ?? '?'))
      const { err } = JSON.parse(line ?? '{}') as { err?: { code: string; cause: { kind: string; detail: string } } }
      assert.equal(err?.code, 'verifier_unavailable')
      assert.deepEqual([err.cause.kind, err.cause.detail], ['PeerFailure', why])
      assert.ok(!server.logged.join('').includes(phone.slice(3)))
    }
  })

  it('leaves a code that was sent before valid', async () => {
    const { phone, ask, answer, browser, attempt } = await visit()
    await ask()
    const code = await codeFor(phone)
    server.clock.advance(61_000)
    await peer.behave('/broken')
    assert.match((await browser.post(`${attempt}/resend`, {})).text, /这种验证方式暂时不可用/)
    assert.equal(stepOf(await answer(code)), 'document')
  })

  it('waits for a gateway that hangs no longer than the time set, both tries together', async () => {
    await peer.behave('/hang')
    const { phone, ask } = await visit()
    const started = performance.now()
    unavailable(await ask())
    assert.ok(performance.now() - started < 2_000)
    assert.equal((await texts(phone)).length, 2)
  })

  it('leaves a broken gateway alone for a while, still offering it, and finds it again', async () => {
    await peer.behave('/broken')
    const { failures, pause } = server.config.verifiers.sms.breaker
    for (let count = 0; count < failures; count += 1) unavailable(await (await visit()).ask())
    await peer.behave('')
    const visitor = await visit()
    for (let count = 0; count < 3; count += 1) unavailable(await visitor.ask())
    assert.deepEqual(await texts(visitor.phone), [], 'it is not asked meanwhile')
    server.clock.advance(pause * 1000)
    assert.equal(stepOf(await visitor.ask()), 'code')
    assert.equal(stepOf(await (await visit()).ask()), 'code')
  })

  it('does not close the door to all because the gateway refuses some numbers', async () => {
    await peer.behave('/refuse')
    for (let count = 0; count < 2 * server.config.verifiers.sms.breaker.failures; count += 1) {
      unavailable(await (await visit()).ask())
    }
    await peer.behave('')
    assert.equal(stepOf(await (await visit()).ask()), 'code')
  })
})
