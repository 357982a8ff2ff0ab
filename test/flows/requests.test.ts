import { strict as assert } from 'node:assert'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { nearMisses } from '../support/near-misses.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('authorization requests', () => {
  let server: TestServer
  let party: RelyingParty
  before(async () => {
    server = await startServer()
    party = relyingParty(server.url, 'first')
  })
  after(() => server.close())

  const ask = (parameters: Record<string, string | undefined>) =>
    openBrowser(server.url).get(party.request(parameters).path)

  /** The error that the application is told, with the issuer beside it (RFC 9207). */
  const told = async (parameters: Record<string, string | undefined>): Promise<string> => {
    const { location = '' } = await ask(parameters)
    assert.ok(location.startsWith('http://localhost:4001/callback?'), 'the application was told nothing')
    const answer = new URL(location).searchParams
    assert.equal(answer.get('iss'), server.url)
    return answer.get('error') ?? ''
  }

  it('sends nobody to an address that only looks like the registered one', async () => {
    const addresses = nearMisses('http://localhost:4001/callback')
    assert.ok(addresses.length >= 200, String(addresses.length))
    assert.ok((await ask({})).url.includes('/login/'), 'the registered one is taken')
    for (const address of addresses) {
      const page = await ask({ redirect_uri: address })
      assert.equal(page.location, undefined, `sent to ${JSON.stringify(address)}`)
      assert.equal(page.status, 400, JSON.stringify(address))
    }
  })

  it('sends nobody who signs out to an address that only looks like the registered one', async () => {
    const end = (address: string) => {
      const query = new URLSearchParams({ client_id: 'first', post_logout_redirect_uri: address })
      return openBrowser(server.url).get(`/session/end?${query}`)
    }
    const registered = 'http://localhost:4001/signed-out'
    assert.equal((await end(registered)).status, 200, 'the registered one is taken')
    const addresses = nearMisses(registered)
    assert.ok(addresses.length >= 200, String(addresses.length))
    for (const address of addresses) {
      const page = await end(address)
      assert.equal(page.location, undefined, `sent to ${JSON.stringify(address)}`)
      assert.equal(page.status, 400, JSON.stringify(address))
    }
  })

  it('shows the citizen a page of ours with a number, in his language and without a trace', async () => {
    const browser = openBrowser(server.url)
    const page = await browser.get(`${party.request({ client_id: 'nobody' }).path}&lang=en`)
    assert.equal(page.status, 400)
    assert.match(page.text, /This sign-in did not work/)
    assert.match(page.text, /[0-9A-Z]{5}-[0-9A-Z]{5}/)
    assert.doesNotMatch(page.text, /at .*\.(js|ts):\d+/)
  })

  it('demands PKCE with S256 of everybody', async () => {
    assert.equal(await told({ code_challenge: undefined, code_challenge_method: undefined }), 'invalid_request')
    assert.equal(await told({ code_challenge_method: 'plain' }), 'invalid_request')
    assert.equal(await told({ code_challenge_method: undefined }), 'invalid_request')
  })

  it('knows no response type but code', async () => {
    for (const type of ['token', 'id_token', 'code id_token', 'code token', 'none']) {
      const page = await ask({ response_type: type })
      assert.doesNotMatch(page.location ?? '', /access_token|id_token=/)
      assert.match(page.location ?? String(page.status), /error=|400/)
    }
  })

  it('refuses a scope and a claim that the application is not granted', async () => {
    assert.equal(await told({ scope: 'openid id_number' }), 'invalid_scope')
    const claims = (name: string) => JSON.stringify({ userinfo: { [name]: null } })
    assert.equal(await told({ claims: claims('id_number') }), 'invalid_request')
    assert.equal(
      await told({ claims: JSON.stringify({ id_token: { id_number: { essential: true } } }) }),
      'invalid_request',
    )
  })

  it('says login_required where it may not ask', async () => {
    assert.equal(await told({ prompt: 'none' }), 'login_required')
  })

  it('answers malformed parameters with a 4xx or an error to the application, never a 5xx', async () => {
    const odd = [
      '',
      ' ',
      '\u0000',
      '%',
      '{',
      '[]',
      '{"a":',
      'null',
      '1e999',
      'x'.repeat(5000),
      '\ud800',
      '<script>',
      "' OR 1=1--",
    ]
    const names = Object.keys(Object.fromEntries(new URL(party.request().path, server.url).searchParams))
    const all = [
      ...names,
      'prompt',
      'max_age',
      'claims',
      'acr_values',
      'ui_locales',
      'login_hint',
      'id_token_hint',
      'request',
      'request_uri',
      'resource',
      'response_mode',
      'display',
      'dpop_jkt',
    ]
    for (const name of all) {
      for (const value of odd) {
        const answer = await openBrowser(server.url).once(party.request({ [name]: value }).path)
        assert.ok(answer.status < 500, `${name}=${JSON.stringify(value.slice(0, 20))} answered ${answer.status}`)
        assert.doesNotMatch(await answer.text(), /node_modules|\.(js|ts):\d+/)
      }
    }
  })

  it('answers malformed token requests with a 4xx, never a 5xx', async () => {
    const odd = ['', '\u0000', '{', 'x'.repeat(5000), '\ud800', '..', '<script>']
    for (const name of ['grant_type', 'code', 'redirect_uri', 'code_verifier', 'refresh_token', 'scope', 'client_id']) {
      for (const value of odd) {
        const parameters = {
          grant_type: name === 'refresh_token' ? 'refresh_token' : 'authorization_code',
          [name]: value,
        }
        const answer = await party.token(parameters)
        assert.ok(answer.status >= 400 && answer.status < 500, `${name} answered ${answer.status}`)
      }
    }
    for (const header of ['', 'Basic', 'Basic !', 'Basic Og==', `Basic ${'x'.repeat(5000)}`, 'Bearer x', 'Digest x']) {
      const answer = await party.token({ grant_type: 'authorization_code', code: 'x' }, header)
      assert.ok(answer.status >= 400 && answer.status < 500, `${header.slice(0, 10)} answered ${answer.status}`)
    }
  })

  it('refuses the grants it does not know', async () => {
    for (const grant of ['password', 'client_credentials', 'implicit', 'urn:ietf:params:oauth:grant-type:jwt-bearer']) {
      const answer = await party.token({ grant_type: grant, username: 'x', password: 'x' })
      assert.equal(answer.status, 400)
    }
  })

  it('opens no page to a foreign script: no CORS at any endpoint', async () => {
    for (const path of ['/auth', '/token', '/userinfo', '/introspect', '/session/end', '/']) {
      const answer = await fetch(`${server.url}${path}`, { headers: { origin: 'https://evil.example' } })
      assert.notEqual(answer.headers.get('access-control-allow-origin'), '*', path)
      assert.notEqual(answer.headers.get('access-control-allow-origin'), 'https://evil.example', path)
    }
  })
})
