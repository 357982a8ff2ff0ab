/** The profiles `public` and `legacy`: what they may do without, and what they may not. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { decodeJwt, sm3 } from 'jose'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { challengeOf, manyTexts, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone } from '../support/citizen.ts'

const secret = randomBytes(32).toString('base64url')
const day = (ahead: number) => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10)

const common = { owner: { zh: '甲局', en: 'Bureau A' }, level: 2, algorithm: 'SGD_SM3_SM2', demo: true } as const
const applications: readonly ApplicationInput[] = [
  {
    ...common,
    id: 'app',
    name: { zh: '手机应用', en: 'Phone app' },
    profile: 'public',
    sector: 'app.example.gov.cn',
    redirectUris: ['cn.gov.example.app:/callback', 'http://127.0.0.1/callback'],
    credential: { none: true },
  },
  {
    ...common,
    id: 'old',
    name: { zh: '旧系统', en: 'Old system' },
    profile: 'legacy',
    legacyUntil: day(30),
    userinfo: 'json',
    sector: 'old.example.gov.cn',
    redirectUris: ['http://localhost:4004/callback'],
    credential: { secretSm3: sm3(secret).toString('hex') },
    grants: [
      {
        claim: 'age_over_18',
        basis: 'consent',
        purpose: { zh: '确认年龄', en: 'To check your age' },
        retention: { zh: '不保存', en: 'Not kept' },
        approver: '示例市数据局',
        review: day(90),
      },
      {
        claim: 'id_number_masked',
        basis: 'consent',
        purpose: { zh: '核对', en: 'To match' },
        retention: { zh: '不保存', en: 'Not kept' },
        approver: '示例市数据局',
        review: day(90),
      },
      {
        claim: 'real_name',
        basis: 'consent',
        purpose: { zh: '核对', en: 'To match' },
        retention: { zh: '不保存', en: 'Not kept' },
        approver: '示例市数据局',
        review: day(90),
      },
    ],
  },
]

describe('the profiles public and legacy', () => {
  let server: TestServer
  before(async () => {
    server = await startServer({ settings: manyTexts, applications: [...testApplications(), ...applications] })
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(61_000))

  const signIn = async (parameters: Record<string, string>, key = 'yan') => {
    const browser = openBrowser(server.url)
    const person = await personOf(key)
    let page = await browser.get(
      `/auth?${new URLSearchParams({ response_type: 'code', scope: 'openid', ...parameters })}`,
    )
    if (page.location !== undefined || page.status !== 200) return page
    page = await provePhone(server, browser, page, person.phone)
    if (page.url.endsWith('/document')) page = await giveDocument(browser, page, person)
    if (page.location === undefined) page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
    return page
  }

  const token = (parameters: Record<string, string>) =>
    fetch(`${server.url}/token`, { method: 'POST', body: new URLSearchParams(parameters) })
  const codeIn = (location = '') => /[?&]code=([^&]+)/.exec(location)?.[1] ?? ''

  const verifier = 'v'.repeat(43)
  const pkce = { code_challenge: challengeOf(verifier), code_challenge_method: 'S256' }

  it('brings a phone app back by its own scheme and by the loopback at any port, without a secret', async () => {
    for (const address of ['cn.gov.example.app:/callback', 'http://127.0.0.1:53211/callback']) {
      server.clock.advance(120_000)
      const page = await signIn({ client_id: 'app', redirect_uri: address, ...pkce })
      assert.ok(page.location?.startsWith(address), `${address}: ${page.status} ${page.url}`)
      const answer = await token({
        grant_type: 'authorization_code',
        client_id: 'app',
        code: codeIn(page.location),
        redirect_uri: address,
        code_verifier: verifier,
      })
      assert.equal(answer.status, 200)
    }
  })

  it('rotates the refresh token of a phone app, and its reuse kills the family', async () => {
    const redirectUri = 'cn.gov.example.app:/callback'
    const page = await signIn({ client_id: 'app', redirect_uri: redirectUri, ...pkce })
    const parameters = { grant_type: 'authorization_code', client_id: 'app', code_verifier: verifier }
    const first = (await (
      await token({ ...parameters, code: codeIn(page.location), redirect_uri: redirectUri })
    ).json()) as Record<string, string>
    const refresh = (value: string | undefined) =>
      token({ grant_type: 'refresh_token', client_id: 'app', refresh_token: value ?? '' })
    const second = (await (await refresh(first['refresh_token'])).json()) as Record<string, string>
    assert.notEqual(second['refresh_token'], first['refresh_token'])
    assert.equal((await refresh(first['refresh_token'])).status, 400)
    assert.equal((await refresh(second['refresh_token'])).status, 400)
  })

  it('demands PKCE of a phone app, and knows no loopback that is only named like one', async () => {
    const page = await signIn({ client_id: 'app', redirect_uri: 'cn.gov.example.app:/callback', nonce: 'n' })
    assert.match(page.location ?? '', /error=invalid_request/)
    for (const address of [
      'http://127.0.0.1.evil.example/callback',
      'http://localhost/callback',
      'cn.gov.example.app:/callback2',
    ]) {
      const refused = await signIn({ client_id: 'app', redirect_uri: address, ...pkce })
      assert.equal(refused.location, undefined, address)
    }
  })

  it('lets an old system in with a nonce in place of PKCE, and tells it the lesser claims as JSON', async () => {
    const redirectUri = 'http://localhost:4004/callback'
    const scope = 'openid age_over_18 id_number_masked real_name'
    for (const [key, adult, masked] of [
      ['yan', true, /^6\*+0$/],
      ['teenager', false, /^6\*+6$/],
    ] as const) {
      const page = await signIn({ client_id: 'old', redirect_uri: redirectUri, nonce: 'n1', scope }, key)
      const answer = await token({
        grant_type: 'authorization_code',
        client_id: 'old',
        client_secret: secret,
        code: codeIn(page.location),
        redirect_uri: redirectUri,
      })
      const tokens = (await answer.json()) as Record<string, string>
      assert.equal(decodeJwt(tokens['id_token'] ?? '')['nonce'], 'n1')
      const userinfo = await fetch(`${server.url}/userinfo`, {
        headers: { authorization: `Bearer ${tokens['access_token']}` },
      })
      assert.match(userinfo.headers.get('content-type') ?? '', /json/)
      const claims = (await userinfo.json()) as Record<string, unknown>
      assert.deepEqual(Object.keys(claims).sort(), ['age_over_18', 'id_number_masked', 'real_name', 'sub'])
      assert.deepEqual([claims['age_over_18'], claims['real_name']], [adult, true])
      assert.match(String(claims['id_number_masked']), masked)
    }
  })

  it('refuses an old system that sends neither, and one whose time is up', async () => {
    const redirectUri = 'http://localhost:4004/callback'
    const page = await signIn({ client_id: 'old', redirect_uri: redirectUri })
    assert.match(page.location ?? '', /error=invalid_request/)
    server.clock.advance(40 * 86_400_000)
    const late = await signIn({ client_id: 'old', redirect_uri: redirectUri, nonce: 'n' })
    assert.equal(late.status, 400)
    assert.equal(late.location, undefined)
    server.clock.advance(-40 * 86_400_000)
  })
})
