import { strict as assert } from 'node:assert'
import { decodeProtectedHeader } from 'jose'
import { startServer, type TestServer } from '../support/app.ts'
import { personOf, signedIn, signIn } from '../support/citizen.ts'
import { standardAlg } from '../support/policy.ts'
import { relyingParty } from '../support/relying-party.ts'

describe('the story: one sign-in, two applications', () => {
  let server: TestServer
  before(async () => {
    server = await startServer()
  })
  after(() => server.close())

  it('registers a citizen at the first application and gives it an ID token signed with SM2', async () => {
    const party = relyingParty(server.url, 'first')
    const { tokens, request } = await signedIn(server, party, await personOf('yan'))
    assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'SGD_SM3_SM2')
    const claims = await party.verify(tokens.id_token)
    assert.equal(claims['nonce'], request.nonce)
    assert.equal(claims['acr'], 'urn:yihao:loa:2')
    assert.deepEqual(claims['amr'], ['sms'])
    assert.equal(typeof claims['auth_time'], 'number')
  })

  it('lets the second application in without asking who he is, under another subject and its own algorithm', async () => {
    const first = relyingParty(server.url, 'first')
    const second = relyingParty(server.url, 'second')
    const { browser, tokens } = await signedIn(server, first, await personOf('xian'))
    const request = second.request()
    const page = await browser.get(request.path)
    assert.ok(page.location, 'nothing was asked')
    const more = await second.tokens(page.location, request)
    assert.equal(decodeProtectedHeader(more.id_token).alg, standardAlg)
    const [one, other] = [await first.verify(tokens.id_token), await second.verify(more.id_token)]
    assert.notEqual(one.sub, other.sub)
    assert.equal(one['auth_time'], other['auth_time'])
  })

  it('signs a known citizen in by his phone alone', async () => {
    const party = relyingParty(server.url, 'first')
    const person = await personOf('ayiguli')
    const before = await signedIn(server, party, person)
    server.clock.advance(120_000)
    const again = await signedIn(server, party, { ...person, name: '', number: '' })
    assert.equal((await party.verify(again.tokens.id_token)).sub, (await party.verify(before.tokens.id_token)).sub)
    assert.equal((await party.claims(again.tokens.access_token))['name'], person.name)
  })

  it('asks a new citizen at the second application only what it needs', async () => {
    const second = relyingParty(server.url, 'second')
    const { location } = await signIn(
      server,
      (await import('../support/browser.ts')).openBrowser(server.url),
      second,
      await personOf('elder'),
    )
    assert.ok(new URL(location).searchParams.get('code'))
    assert.equal(new URL(location).searchParams.get('iss'), server.url)
  })
})
