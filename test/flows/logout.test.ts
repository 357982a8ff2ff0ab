import { strict as assert } from 'node:assert'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { jwtVerify, createRemoteJWKSet, type JWTPayload } from 'jose'
import { startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { personOf, signedIn, signIn } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

/** The logout endpoints of both applications, which can be made to fail. */
interface Receiver {
  readonly port: number
  readonly received: { readonly path: string; readonly token: string }[]
  status: number
  close(): void
}

async function receiver(): Promise<Receiver> {
  const received: Receiver['received'] = []
  const state = { status: 200 }
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      if (state.status === 200) {
        received.push({ path: request.url ?? '', token: new URLSearchParams(body).get('logout_token') ?? '' })
      }
      response.writeHead(state.status).end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return Object.assign(state, { received, port: (server.address() as AddressInfo).port, close: () => server.close() })
}

describe('signing out', () => {
  let server: TestServer
  let receiving: Receiver
  let first: RelyingParty
  let second: RelyingParty

  before(async () => {
    receiving = await receiver()
    const applications = testApplications().map((application) => ({
      ...application,
      backchannelLogoutUri: `http://localhost:${receiving.port}/${application.id}`,
    }))
    const settings = (config: Record<string, unknown>) => {
      config['outbox'] = { internalHosts: [`localhost:${receiving.port}`], timeout: 2, giveUpAfter: 3600 }
    }
    server = await startServer({ applications, settings })
    first = relyingParty(server.url, 'first')
    second = relyingParty(server.url, 'second')
  })
  after(async () => {
    await server.close()
    receiving.close()
  })
  beforeEach(() => {
    server.clock.advance(3_600_000)
    receiving.received.length = 0
    receiving.status = 200
  })

  const both = async () => {
    const { browser, tokens } = await signedIn(server, first, await personOf('yan'))
    const { location, request } = await signIn(server, browser, second, await personOf('yan'))
    return { browser, tokens, more: await second.tokens(location, request) }
  }

  const confirm = async (browser: Browser, path: string) => {
    const page = await browser.get(path)
    const xsrf = /name="xsrf" value="([0-9a-f]+)"/.exec(page.text)?.[1]
    assert.ok(xsrf, `no form to confirm at ${page.status}`)
    return { page, answer: await browser.post('/session/end/confirm', { xsrf, logout: 'yes' }) }
  }

  const endPath = (idToken: string) =>
    `/session/end?${new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: 'http://localhost:4001/signed-out', state: 's' })}`

  it('ends the session, tells both applications, and sends the citizen back', async () => {
    const { browser, tokens, more } = await both()
    const { page, answer } = await confirm(browser, endPath(tokens.id_token))
    assert.match(page.text, /第一个应用/)
    assert.equal(answer.location, 'http://localhost:4001/signed-out?state=s')
    await server.app.outbox.drain()
    assert.deepEqual(receiving.received.map(({ path }) => path).sort(), ['/first', '/second'])
    for (const [party, token] of [[first, tokens] as const, [second, more] as const]) {
      assert.equal((await party.userinfo(token.access_token)).status, 401)
      assert.equal((await party.refresh(token.refresh_token)).status, 400)
    }
    const again = await browser.get(first.request().path)
    assert.match(again.url, /\/phone$/, 'the session still lives')
  })

  it('sends logout tokens as the specification says, signed with the algorithm of each application', async () => {
    const { browser, tokens } = await both()
    const { sid, sub } = await first.verify(tokens.id_token)
    await confirm(browser, endPath(tokens.id_token))
    await server.app.outbox.drain()
    const token = receiving.received.find(({ path }) => path === '/first')?.token ?? ''
    const keys = createRemoteJWKSet(new URL(`${server.url}/jwks/sm`))
    const options = { issuer: server.url, audience: 'first', typ: 'logout+jwt', algorithms: ['SGD_SM3_SM2'] }
    const payload: JWTPayload = (await jwtVerify(token, keys, options)).payload
    assert.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} })
    assert.equal(payload['sid'], sid)
    assert.equal(payload.sub, sub)
    assert.equal(typeof payload.jti, 'string')
    assert.equal(payload['nonce'], undefined)
    assert.ok((payload.exp ?? 0) - (payload.iat ?? 0) <= 120)
  })

  it('keeps a notice that was not taken, sends it again after a restart, under the same jti', async () => {
    const { browser, tokens } = await both()
    receiving.status = 503
    await confirm(browser, endPath(tokens.id_token))
    await server.app.outbox.drain()
    assert.equal(receiving.received.length, 0)
    assert.equal((await server.app.storage.deliveries.counts()).waiting, 2)
    server = await server.restart()
    receiving.status = 200
    server.clock.advance(60_000)
    await server.app.outbox.drain()
    assert.deepEqual(receiving.received.map(({ path }) => path).sort(), ['/first', '/second'])
    assert.equal((await server.app.storage.deliveries.counts()).waiting, 0)
  })

  it('asks before it ends anything: a link alone does not sign anybody out', async () => {
    const { browser, tokens } = await both()
    await browser.get(endPath(tokens.id_token))
    await browser.get('/session/end')
    assert.equal((await first.userinfo(tokens.access_token)).status, 200)
    const forged = await browser.post('/session/end/confirm', { xsrf: '0'.repeat(48), logout: 'yes' })
    assert.equal(forged.status, 400)
    const foreign = await browser.post('/session/end/confirm', { logout: 'yes' }, { origin: 'https://evil.example' })
    assert.equal(foreign.status, 403)
    assert.equal((await first.userinfo(tokens.access_token)).status, 200)
  })

  it('sends nobody to an address after signing out that is not registered', async () => {
    const { browser, tokens } = await both()
    for (const address of ['http://localhost:4001/signed-out2', 'https://evil.example/', 'javascript:alert(1)']) {
      const query = new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: address })
      const page = await browser.get(`/session/end?${query}`)
      assert.equal(page.status, 400, address)
    }
  })

  it('says in its own words that there was nothing to end', async () => {
    const page = await openBrowser(server.url).get('/session/end')
    assert.equal(page.status, 200)
    assert.match(page.text, /您没有登录/)
    assert.doesNotMatch(page.text, /Submitting Callback/)
  })

  it('asks before it replaces one citizen by another in the same browser', async () => {
    const browser = openBrowser(server.url)
    await signIn(server, browser, first, await personOf('yan'))
    const request = second.request({ prompt: 'login' })
    const other = await personOf('elder')
    let page = await browser.get(request.path)
    const attempt = new URL(page.url).pathname.replace(/\/phone$/, '')
    await browser.post(`${attempt}/phone`, { phone: other.phone })
    const { codeFor } = await import('../support/citizen.ts')
    await browser.post(`${attempt}/code`, { code: codeFor(server, other.phone) })
    await browser.post(`${attempt}/document`, { kind: other.kind })
    await browser.post(`${attempt}/name`, { name: other.name })
    page = await browser.post(`${attempt}/number`, { number: other.number })
    assert.match(page.text, /name="logout" value="yes"/)
    assert.doesNotMatch(page.text, /全部退出/)
    const xsrf = /name="xsrf" value="([\w-]+)"/.exec(page.text)?.[1] ?? ''
    const done = await browser.post('/session/end/confirm', { xsrf, logout: 'yes' })
    assert.match(done.location ?? done.url, /code=/)
    await server.app.outbox.drain()
    assert.ok(receiving.received.some(({ path }) => path === '/first'))
  })
})
