/** Stock OpenID Connect clients, which know nothing of us, sign in with each application profile (DESIGN D12). */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { sm3 } from 'jose'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { highApplication, secrets, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, stepOf } from '../support/citizen.ts'
import {
  installNodeClient,
  installPythonClient,
  openNodeClient,
  openPythonClient,
  type Finished,
  type StockClient,
  type StockSettings,
} from '../support/stock-client.ts'
import { describeStock } from '../support/policy.ts'

const day = (ahead: number) => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10)
const secret = randomBytes(32).toString('base64url')

/** What each of these adds to what the applications of the tests say. */
function moreApplications(): readonly ApplicationInput[] {
  const [, second] = testApplications()
  assert.ok(second)
  const more = (id: string, redirectUri: string) => ({
    ...second,
    id,
    sector: `${id}.example.gov.cn`,
    redirectUris: [redirectUri],
    postLogoutRedirectUris: [],
    credential: { secretSm3: sm3(secret).toString('hex') },
  })
  return [
    { ...more('rsa', 'http://localhost:4004/callback'), algorithm: 'RS256' },
    { ...more('app', 'http://127.0.0.1/callback'), profile: 'public', credential: { none: true } },
    { ...more('old', 'http://localhost:4005/callback'), profile: 'legacy', legacyUntil: day(30) },
  ]
}

describeStock('a stock client', () => {
  let server: TestServer
  let high: Awaited<ReturnType<typeof highApplication>>
  let client: StockClient | undefined

  before(async function () {
    this.timeout(180_000)
    installNodeClient()
    high = await highApplication()
    server = await startServer({ applications: [...testApplications(), ...moreApplications(), high.application] })
  })
  after(() => server.close())
  // Past the pause between two texts; no more, since the engine dates its tokens by the machine's own clock.
  beforeEach(() => server.clock.advance(120_000))
  afterEach(() => client?.close())

  const settings = (given: Partial<StockSettings> & Pick<StockSettings, 'clientId'>): StockSettings => ({
    issuer: server.url,
    authentication: 'basic',
    secret,
    algorithm: 'ES256',
    redirectUri: 'http://localhost:4002/callback',
    scope: 'openid',
    pkce: true,
    ...given,
  })

  /** The citizen's part, from the address the client gives to the one it gets back. */
  const signIn = async (stock: StockClient): Promise<Finished> => {
    const { url } = await stock.start()
    const browser = openBrowser(server.url)
    const person = await personOf('yan')
    let page = await browser.get(url)
    page = await provePhone(server, browser, page, person.phone)
    if (stepOf(page) === 'document') page = await giveDocument(browser, page, person)
    if (page.location === undefined)
      page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree', id_number: 'on' })
    assert.ok(page.location, `the sign-in ended at ${page.status} ${page.url}`)
    const finished = await stock.finish(page.location)
    assert.equal(finished.claims['iss'], server.url)
    assert.equal(finished.claims['acr'], 'urn:yihao:loa:2')
    assert.equal(finished.userinfo['sub'], finished.claims['sub'])
    return finished
  }

  const refreshes = async (stock: StockClient, { claims }: Finished): Promise<void> => {
    const { changed, sub } = await stock.refresh()
    assert.deepEqual([changed, sub], [true, claims['sub']])
  }

  it('is one: its jose is the upstream package and not ours', () => {
    const read = (path: string) =>
      readFileSync(resolve(import.meta.dirname, '../stock-client/node_modules', path), 'utf8')
    assert.equal((JSON.parse(read('openid-client/package.json')) as { version: string }).version, '6.9.0')
    assert.match((JSON.parse(read('jose/package.json')) as { version: string }).version, /^6\./)
    assert.ok(!existsSync(resolve(import.meta.dirname, '../stock-client/node_modules/jose/sm2.ts')))
  })

  for (const [algorithm, clientId] of [
    ['ES256', 'second'],
    ['RS256', 'rsa'],
  ] as const) {
    it(`signs in by the profile standard with ${algorithm}`, async () => {
      const own = clientId === 'second' ? { secret: secrets.second } : { redirectUri: 'http://localhost:4004/callback' }
      client = await openNodeClient(settings({ clientId, algorithm, ...own }))
      const finished = await signIn(client)
      assert.equal(finished.algorithm, algorithm)
      await refreshes(client, finished)
    })
  }

  it('signs in by the profile high, with a pushed request, its own key and DPoP', async () => {
    client = await openNodeClient(
      settings({
        clientId: 'high',
        authentication: 'key',
        privateJwk: high.privateJwk,
        redirectUri: 'http://localhost:4003/callback',
        scope: 'openid profile id_number',
        par: true,
        dpop: true,
      }),
    )
    const finished = await signIn(client)
    assert.equal(finished.type, 'dpop')
    assert.equal(finished.userinfo['id_number'], (await personOf('yan')).number)
    await refreshes(client, finished)
  })

  it('signs in by the profile public, from a loopback port of its own choice and without a secret', async () => {
    client = await openNodeClient(
      settings({ clientId: 'app', authentication: 'none', redirectUri: 'http://127.0.0.1:51004/callback' }),
    )
    await refreshes(client, await signIn(client))
  })

  it('signs in by the profile legacy, with a nonce in place of PKCE and its secret in the body', async () => {
    client = await openNodeClient(
      settings({
        clientId: 'old',
        authentication: 'post',
        redirectUri: 'http://localhost:4005/callback',
        pkce: false,
        nonce: true,
      }),
    )
    const finished = await signIn(client)
    assert.ok(finished.claims['nonce'])
    await refreshes(client, finished)
  })

  it('is refused by the server when its secret is wrong, and refuses a callback of another issuer', async () => {
    client = await openNodeClient(settings({ clientId: 'second', secret: 'x'.repeat(43) }))
    await assert.rejects(signIn(client), /WWW-Authenticate/)
    const { url } = await client.start()
    const state = new URL(url).searchParams.get('state') ?? ''
    const foreign = new URLSearchParams({ code: 'x', state, iss: 'https://evil.example' })
    await assert.rejects(client.finish(`http://localhost:4002/callback?${foreign}`), /iss/)
  })

  describe('in Python', () => {
    before(function () {
      this.timeout(180_000)
      const missing = installPythonClient()
      if (missing === undefined) return
      if (process.env['CI'] === 'true') throw new Error(missing)
      console.log(`      skipped: ${missing}`)
      this.skip()
    })

    it('signs in with Authlib: discovery, PKCE, a verified ID token and signed userinfo', async () => {
      const redirectUri = 'http://localhost:4004/callback'
      client = await openPythonClient(settings({ clientId: 'rsa', algorithm: 'RS256', redirectUri }))
      const finished = await signIn(client)
      assert.equal(finished.algorithm, 'RS256')
      assert.ok(finished.claims['nonce'])
      await refreshes(client, finished)
    })

    it('signs in with Authlib and ES256', async () => {
      client = await openPythonClient(settings({ clientId: 'second', secret: secrets.second }))
      assert.equal((await signIn(client)).algorithm, 'ES256')
    })
  })
})
