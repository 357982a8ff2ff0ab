/**
 * The server behind a proxy that ends TLS: https addresses and cookies whatever the proxy says, and nobody but a trusted
 * proxy is believed when it names a client's address (DESIGN D16; facts/security §2: 27, 34–37).
 */
import { strict as assert } from 'node:assert'
import { loadKeys } from '#src/crypto/key-store.ts'
import { createSealer } from '#src/crypto/sealer.ts'
import { identityContext } from '#src/audit/recorder.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, codeFor, giveDocument, personOf, stepOf } from '../support/citizen.ts'
import { relyingParty } from '../support/relying-party.ts'
import { openWire, type Wire } from '../support/wire.ts'

const issuer = 'https://id.example.gov.cn'

describe('behind a proxy', () => {
  let server: TestServer
  let wire: Wire
  afterEach(async () => {
    wire.close()
    await server.close()
  })

  const start = async (trustedProxies: readonly string[] = []): Promise<void> => {
    server = await startServer({
      settings: (config) => {
        config['issuer'] = issuer
        config['listen'] = { host: '127.0.0.1', port: 0, trustedProxies }
      },
    })
    wire = openWire(server.port)
  }

  describe('that ends TLS', () => {
    let browser: Browser
    beforeEach(async () => {
      await start()
      // What the citizen's browser sees through the proxy: our addresses under the plain listener's.
      browser = openBrowser(`http://localhost:${server.port}`)
    })

    /** Follows a redirect to the https address, which the proxy would bring back here. */
    const onward = async (page: Page): Promise<Page> =>
      page.location?.startsWith(`${issuer}/`) ? onward(await browser.get(page.location.slice(issuer.length))) : page
    const post = async (path: string, fields: Record<string, string>) =>
      onward(await browser.post(path, fields, { origin: issuer }))

    const signIn = async (parameters: Record<string, string> = {}): Promise<Page> => {
      const person = await personOf('yan')
      let page = await browser.get(relyingParty(issuer, 'first').request(parameters).path)
      if (stepOf(page) === 'phone') {
        await post(`${attemptOf(page)}/phone`, { phone: person.phone })
        page = await post(`${attemptOf(page)}/code`, { code: codeFor(server, person.phone) })
      }
      if (stepOf(page) === 'document') page = await onward(await giveDocument(browserAtIssuer(), page, person))
      return page.location === undefined ? post(`${attemptOf(page)}/notice`, { answer: 'agree' }) : page
    }
    const browserAtIssuer = (): Browser => ({
      ...browser,
      post: (path, fields) => browser.post(path, fields, { origin: issuer }),
    })

    it('signs a citizen in, with every address https', async () => {
      const page = await signIn()
      assert.equal(new URL(page.location ?? '').searchParams.get('iss'), issuer)
      const metadata = (await (
        await fetch(`http://localhost:${server.port}/.well-known/openid-configuration`)
      ).json()) as Record<string, unknown>
      const addresses = Object.values(metadata).filter((value) => /^https?:/.test(String(value)))
      assert.ok(addresses.length >= 8)
      for (const address of addresses) assert.ok(String(address).startsWith(issuer), String(address))
    })

    it('gives only cookies that TLS, this host and no script may see', async () => {
      const lines: string[] = []
      const { once } = browser
      const recording = async (path: string, init?: RequestInit) => {
        const answer = await once(path, init)
        lines.push(...answer.headers.getSetCookie())
        return answer
      }
      await recording('/?lang=en&size=large')
      let answer = await recording(relyingParty(issuer, 'first').request().path)
      const attempt = answer.headers.get('location') ?? ''
      const person = await personOf('yan')
      const send = (step: string, fields: Record<string, string>) =>
        recording(`${attempt}/${step}`, {
          method: 'POST',
          body: new URLSearchParams(fields),
          headers: { origin: issuer },
        })
      await send('phone', { phone: person.phone })
      await send('code', { code: codeFor(server, person.phone) })
      await send('document', { kind: person.kind })
      await send('name', { name: person.name })
      answer = await send('number', { number: person.number })
      while (answer.headers.get('location')?.startsWith(issuer))
        answer = await recording((answer.headers.get('location') ?? '').slice(issuer.length))
      const names = new Set(lines.map((line) => /^[^=]+/.exec(line)?.[0] ?? ''))
      for (const name of ['__Host-yihao', '__Secure-yihao-interaction', '__Secure-yihao-resume'])
        assert.ok(names.has(name) && names.has(`${name}.sig`), name)
      // What carries no prefix remembers a choice and nothing else.
      for (const name of names) assert.match(name, /^__(Host|Secure)-|^(lang|size)$/)
      for (const line of lines) {
        assert.match(line, /; secure/i, line)
        assert.match(line, /; httponly/i, line)
        assert.match(line, /; samesite=lax/i, line)
        assert.doesNotMatch(line, /; domain=/i, line)
        if (line.startsWith('__Host-')) assert.match(line, /; path=\/(;|$)/i, line)
        else if (line.startsWith('__Secure-')) assert.match(line, /; path=\/(login|auth)\/[\w-]+/i, line)
      }
    })

    it('says for two years that it speaks TLS only', async () => {
      const { headers } = await browser.get('/')
      const age = Number(/max-age=(\d+)/.exec(headers.get('strict-transport-security') ?? '')?.[1])
      assert.ok(age >= 31_536_000 * 2)
      assert.match(headers.get('strict-transport-security') ?? '', /includeSubDomains/)
    })

    it('believes no form that comes from its plain address', async () => {
      const page = await browser.get(relyingParty(issuer, 'first').request().path)
      const plain = await browser.post(
        `${attemptOf(page)}/phone`,
        { phone: '19900000001' },
        { origin: `http://localhost:${server.port}` },
      )
      assert.equal(plain.status, 403)
    })

    it('gives the session a new id at each sign-in, and the old one is worth nothing', async () => {
      await signIn()
      const before = browser.cookies().get('__Host-yihao')
      const old = browser.clone()
      server.clock.advance(120_000)
      await signIn({ prompt: 'login' })
      const after = browser.cookies().get('__Host-yihao')
      assert.ok(before && after && before !== after)
      const silent = relyingParty(issuer, 'first').request({ prompt: 'none' }).path
      assert.match((await browser.get(silent)).location ?? '', /[?&]code=/)
      assert.match((await old.get(silent)).location ?? '', /error=login_required/)
    })

    it('takes no cookie whose signature is not its own', async () => {
      await signIn()
      const cookies = browser.cookies()
      const silent = relyingParty(issuer, 'first').request({ prompt: 'none' }).path
      const session = cookies.get('__Host-yihao') ?? ''
      const signature = cookies.get('__Host-yihao.sig') ?? ''
      const ask = async (cookie: string) =>
        (await wire.ask({ method: 'GET', path: silent, headers: { cookie } })).headers.location ?? ''
      assert.match(await ask(`__Host-yihao=${session}; __Host-yihao.sig=${signature}`), /[?&]code=/)
      for (const cookie of [
        `__Host-yihao=${session}`,
        `__Host-yihao=${session}; __Host-yihao.sig=x`,
        `__Host-yihao=${session}x; __Host-yihao.sig=${signature}`,
        `yihao=${session}; yihao.sig=${signature}`,
      ])
        assert.match(await ask(cookie), /error=login_required/, cookie.replace(session, '…'))
    })
  })

  describe('and its word for who the client is', () => {
    /** Makes a request that the trail records, and opens the address in its record. */
    const recordedAddress = async (headers: Record<string, string>): Promise<string> => {
      const { audit, dataKeys } = server.app.storage
      const { node } = server.config.audit
      const seq = (await audit.last(node))?.seq ?? 0
      await wire.ask({ method: 'GET', path: '/auth?client_id=first&redirect_uri=https://evil.example/', headers })
      const [row] = await audit.read(node, seq, 1)
      const { who, key } = JSON.parse(row?.body ?? '{}') as { who: string; key: string }
      const keys = await loadKeys(server.config.keys.directory, { production: false })
      const wrapped = (await dataKeys.get(key))?.wrapped ?? ''
      const opened = await createSealer(() => keys).open(wrapped, key, who, identityContext)
      return (JSON.parse(opened) as { address: string }).address
    }

    const forged: Record<string, string> = {
      forwarded: 'for=203.0.113.7;host=evil.example;proto=http',
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      'x-forwarded-port': '81',
      'x-forwarded-prefix': '/evil',
      'x-forwarded-ssl': 'off',
      'x-real-ip': '203.0.113.7',
      'true-client-ip': '203.0.113.7',
      'cf-connecting-ip': '203.0.113.7',
      'x-client-ip': '203.0.113.7',
      'x-original-url': '/health',
      'x-rewrite-url': '/health',
      'x-http-method-override': 'DELETE',
      host: 'evil.example',
    }

    it('is not taken from somebody who is no proxy of ours', async () => {
      await start()
      assert.equal(await recordedAddress(forged), '127.0.0.1')
      const { text } = await wire.ask({ method: 'GET', path: '/.well-known/openid-configuration', headers: forged })
      assert.equal((JSON.parse(text) as { issuer: string }).issuer, issuer)
      assert.doesNotMatch(text, /evil|:81|http:/)
      const page = await wire.ask({
        method: 'GET',
        path: relyingParty(issuer, 'first').request().path,
        headers: forged,
      })
      assert.match(page.headers.location ?? '', /^\/login\//)
    })

    it('is taken from a trusted proxy, and no further than it vouches for', async () => {
      await start(['127.0.0.1'])
      assert.equal(await recordedAddress({ 'x-forwarded-for': '203.0.113.7' }), '203.0.113.7')
      assert.equal(await recordedAddress({ 'x-forwarded-for': '198.51.100.1, 203.0.113.7' }), '203.0.113.7')
      assert.equal(await recordedAddress({ 'x-forwarded-for': '2001:db8::7' }), '2001:db8::7')
      assert.equal(await recordedAddress({}), '127.0.0.1')
      for (const odd of ['a', '', ',', '203.0.113.7.evil', '<script>', 'x'.repeat(5_000)])
        assert.equal(await recordedAddress({ 'x-forwarded-for': odd }), '127.0.0.1', odd.slice(0, 20))
    })

    it('changes the issuer in no case', async () => {
      await start(['127.0.0.1'])
      const { text } = await wire.ask({ method: 'GET', path: '/.well-known/openid-configuration', headers: forged })
      assert.doesNotMatch(text, /evil|:81|http:/)
      const page = await wire.ask({ method: 'GET', path: '/', headers: forged })
      assert.ok(page.headers['strict-transport-security'])
      assert.doesNotMatch(page.text, /evil/)
    })
  })
})
