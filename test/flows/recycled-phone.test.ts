/**
 * A number that was given up and given out again: the old owner's account does not open to the new holder. Nor does an
 * account stay open to whoever once claimed it by a phone of his own.
 */
import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { populationFile } from '#src/demo/cast.ts'
import { createFileRegister, type FileRegister } from '#src/demo/population-register.ts'
import { startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn, stepOf, type Person } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const day = 86_400_000

describe('a recycled phone number', () => {
  const newDirectory = temporaryDirectories()
  let server: TestServer
  let register: FileRegister
  let first: RelyingParty
  let second: RelyingParty
  let old: Person
  let young: Person
  let number: string

  type Population = { people: { key: string; phone?: string; formerPhones?: string[] }[] }

  beforeEach(async () => {
    ;[old, young] = [await personOf('old-owner'), await personOf('new-owner')]
    number = young.phone
    // Once upon a time the number was the old owner's.
    const file = join(newDirectory(), 'population.json')
    const today = readFileSync(populationFile, 'utf8')
    const before = JSON.parse(today) as Population
    for (const person of before.people) {
      if (person.key === 'old-owner') Object.assign(person, { phone: number, formerPhones: [] })
      if (person.key === 'new-owner') delete person.phone
    }
    writeFileSync(file, JSON.stringify(before))
    register = createFileRegister(file)
    const applications = testApplications().map((application) =>
      // The second application asks for no real name, and is granted what the first is.
      application.id === 'second'
        ? { ...application, level: 1 as const, grants: testApplications()[0]?.grants ?? [] }
        : application,
    )
    server = await startServer({ applications, overrides: { register } })
    first = relyingParty(server.url, 'first')
    second = relyingParty(server.url, 'second')
    await signedIn(server, first, { ...old, phone: number })
    recycle = () => writeFileSync(file, today)
  })
  afterEach(() => server.close())
  let recycle: () => void

  const comes = async (party = first, parameters = {}) => {
    const browser = openBrowser(server.url)
    const request = party.request(parameters)
    const page = await browser.get(request.path)
    return { browser, request, page: await provePhone(server, browser, page, number) }
  }
  const agree = async (browser: Browser, page: Page): Promise<string> =>
    page.location ?? (await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' })).location ?? ''
  const events = async () =>
    (await server.app.storage.audit.read('node-1', 0, 10_000)).map(
      ({ body }) => JSON.parse(body) as { type: string; outcome: string; reason?: string },
    )

  it('still signs its owner in, without a question, while the register says it is his', async () => {
    for (const days of [29, 2, 31]) {
      server.clock.advance(days * day)
      const { browser, page, request } = await comes()
      const { id_token: token } = await first.tokens(await agree(browser, page), request)
      assert.equal(decodeJwt(token)['acr'], 'urn:yihao:loa:2')
    }
    const confirmed = (await events()).filter(({ type, outcome }) => type === 'register.checked' && outcome === 'ok')
    assert.equal(confirmed.length, 3, 'at registration, on day 31, and 31 days after that')
  })

  it('makes its new holder a newcomer, who opens an account of her own', async () => {
    server.clock.advance(31 * day)
    recycle()
    const { browser, page, request } = await comes()
    assert.equal(stepOf(page), 'document')
    assert.doesNotMatch(page.text, /role="alert"|还没有核实/)
    assert.ok((await events()).some(({ type }) => type === 'phone.ended'))

    const location = await agree(browser, await giveDocument(browser, page, young))
    const { access_token: token } = await first.tokens(location, request)
    const claims = await first.claims(token)
    assert.equal(claims['name'], young.name)
    assert.equal(claims['phone_number'], number)
    server.clock.advance(61_000)
    assert.notEqual(stepOf((await comes()).page), 'who', 'she is the only one at this phone')

    const own = await signedIn(server, first, old)
    const his = await first.claims(own.tokens.access_token)
    assert.equal(his['name'], old.name, 'the old owner has his account by his new phone')
    assert.equal(his['phone_number'], old.phone)
  })

  it('opens nothing above L1 while the register is down, says so, and loses nothing', async () => {
    server.clock.advance(31 * day)
    recycle()
    register.setDown(true)
    const { browser, page } = await comes()
    assert.equal(stepOf(page), 'document')
    assert.match(page.text, /人口库暂时连不上，您填的没有错/)
    const again = await giveDocument(browser, page, { ...old, phone: number })
    assert.equal(stepOf(again), 'number')
    assert.match(again.text, /人口库暂时连不上/)

    register.setDown(false)
    const refused = await browser.post(`${attemptOf(again)}/number`, { number: old.number })
    assert.equal(stepOf(refused), 'number', 'back again, the register does not take the phone for his')
    assert.equal(stepOf(await giveDocument(browser, again, young)), '', 'but for hers')
  })

  it('lets the rightful owner in again as soon as the register is back', async () => {
    server.clock.advance(31 * day)
    register.setDown(true)
    const { browser, page, request } = await comes()
    assert.equal(stepOf(page), 'document')
    register.setDown(false)
    const location = await agree(browser, await giveDocument(browser, page, { ...old, phone: number }))
    assert.equal(decodeJwt((await first.tokens(location, request)).id_token)['acr'], 'urn:yihao:loa:2')
  })

  it('tells an L1 application nothing of the owner while the phone is not confirmed', async () => {
    const scope = 'openid profile phone'
    const before = await comesAtL1(scope)
    assert.equal(before.acr, 'urn:yihao:loa:2')
    assert.equal(before.claims['name'], old.name)
    server.clock.advance(31 * day)
    register.setDown(true)
    const during = await comesAtL1(scope)
    assert.equal(during.acr, 'urn:yihao:loa:1')
    assert.equal(during.claims['name'], undefined)
    assert.equal(during.claims['phone_number'], undefined)
    const me = await during.browser.get('/me')
    assert.equal(stepOf(me), 'phone', 'my account asks for the level of the account')
    assert.ok(!me.text.includes('孙') && !me.text.includes('*立'))
  })

  it('tells the claimant of an account nothing of its owner, once he has proven himself', async () => {
    const person = await personOf('yan')
    const scope = 'openid profile phone'
    const claimants = '+8619855570001'
    const browser = openBrowser(server.url)
    const claim = second.request({ scope })
    const document = await provePhone(server, browser, await browser.get(claim.path), claimants)
    const claimed = await second.tokens(await agree(browser, await giveDocument(browser, document, person)), claim)
    assert.equal((await second.claims(claimed.access_token))['phone_number'], claimants, 'his own, as yet')

    assert.equal(new URL((await browser.get('/me')).url).pathname, '/me')

    await signedIn(server, first, person)
    assert.equal((await second.userinfo(claimed.access_token)).status, 401)
    assert.equal(stepOf(await browser.get('/me')), 'phone', 'he is signed out everywhere')
    assert.equal(stepOf(await browser.get(second.request().path)), 'phone')
    server.clock.advance(61_000)
    const stranger = openBrowser(server.url)
    const page = await provePhone(server, stranger, await stranger.get(second.request().path), claimants)
    assert.equal(stepOf(page), 'document', 'and his phone opens nothing')
  })

  async function comesAtL1(scope: string) {
    server.clock.advance(61_000)
    const { browser, page, request } = await comes(second, { scope })
    const tokens = await second.tokens(await agree(browser, page), request)
    return { browser, acr: decodeJwt(tokens.id_token)['acr'], claims: await second.claims(tokens.access_token) }
  }
})
