import { strict as assert } from 'node:assert'
import { manyTexts, startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { personOf, signedIn, signIn } from '../support/citizen.ts'
import { relyingParty, type RelyingParty, type Tokens } from '../support/relying-party.ts'

const error = async (answer: Response): Promise<string> => ((await answer.json()) as { error: string }).error

describe('authorization codes and refresh tokens', () => {
  let server: TestServer
  let party: RelyingParty
  let other: RelyingParty
  before(async () => {
    server = await startServer({ settings: manyTexts })
    party = relyingParty(server.url, 'first')
    other = relyingParty(server.url, 'second')
  })
  after(() => server.close())
  // One code text a minute and phone; the tests share one citizen.
  beforeEach(() => server.clock.advance(61_000))

  const ready = async () => signIn(server, openBrowser(server.url), party, await personOf('yan'))

  it('redeems a code once among 16 parallel requests, and the reuse revokes the grant', async () => {
    const { location, request } = await ready()
    const answers = await Promise.all(Array.from({ length: 16 }, () => party.redeem(location, request)))
    const won = answers.filter(({ status }) => status === 200)
    assert.equal(won.length, 1)
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      assert.equal(answer.status, 400)
      assert.equal(await error(answer), 'invalid_grant')
    }
    const tokens = (await won[0]?.json()) as Tokens
    assert.equal((await party.userinfo(tokens.access_token)).status, 401)
    assert.equal(await error(await party.refresh(tokens.refresh_token)), 'invalid_grant')
  })

  it('lets one browser sign in to two applications at once, again and again, and each keeps its tokens', async () => {
    const person = await personOf('yan')
    const browser = openBrowser(server.url)
    await signIn(server, browser, party, person)
    const visits = Array.from({ length: 8 }, async (_, turn) => {
      const here = turn % 2 ? party : other
      const { location, request } = await signIn(server, browser, here, person)
      return { here, tokens: await here.tokens(location, request) }
    })
    for (const { here, tokens } of await Promise.all(visits)) {
      assert.equal((await here.userinfo(tokens.access_token)).status, 200)
      assert.equal((await here.refresh(tokens.refresh_token)).status, 200)
    }
  })

  it('revokes what was issued when a code comes a second time, later', async () => {
    const { location, request } = await ready()
    const tokens = await party.tokens(location, request)
    assert.equal((await party.userinfo(tokens.access_token)).status, 200)
    assert.equal(await error(await party.redeem(location, request)), 'invalid_grant')
    assert.equal((await party.userinfo(tokens.access_token)).status, 401)
  })

  it('refuses a code after 60 seconds', async () => {
    const { location, request } = await ready()
    server.clock.advance(61_000)
    assert.equal(await error(await party.redeem(location, request)), 'invalid_grant')
  })

  it('refuses a code with a wrong verifier, at another application, or for another redirect URI', async () => {
    const { location, request } = await ready()
    assert.equal(await error(await party.redeem(location, { ...request, verifier: 'a'.repeat(43) })), 'invalid_grant')
    assert.equal(await error(await other.redeem(location, request)), 'invalid_grant')
    const code = new URL(location).searchParams.get('code') ?? ''
    const answer = await party.token({
      grant_type: 'authorization_code',
      code,
      redirect_uri: 'http://localhost:4001/callback2',
      code_verifier: request.verifier,
    })
    assert.equal(await error(answer), 'invalid_grant')
  })

  it('refuses an application with a wrong secret, and one that shows the stored hash', async () => {
    const { location, request } = await ready()
    const code = new URL(location).searchParams.get('code') ?? ''
    const parameters = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: 'http://localhost:4001/callback',
      code_verifier: request.verifier,
    }
    const row = await server.app.storage.applications.get('first')
    const { credential } = JSON.parse(row?.body ?? '') as { credential: { secretSm3: string } }
    for (const secret of ['wrong', credential.secretSm3]) {
      const answer = await party.token(parameters, `Basic ${btoa(`first:${secret}`)}`)
      assert.equal(answer.status, 401)
      assert.equal(await error(answer), 'invalid_client')
    }
  })

  it('rotates a refresh token at each use', async () => {
    const { tokens } = await signedIn(server, party, await personOf('yan'))
    const next = (await (await party.refresh(tokens.refresh_token)).json()) as Tokens
    assert.notEqual(next.refresh_token, tokens.refresh_token)
    assert.equal((await party.userinfo(next.access_token)).status, 200)
    const { sub, auth_time: authTime } = await party.verify(next.id_token)
    const before = await party.verify(tokens.id_token)
    assert.deepEqual([sub, authTime], [before.sub, before['auth_time']])
  })

  it('kills the whole family when a rotated refresh token comes back', async () => {
    const { tokens } = await signedIn(server, party, await personOf('yan'))
    const next = (await (await party.refresh(tokens.refresh_token)).json()) as Tokens
    assert.equal(await error(await party.refresh(tokens.refresh_token)), 'invalid_grant')
    assert.equal(await error(await party.refresh(next.refresh_token)), 'invalid_grant')
    assert.equal((await party.userinfo(next.access_token)).status, 401)
  })

  it('rotates a refresh token once among 16 parallel requests', async () => {
    const { tokens } = await signedIn(server, party, await personOf('yan'))
    const answers = await Promise.all(Array.from({ length: 16 }, () => party.refresh(tokens.refresh_token)))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  })

  it('ends a chain of refreshes at its absolute limit, and an unused token at its idle limit', async () => {
    const { tokens } = await signedIn(server, party, await personOf('yan'))
    const { refreshTokenIdle } = server.config.tokens
    server.clock.advance((refreshTokenIdle + 1) * 1000)
    assert.equal(await error(await party.refresh(tokens.refresh_token)), 'invalid_grant')
  })

  it('gives no wider scope at a refresh than was granted', async () => {
    const { location, request } = await signIn(server, openBrowser(server.url), party, await personOf('yan'), {
      scope: 'openid profile',
    })
    const tokens = await party.tokens(location, request)
    const answer = await party.refresh(tokens.refresh_token, { scope: 'openid profile phone' })
    assert.equal(await error(answer), 'invalid_scope')
  })

  it('keeps every token unreadable in the store', async () => {
    const { tokens, location } = await signedIn(server, party, await personOf('yan'))
    const { readFileSync, readdirSync } = await import('node:fs')
    const stored = readdirSync(server.directory)
      .filter((name) => name.startsWith('yihao.db'))
      .map((name) => readFileSync(`${server.directory}/${name}`).toString('latin1'))
      .join('')
    assert.ok(stored.length > 10_000)
    const code = new URL(location).searchParams.get('code') ?? ''
    for (const token of [code, tokens.access_token, tokens.refresh_token]) {
      assert.ok(token.length > 20)
      assert.ok(!stored.includes(token), 'a token stands in the store')
    }
  })
})
