import { strict as assert } from 'node:assert'
import { decodeJwt } from 'jose'
import { parseApplication } from '#src/oidc/application.ts'
import { manyTexts, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn, signIn } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('what an application learns', () => {
  let server: TestServer
  let party: RelyingParty
  before(async () => {
    server = await startServer({ settings: manyTexts })
    party = relyingParty(server.url, 'first')
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(61_000))

  /** The claims an ID token may hold, and no other. */
  const allowed = ['sub', 'iss', 'aud', 'exp', 'iat', 'nonce', 'acr', 'amr', 'auth_time', 'sid']

  const assertMinimal = (idToken: string) => {
    const names = Object.keys(decodeJwt(idToken))
    assert.deepEqual(
      names.filter((name) => !allowed.includes(name)),
      [],
    )
    for (const name of ['sub', 'acr', 'amr', 'auth_time']) assert.ok(names.includes(name), name)
  }

  it('leaves by userinfo only, signed, and never in an ID token', async () => {
    const person = await personOf('yan')
    const { tokens } = await signedIn(server, party, person)
    assertMinimal(tokens.id_token)
    const claims = await party.claims(tokens.access_token)
    assert.equal(claims['name'], person.name)
    assert.equal(claims['phone_number'], person.phone)
    assert.equal(claims['phone_number_verified'], true)
    assert.equal(claims['id_number'], undefined)
    const answer = await party.userinfo(tokens.access_token)
    assert.match(answer.headers.get('content-type') ?? '', /^application\/jwt/)
  })

  it('stays out of the ID token when the claims parameter asks for it there, and at a refresh', async () => {
    const claims = JSON.stringify({
      id_token: { name: { essential: true }, phone_number: null, acr: { essential: true, value: 'urn:yihao:loa:1' } },
      userinfo: { name: null },
    })
    const { location, request } = await signIn(server, openBrowser(server.url), party, await personOf('yan'), {
      claims,
    })
    const tokens = await party.tokens(location, request)
    assertMinimal(tokens.id_token)
    const next = (await (await party.refresh(tokens.refresh_token)).json()) as typeof tokens
    assertMinimal(next.id_token)
  })

  it('stays out of the ID token when a resource is asked for', async () => {
    const { location, request } = await signIn(server, openBrowser(server.url), party, await personOf('yan'), {
      resource: 'https://api.example.gov.cn',
    })
    const error = new URL(location).searchParams.get('error')
    if (error === null) assertMinimal((await party.tokens(location, request)).id_token)
    else assert.equal(error, 'invalid_target')
  })

  it('gives another subject to each sector and the same one to the same sector', async () => {
    const one = await signedIn(server, party, await personOf('yan'))
    server.clock.advance(120_000)
    const two = await signedIn(server, party, await personOf('yan'))
    assert.equal(decodeJwt(one.tokens.id_token).sub, decodeJwt(two.tokens.id_token).sub)
    const person = server.app.directory.byPhone((await personOf('yan')).phone)
    assert.notEqual(decodeJwt(one.tokens.id_token).sub, (await person)[0]?.id)
  })

  it('tells the citizen before it gives, and gives only what he agreed to', async () => {
    const browser = openBrowser(server.url)
    const request = party.request()
    const person = await personOf('elder')
    let page = await provePhone(server, browser, await browser.get(request.path), person.phone)
    page = await giveDocument(browser, page, person)
    assert.match(page.text, /《示例法》第一条/)
    assert.match(page.text, /甲局/)
    assert.match(page.text, /办结即删除/)
    assert.match(page.text, /不同意，继续/)
    page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'refuse' })
    const tokens = await party.tokens(page.location ?? '', request)
    const claims = await party.claims(tokens.access_token)
    assert.equal(claims['name'], person.name)
    assert.equal(claims['phone_number'], undefined)
  })

  it('asks nobody the same thing twice, and asks anew when the purpose changed', async () => {
    const person = await personOf('ayiguli')
    await signedIn(server, party, person)
    server.clock.advance(120_000)
    const browser = openBrowser(server.url)
    const page = await provePhone(server, browser, await browser.get(party.request().path), person.phone)
    assert.ok(page.location, 'he was asked again')

    const changed = testApplications().map((application) => ({
      ...application,
      grants: application.grants?.map((grant) => ({ ...grant, purpose: { zh: '新的用途', en: 'A new purpose' } })),
    }))
    const other = await startServer({ directory: server.directory, applications: changed, clock: server.clock }).catch(
      (error: unknown) => error,
    )
    assert.ok(other instanceof Error, 'two servers on one store')
    await server.app.storage.applications.put((await rowsOf(changed))[0] as never)
    server.clock.advance(120_000)
    const again = openBrowser(server.url)
    const asked = await provePhone(server, again, await again.get(party.request().path), person.phone)
    assert.match(asked.text, /新的用途/)
  })

  /** Rows as another instance with the same keys would write them. */
  async function rowsOf(applications: ReturnType<typeof testApplications>) {
    const { loadKeys } = await import('#src/crypto/key-store.ts')
    const { rows } = await loadKeys(server.config.keys.directory, { production: false })
    const written = applications.map(async (input) => {
      const application = parseApplication(input, { smOnly: false, production: false, now: server.clock.now() })
      const body = JSON.stringify(application)
      const mac = (await rows(`application|${application.id}|${body}`)).toString('base64url')
      return { id: application.id, body, mac, updatedAt: 1 }
    })
    return Promise.all(written)
  }

  it('refuses an application whose row was changed outside', async () => {
    const row = await server.app.storage.applications.get('second')
    assert.ok(row)
    const body = row.body.replace('http://localhost:4002/callback', 'http://evil.example/callback')
    await server.app.storage.applications.put({ ...row, body })
    server.clock.advance(10_000)
    const page = await openBrowser(server.url).get(relyingParty(server.url, 'second').request().path)
    assert.equal(page.status, 400)
    assert.ok(server.logged.some((line) => line.includes('changed outside')))
    await server.app.storage.applications.put(row)
    server.clock.advance(10_000)
  })

  it('gives nothing any more once the grant of the application is past its review', async () => {
    const { tokens } = await signedIn(server, party, await personOf('xian'))
    server.clock.advance(200 * 86_400_000)
    assert.equal((await party.userinfo(tokens.access_token)).status, 401)
    const page = await openBrowser(server.url).get(party.request().path)
    assert.match(page.location ?? '', /error=invalid_scope/)
    server.clock.advance(-200 * 86_400_000)
  })
})
