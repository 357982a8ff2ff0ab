/** Introspection and revocation (RFC 7662, RFC 7009), asked as an application asks. */
import { strict as assert } from 'node:assert'
import request from 'supertest'
import { secrets, manyTexts, startServer, type TestServer } from '../support/app.ts'
import { personOf, signedIn } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('introspection and revocation', () => {
  let server: TestServer
  let first: RelyingParty
  before(async () => {
    server = await startServer({ settings: manyTexts })
    first = relyingParty(server.url, 'first')
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(61_000))

  const ask = (path: string, id: 'first' | 'second', token: string) =>
    request(server.url).post(path).auth(id, secrets[id]).type('form').send({ token })

  it('says of a living token whose it is, for which scope and how long', async () => {
    const { tokens } = await signedIn(server, first, await personOf('yan'))
    const { body } = await ask('/introspect', 'first', tokens.access_token).expect(200)
    assert.deepEqual([body.active, body.client_id, body.scope], [true, 'first', 'openid profile phone'])
    assert.equal(body.sub, (await first.verify(tokens.id_token)).sub)
    assert.ok(body.exp > Date.now() / 1000)
  })

  it('says nothing of the tokens of another application, nor of what is no token', async () => {
    const { tokens } = await signedIn(server, first, await personOf('xian'))
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      await ask('/introspect', 'second', token).expect(200, { active: false })
    }
    // The engine does not take a JWT for a token of its own.
    await ask('/introspect', 'first', tokens.id_token).expect(400)
    await ask('/introspect', 'first', 'x').expect(200, { active: false })
    await request(server.url).post('/introspect').type('form').send({ token: tokens.access_token }).expect(400)
  })

  it('ends a revoked access token, and with a refresh token everything of its grant', async () => {
    const { tokens } = await signedIn(server, first, await personOf('elder'))
    await ask('/revoke', 'first', tokens.access_token).expect(200)
    await ask('/introspect', 'first', tokens.access_token).expect(200, { active: false })
    assert.equal((await first.userinfo(tokens.access_token)).status, 401)
    await ask('/revoke', 'first', tokens.refresh_token).expect(200)
    assert.equal((await first.refresh(tokens.refresh_token)).status, 400)
  })

  it('revokes nothing for another application', async () => {
    const { tokens } = await signedIn(server, first, await personOf('ayiguli'))
    await ask('/revoke', 'second', tokens.access_token)
    assert.equal((await first.userinfo(tokens.access_token)).status, 200)
  })
})

describe('an address that leads nowhere', () => {
  it('is a page of ours with a number, in both languages, or JSON for a program', async () => {
    const server = await startServer()
    for (const path of ['/nowhere', '/docs', '/static/nope', '/me/x', '/auth/x/y']) {
      const page = await request(server.url).get(path).set('accept', 'text/html').expect(404)
      assert.match(page.text, /没有这个页面[^]*编号/, path)
      const english = await request(server.url).get(path).set('accept', 'text/html').query({ lang: 'en' }).expect(404)
      assert.match(english.text, /There is no such page/)
      const { body } = await request(server.url).get(path).set('accept', 'application/json').expect(404)
      assert.deepEqual([body.error, body.reference.length], ['not_found', 11])
    }
    await server.close()
  })
})
