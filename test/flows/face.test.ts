/**
 * Signing in by a face through the whole server, over signed HTTP with a service in another language: consent first, the
 * service's word alone counts, a pass reaches level 3, and nothing of it stays.
 */
import { strict as assert } from 'node:assert'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHighClient } from '#src/demo/high-client.ts'
import { isAppError } from '#src/errors.ts'
import type { ApplicationInput } from '#src/oidc/application.ts'
import type { Verifier } from '#src/verifiers/verifier.ts'
import { highApplication, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, personOf, stepOf, type Person } from '../support/citizen.ts'
import { startFaceServices, type Asked, type FaceServices } from '../support/face-services.ts'
import { assertNoLeak, leakDetector } from '../support/leaks.ts'
import { describeStock } from '../support/policy.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

/** Another way to level 3 that anybody may use: without one the server does not start. */
const window: Verifier = {
  ...{ name: 'window', amr: ['mca'], cap: 3, tries: 1, by: 'form' },
  label: { zh: '窗口凭条', en: 'A slip from a window' },
  help: { zh: '窗口给您的凭条', en: 'The slip you were given' },
  begin: ({ now }) => Promise.resolve({ show: { fields: [] }, keep: {}, expiresAt: now + 60_000 }),
  finish: () => Promise.resolve({ ok: false, reason: 'mismatch' }),
}

const version = '1'

describe('signing in by a face', () => {
  let services: FaceServices
  let server: TestServer
  let party: RelyingParty
  let keyFile: string
  let high: Awaited<ReturnType<typeof highApplication>>

  const withFace = (names: readonly string[]) => (settings: Record<string, unknown>) => {
    const { web } = settings['channels'] as { web: { verifiers: readonly string[] } }
    web.verifiers = names
    const service = { kind: 'http', url: `${services.url}/face`, keyFile, timeout: 2 }
    const receiver = { zh: '示例人脸核验中心', en: 'Example Face Centre' }
    Object.assign(settings['verifiers'] as object, { face: { service, consent: { receiver, version } } })
  }

  before(async () => {
    services = await startFaceServices()
    keyFile = join(mkdtempSync(join(tmpdir(), 'yihao-face-')), 'face.key')
    writeFileSync(keyFile, services.key.toString('base64url'), { mode: 0o600 })
    high = await highApplication()
    server = await startServer({
      settings: withFace(['sms', 'face', 'window']),
      applications: [...testApplications(), { ...high.application, level: 3 } as ApplicationInput],
      overrides: { verifiers: new Map([['window', window]]) },
    })
    party = relyingParty(server.url, 'first')
  })
  beforeEach(() => services.behave(''))
  after(async () => {
    services.close()
    await server.close()
  })

  const mine = async ({ number }: Person): Promise<readonly Asked[]> =>
    (await services.asked()).filter(({ question }) => question['number'] === number)

  /** As far as the page that asks for consent. */
  const names = async (browser: Browser, person: Person, address = party.request().path): Promise<Page> => {
    let page = await browser.get(address)
    page = await browser.post(`${attemptOf(page)}/method`, { method: 'face' })
    const attempt = attemptOf(page)
    await browser.post(`${attempt}/document`, { kind: person.kind })
    await browser.post(`${attempt}/name`, { name: person.name })
    return browser.post(`${attempt}/number`, { number: person.number })
  }
  const agrees = (browser: Browser, page: Page, given = version) =>
    browser.post(`${attemptOf(page)}/prove/leave`, { consent: given })
  /** Where the service sends him back to, without what it adds. */
  const wayBack = async (person: Person): Promise<string> => {
    const { pathname, search } = new URL((await mine(person)).at(-1)?.question['returnTo'] ?? assert.fail())
    return `${pathname}${search}`
  }
  const reasons = async (): Promise<readonly string[]> =>
    (await server.app.storage.audit.read(server.config.audit.node, 0, 10_000)).flatMap((row) => {
      const { type, facts } = JSON.parse(row.body) as { type?: string; facts?: { why?: string } }
      return type === 'challenge.answered' && facts?.why ? [facts.why] : []
    })

  it('asks who he is, then for his consent, and says who receives what and that other ways count just the same', async () => {
    const browser = openBrowser(server.url)
    const page = await names(browser, await personOf('yan'))
    assert.equal(stepOf(page), 'prove')
    for (const words of [
      '示例人脸核验中心',
      '会离开这台设备',
      '姓名和证件号码',
      '都不留存图像',
      '怎样撤回',
      '别的方式一样有效',
    ])
      assert.ok(page.text.includes(words), words)
    assert.match(page.text, /class="even"[^>]*>同意，继续<[\s\S]*class="even"[^>]*>不同意，换一种方式</)
  })

  it('tells the service nothing before he has agreed, and to the text that he read', async () => {
    const person = await personOf('ayiguli')
    const browser = openBrowser(server.url)
    const page = await names(browser, person)
    for (const given of ['', '0', '2']) {
      const refused = await agrees(browser, page, given)
      assert.ok(refused.text.includes('没有您的同意，不会开始'))
    }
    assert.deepEqual(await mine(person), [])
  })

  it('opens his account in the name that the service confirmed', async () => {
    const person = await personOf('xian')
    const browser = openBrowser(server.url)
    const request = party.request()
    const page = await names(browser, person, request.path)
    const left = await agrees(browser, page)
    assert.match(left.location ?? '', /^https:\/\/face\.example\/act\?session=/)
    let back = await browser.get(await wayBack(person))
    if (back.location === undefined) back = await browser.post(`${attemptOf(back)}/notice`, { answer: 'agree' })
    const tokens = await party.tokens(back.location ?? assert.fail(back.url), request)
    const claims = await party.verify(tokens.id_token)
    assert.equal(claims['acr'], 'urn:yihao:loa:2', 'what this application may ask')
    assert.deepEqual(claims['amr'], ['face'])
    assert.equal((await party.claims(tokens.access_token))['name'], person.name)
  })

  describeStock('for an application that asks for the person himself', () => {
    it('reaches level 3', async () => {
      const client = createHighClient({
        ...{ issuer: server.url, clientId: 'high', privateJwk: high.privateJwk, scope: 'openid profile id_number' },
        redirectUri: 'http://localhost:4003/callback',
        postLogoutRedirectUri: 'http://localhost:4003/signed-out',
        algorithm: 'ES256',
      })
      const started = await client.start()
      const person = await personOf('xian')
      const browser = openBrowser(server.url)
      await agrees(browser, await names(browser, person, started.url.slice(server.url.length)))
      let back = await browser.get(await wayBack(person))
      if (back.location === undefined)
        back = await browser.post(`${attemptOf(back)}/notice`, { answer: 'agree', id_number: 'on' })
      const { claims, userinfo } = await client.finish(new URL(back.location ?? assert.fail(back.url)), started)
      assert.equal(claims['acr'], 'urn:yihao:loa:3')
      assert.deepEqual(claims['amr'], ['face'])
      assert.equal(userinfo['id_number'], person.number)
    })
  })

  it('believes the service and no parameter that comes back, and says which it was in the trail alone', async () => {
    for (const [mode, why] of Object.entries({
      failed: 'failed',
      'other-person': 'other-person',
      unfinished: 'unfinished',
    })) {
      const person = await personOf(mode === 'failed' ? 'he' : mode === 'unfinished' ? 'xu' : 'elder')
      const browser = openBrowser(server.url)
      await agrees(browser, await names(browser, person))
      await services.behave(mode)
      const back = await browser.get(`${await wayBack(person)}&passed=true&result=passed&code=0`)
      assert.equal(stepOf(back), 'prove')
      assert.ok(back.text.includes('没有核对上'))
      assert.ok(!back.text.includes(why))
      await services.behave('')
    }
    for (const why of ['failed', 'other-person', 'unfinished']) assert.ok((await reasons()).includes(why), why)
  })

  it('takes each coming back once, and none in another browser', async () => {
    const person = await personOf('teenager')
    const browser = openBrowser(server.url)
    await agrees(browser, await names(browser, person))
    const back = await wayBack(person)
    const stranger = await openBrowser(server.url).get(back)
    assert.ok(stranger.status >= 400 || stepOf(stranger) === '', stranger.url)
    await services.behave('failed')
    await browser.get(back)
    await services.behave('')
    const again = await browser.get(back)
    assert.ok(again.text.includes('这一次已经用过'))
  })

  it('sends no child to it', async () => {
    const child = await personOf('child')
    const page = await names(openBrowser(server.url), child)
    assert.equal(stepOf(page), 'number')
    assert.deepEqual(await mine(child), [])
  })

  it('says of a document that the service does not know that he should take another way', async () => {
    const person = await personOf('maria')
    const browser = openBrowser(server.url)
    const page = await names(browser, person)
    await services.behave('refuse-person')
    const refused = await agrees(browser, page)
    assert.equal(stepOf(refused), 'prove')
    assert.ok(refused.text.includes('核验不了这份证件'))
  })

  it('leaves nothing of a session in the store after its time, and never a name, a number or an image in trail or log', async () => {
    const file = join(server.directory, 'yihao.db')
    const rows = () => {
      const database = new DatabaseSync(file, { readOnly: true })
      try {
        return database.prepare(`SELECT * FROM artifacts WHERE kind = 'MethodChallenge'`).all().length
      } finally {
        database.close()
      }
    }
    assert.ok(rows() >= 5, 'what came before is still there')
    await server.app.storage.sweep(Date.now() + 4_200_000 + 1_000, 10_000)
    assert.equal(rows(), 0)
    const people = await Promise.all(['yan', 'xian', 'ayiguli', 'he', 'xu', 'elder', 'teenager', 'maria'].map(personOf))
    const secrets = people.flatMap(({ name, number }) => [
      { label: 'a name', text: name },
      { label: 'a number', text: number },
    ])
    const find = leakDetector([...secrets, { label: 'an image', text: 'face.jpeg' }])
    assertNoLeak(find, 'the log', server.logged.join('\n'))
    const trail = await server.app.storage.audit.read(server.config.audit.node, 0, 10_000)
    assert.ok(JSON.stringify(trail).includes('consent.given'))
    assertNoLeak(find, 'the trail', JSON.stringify(trail))
  })

  it('is never offered where it would be the only way to a level: the server does not start', async () => {
    await assert.rejects(
      startServer({ settings: withFace(['sms', 'passkey', 'face']) }),
      (error) =>
        isAppError(error, 'config_invalid') && /level 3 would be reached by a face alone/.test(error.detail ?? ''),
    )
  })
})
