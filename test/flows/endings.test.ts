/** What has ended stays ended, also for requests in flight, other tabs and other browsers. */
import { strict as assert } from 'node:assert'
import { manyTexts, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Page } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn, stepOf } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('what has ended', () => {
  let server: TestServer
  let first: RelyingParty
  let second: RelyingParty
  before(async () => {
    const applications = testApplications().map((one) => (one.id === 'second' ? { ...one, level: 1 as const } : one))
    server = await startServer({ settings: manyTexts, applications })
    first = relyingParty(server.url, 'first')
    second = relyingParty(server.url, 'second')
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(61_000))

  /** Uses a session without pause, as a thief would, until told to stop. */
  const keepUsing = (browser: ReturnType<typeof openBrowser>, loops: number) => {
    let running = true
    const working = Promise.all(
      Array.from({ length: loops }, async () => {
        const tab = browser.clone()
        while (running) await tab.once(second.request({ prompt: 'none' }).path)
      }),
    )
    return async () => {
      running = false
      await working
    }
  }

  for (const [how, end] of [
    ['signing out on all devices', (browser) => browser.post('/me/sessions', { session: 'all' })],
    [
      'signing out',
      async (browser) => {
        const { text } = await browser.get('/session/end')
        const xsrf = /name="xsrf" value="([^"]+)"/.exec(text)?.[1] ?? ''
        return browser.post('/session/end/confirm', { xsrf, logout: 'yes' })
      },
    ],
  ] as const satisfies readonly (readonly [string, (browser: ReturnType<typeof openBrowser>) => Promise<Page>])[]) {
    it(`${how} holds against requests that are under way`, async () => {
      for (let round = 0; round < 4; round += 1) {
        server.clock.advance(120_000)
        const { browser } = await signedIn(server, first, await personOf('yan'))
        const thief = browser.clone()
        const stop = keepUsing(thief, 3)
        await new Promise((done) => setTimeout(done, 30))
        assert.equal((await end(browser)).status, 200, `round ${round}`)
        await new Promise((done) => setTimeout(done, 30))
        await stop()
        const { location = '' } = await thief.get(second.request({ prompt: 'none' }).path)
        assert.equal(new URL(location).searchParams.get('error'), 'login_required', `round ${round}`)
        assert.equal(stepOf(await thief.get('/me')), 'phone')
      }
    })
  }

  it('leaves no code in an answer that failed', async () => {
    const { browser } = await signedIn(server, first, await personOf('xian'))
    const tabs = Array.from({ length: 8 }, () => browser.clone())
    const answers = tabs.map((tab) => tab.once(second.request({ prompt: 'none' }).path))
    await browser.post('/me/sessions', { session: 'all' })
    for (const answer of await Promise.all(answers)) {
      if (answer.status < 300 || answer.status >= 400) assert.equal(answer.headers.get('location'), null)
    }
  })

  it('belongs to the browser it began in: a planted interaction leads nowhere', async () => {
    const attacker = openBrowser(server.url)
    const page = await attacker.get(first.request().path)
    const victim = openBrowser(server.url)
    await victim.get(second.request().path)
    // What a neighbouring host can plant: the engine's cookies, which cannot be host-bound.
    const planted = [...attacker.cookies()].filter(([name]) => !name.includes('browser'))
    const cookie = [...planted, ...victim.cookies()].map(([name, value]) => `${name}=${value}`).join('; ')
    const refused = await fetch(page.url, { headers: { cookie }, redirect: 'manual' })
    assert.equal(refused.status, 400)
    const uid = attemptOf(page).split('/')[2] ?? ''
    const resumed = await fetch(`${server.url}/auth/${uid}`, { headers: { cookie }, redirect: 'manual' })
    assert.equal(resumed.status, 400)
    assert.equal(resumed.headers.get('location'), null)
    assert.equal((await attacker.get(page.url)).status, 200)
  })

  it('is refused: a consent refused in one browser ends for the tokens of another', async () => {
    const person = await personOf('ayiguli')
    const { tokens } = await signedIn(server, first, person)
    assert.equal((await first.claims(tokens.access_token))['phone_number'], person.phone)
    server.clock.advance(120_000)
    const other = await signedIn(server, first, person)
    const page = await other.browser.get(first.request({ prompt: 'consent' }).path)
    await other.browser.post(`${attemptOf(page)}/notice`, { answer: 'refuse' })
    const claims = await first.claims(tokens.access_token)
    assert.deepEqual([claims['name'], claims['phone_number']], [person.name, undefined])
  })

  it('is not final: what was refused may be agreed to in the same session', async () => {
    const person = await personOf('elder')
    const { browser } = await signedIn(server, first, person)
    for (const [answer, phone] of [
      ['refuse', undefined],
      ['agree', person.phone],
    ] as const) {
      const request = first.request({ prompt: 'consent' })
      const page = await browser.get(request.path)
      const { location = '' } = await browser.post(`${attemptOf(page)}/notice`, { answer })
      const { access_token: token } = await first.tokens(location, request)
      assert.equal((await first.claims(token))['phone_number'], phone)
      const again = await browser.get(first.request().path)
      assert.ok(again.location, 'he was asked again by himself')
    }
  })

  it('tells the citizen anew within a session when the purpose has changed', async () => {
    const person = await personOf('renumbered')
    const { browser, tokens } = await signedIn(server, first, person)
    const row = await server.app.storage.applications.get('first')
    assert.ok(row)
    const application = JSON.parse(row.body) as { grants: { purpose: object }[] }
    const body = JSON.stringify({
      ...application,
      grants: application.grants.map((grant) => ({ ...grant, purpose: { zh: '别的用途', en: 'Another purpose' } })),
    })
    const { loadKeys } = await import('#src/crypto/key-store.ts')
    const { rows } = await loadKeys(server.config)
    await server.app.storage.applications.put({
      ...row,
      body,
      mac: (await rows(`application|first|${body}`)).toString('base64url'),
    })
    server.clock.advance(10_000)
    const claims = await first.claims(tokens.access_token)
    assert.deepEqual([claims['name'], claims['phone_number']], [undefined, undefined])
    const { location } = await browser.get(first.request({ prompt: 'none' }).path)
    assert.match(location ?? '', /error=consent_required|error=interaction_required/)
    assert.match((await browser.get(first.request().path)).text, /别的用途/)
    await server.app.storage.applications.put(row)
    server.clock.advance(10_000)
  })

  it('records exactly which claims left, however they were asked for', async () => {
    const browser = openBrowser(server.url)
    const person = await personOf('old-owner')
    const claims = JSON.stringify({ userinfo: { name: null, phone_number_verified: null } })
    const request = first.request({ scope: 'openid', claims })
    let page = await provePhone(server, browser, await browser.get(request.path), person.phone)
    if (stepOf(page) === 'document') page = await giveDocument(browser, page, person)
    page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
    const tokens = await first.tokens(page.location ?? '', request)
    await first.claims(tokens.access_token)
    const last = await server.app.storage.audit.last(server.config.audit.node)
    const { type, facts } = JSON.parse(last?.body ?? '{}') as { type: string; facts: { claims: string[] } }
    assert.equal(type, 'claims.released')
    assert.deepEqual(facts.claims, ['name', 'phone_number'])
  })
})
