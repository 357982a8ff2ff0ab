import { strict as assert } from 'node:assert'
import { manyTexts, startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, personOf, provePhone, signedIn, stepOf } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('my account', () => {
  let server: TestServer
  let party: RelyingParty
  before(async () => {
    server = await startServer({ settings: manyTexts })
    party = relyingParty(server.url, 'first')
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(61_000))

  it('leads through the sign-in everybody knows, and back', async () => {
    const person = await personOf('yan')
    await signedIn(server, party, person)
    server.clock.advance(120_000)
    const browser = openBrowser(server.url)
    const page = await browser.get('/me')
    assert.equal(stepOf(page), 'phone')
    const me = await provePhone(server, browser, page, person.phone)
    assert.equal(new URL(me.url).pathname, '/me')
    assert.match(me.text, /我的账号/)
  })

  it('shows what is known, masked, where he is signed in, what was agreed to and what left', async () => {
    const person = await personOf('xian')
    const { browser, tokens } = await signedIn(server, party, person)
    await party.claims(tokens.access_token)
    const { text } = await browser.get('/me')
    for (const shown of ['\\*𬎆', '6\\*+8', '199\\*+0002', '已实名', '本设备', '第一个应用', '姓名、手机号']) {
      assert.match(text, new RegExp(shown), shown)
    }
    for (const hidden of [person.name, person.number, person.phone.slice(3)]) assert.ok(!text.includes(hidden))
    const english = await browser.get('/me?lang=en')
    assert.match(english.text, /My account/)
  })

  it('ends another session, and with it what its applications hold', async () => {
    const person = await personOf('ayiguli')
    const lost = await signedIn(server, party, person)
    server.clock.advance(120_000)
    const here = await signedIn(server, party, person)
    const { text } = await here.browser.get('/me')
    const uids = [...text.matchAll(/name="session" value="([^"]+)"/g)].map(([, uid]) => uid ?? '')
    assert.equal(uids.length, 3)
    const other = /另一台设备[^]*?value="([^"]+)"/.exec(text)?.[1] ?? ''
    await here.browser.post('/me/sessions', { session: other })
    assert.equal((await party.userinfo(lost.tokens.access_token)).status, 401)
    assert.equal((await party.userinfo(here.tokens.access_token)).status, 200)
    assert.equal(stepOf(await lost.browser.get('/me')), 'phone')
  })

  it('ends all of them at once', async () => {
    const person = await personOf('elder')
    const one = await signedIn(server, party, person)
    server.clock.advance(120_000)
    const two = await signedIn(server, party, person)
    await one.browser.post('/me/sessions', { session: 'all' })
    for (const { tokens, browser } of [one, two]) {
      assert.equal((await party.userinfo(tokens.access_token)).status, 401)
      assert.equal(stepOf(await browser.get('/me')), 'phone')
    }
  })

  it('withdraws what was agreed to: the tokens end, and the next sign-in asks anew', async () => {
    const person = await personOf('teenager')
    const { browser, tokens } = await signedIn(server, party, person)
    await browser.post('/me/notices', { application: 'first' })
    assert.equal((await party.userinfo(tokens.access_token)).status, 401)
    const page = await browser.get(party.request().path)
    assert.equal(page.location, undefined)
    assert.match(page.text, /甲局/)
    assert.ok(attemptOf(page))
  })

  it("touches nobody else's sessions, and nothing for a foreign page", async () => {
    const mine = await signedIn(server, party, await personOf('renamed'))
    const theirs = await signedIn(server, party, await personOf('renumbered'))
    const uid = /name="session" value="([^"]+)"/.exec((await theirs.browser.get('/me')).text)?.[1] ?? ''
    await mine.browser.post('/me/sessions', { session: uid })
    assert.equal((await party.userinfo(theirs.tokens.access_token)).status, 200)
    const forged = await theirs.browser.post('/me/sessions', { session: 'all' }, { origin: 'https://evil.example' })
    assert.equal(forged.status, 403)
    assert.equal((await party.userinfo(theirs.tokens.access_token)).status, 200)
  })
})
