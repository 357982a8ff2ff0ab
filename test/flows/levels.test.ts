import { strict as assert } from 'node:assert'
import { decodeJwt } from 'jose'
import { movableClock, manyTexts, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn, signIn, stepOf } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('levels of assurance', () => {
  let server: TestServer
  let first: RelyingParty
  let second: RelyingParty
  before(async () => {
    const applications = testApplications().map((application) =>
      application.id === 'second' ? { ...application, level: 1 as const } : application,
    )
    server = await startServer({ settings: manyTexts, applications })
    first = relyingParty(server.url, 'first')
    second = relyingParty(server.url, 'second')
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(61_000))

  const acr = (level: number) => `urn:yihao:loa:${level}`
  const essential = (value: object) => JSON.stringify({ id_token: { acr: { essential: true, ...value } } })

  it('meets a request for a lower level with a higher one', async () => {
    const { browser } = await signedIn(server, first, await personOf('yan'))
    for (const parameters of [
      { acr_values: acr(1) },
      { claims: essential({ value: acr(1) }) },
      { claims: essential({ values: [acr(1)] }) },
    ]) {
      const request = second.request(parameters)
      const page = await browser.get(request.path)
      assert.ok(page.location, 'it asked again')
      assert.equal(decodeJwt((await second.tokens(page.location, request)).id_token)['acr'], acr(2))
    }
  })

  it('says at once that a level cannot be reached, and never lets in below it', async () => {
    const { browser } = await signedIn(server, first, await personOf('yan'))
    for (const parameters of [{ acr_values: acr(3) }, { claims: essential({ value: acr(4) }) }]) {
      const { location = '' } = await browser.get(first.request(parameters).path)
      assert.equal(new URL(location).searchParams.get('error'), 'unmet_authentication_requirements')
    }
    const { location = '' } = await browser.get(first.request({ claims: essential({ value: 'urn:other' }) }).path)
    assert.equal(new URL(location).searchParams.get('error'), 'invalid_request')
  })

  it("keeps somebody else's phone at level 1: it opens nothing that needs a real name", async () => {
    const person = { ...(await personOf('xian')), phone: '+8619900000077' }
    const { location, request } = await signIn(server, openBrowser(server.url), second, person)
    assert.equal(decodeJwt((await second.tokens(location, request)).id_token)['acr'], acr(1))

    server.clock.advance(120_000)
    const browser = openBrowser(server.url)
    let page = await provePhone(server, browser, await browser.get(first.request().path), person.phone)
    assert.equal(stepOf(page), 'document')
    page = await giveDocument(browser, page, person)
    assert.equal(stepOf(page), 'number')
    assert.match(page.text, /人口库里没有查到这个手机号属于您本人/)
  })

  it('says plainly where a newcomer cannot reach the level, and lets him go back to the application', async () => {
    const person = { ...(await personOf('renamed')), phone: '+8619900000078' }
    const browser = openBrowser(server.url)
    let page = await provePhone(server, browser, await browser.get(first.request().path), person.phone)
    page = await giveDocument(browser, page, person)
    assert.equal(stepOf(page), 'low')
    assert.match(page.text, /这项服务需要已实名的账号/)
    page = await browser.post(`${attemptOf(page)}/abort`, {})
    assert.equal(new URL(page.location ?? '').searchParams.get('error'), 'access_denied')
  })

  it('asks again when the sign-in is too old, and gives the new time', async () => {
    // The engine compares with the machine's clock, so this sign-in is put into the past.
    const clock = movableClock()
    clock.advance(-600_000)
    const past = await startServer({ clock })
    const party = relyingParty(past.url, 'first')
    const person = await personOf('yan')
    const { browser, tokens } = await signedIn(past, party, person)
    clock.advance(600_000)
    const request = party.request({ max_age: '300' })
    let page = await browser.get(request.path)
    assert.equal(stepOf(page), 'phone')
    page = await provePhone(past, browser, page, person.phone)
    const next = await party.tokens(page.location ?? '', request)
    assert.ok((decodeJwt(next.id_token)['auth_time'] as number) > (decodeJwt(tokens.id_token)['auth_time'] as number))
    await past.close()
  })

  it('ends a session after its idle time and at its absolute end, however much it is used', async () => {
    const { browser } = await signedIn(server, first, await personOf('yan'))
    const { idle, absolute } = server.config.channels['web']?.session ?? { idle: 0, absolute: 0 }
    const idleTab = browser.clone()
    for (let used = 0; used < absolute - idle; used += idle - 60) {
      server.clock.advance((idle - 60) * 1000)
      assert.ok((await browser.get(first.request().path)).location, 'the session ended too early')
    }
    server.clock.advance(idle * 1000)
    assert.equal(stepOf(await browser.get(first.request().path)), 'phone')
    assert.equal(stepOf(await idleTab.get(first.request().path)), 'phone')
  })
})
