/**
 * One long story told by the cast, and then: nothing of theirs stands in a log line, an address, a cookie, an ID token,
 * an error page, the audit trail or the bytes of the database (DESIGN D6, D7, D11; facts/security §2, 37 and 59).
 */
import { strict as assert } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { readPopulation } from '#src/demo/cast.ts'
import { grant, secrets, soon, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, codeFor, giveDocument, personOf, provePhone, signedIn, stepOf } from '../support/citizen.ts'
import { assertNoLeak, leakDetector, type Secret } from '../support/leaks.ts'
import { recordFetch, type Exchange, type Recording } from '../support/recorded-fetch.ts'
import { es256Key, keyedApplication, keyedParty, smKey, type PartyKey } from '../support/keyed-party.ts'
import { exception, smOnly } from '../support/policy.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

/** Where a code belongs into an address: the callbacks of the applications and of our own pages. */
const callbacks = /^http:\/\/localhost:(400[123]|\d+\/me)\/callback\?/

describe('what leaves a trace', () => {
  let server: TestServer
  let recording: Recording
  let first: RelyingParty
  let second: RelyingParty
  let secret: readonly Secret[]
  let find: ReturnType<typeof leakDetector>
  const idTokens: string[] = []
  const kept: Secret[] = []
  /** Pages shown to a citizen who asked for something odd. */
  const errorPages: string[] = []

  const keep = (label: string, text: string | undefined) => {
    if (text) kept.push({ label, text })
  }
  const later = () => server.clock.advance(120_000)

  const castSecrets = async (): Promise<readonly Secret[]> =>
    (await readPopulation()).people.flatMap(
      ({ key, name, number, phone, formerNames, formerNumbers, formerPhones }) => [
        ...[name, ...formerNames].map((text) => ({ label: `name of ${key}`, text })),
        ...[number, ...formerNumbers].map((text) => ({ label: `number of ${key}`, text })),
        ...[phone, ...formerPhones].flatMap((text) =>
          text === undefined
            ? []
            : [text, text.slice(1), text.slice(3)].map((spelled) => ({ label: `phone of ${key}`, text: spelled })),
        ),
      ],
    )

  /** Registers and does everything an application does, with the mistakes people make on the way. */
  const registersWithMistakes = async (): Promise<void> => {
    const person = await personOf('yan')
    const stranger = await personOf('ayiguli')
    const request = first.request()
    const browser = openBrowser(server.url)
    let page = await browser.get(request.path)
    const attempt = attemptOf(page)
    await browser.post(`${attempt}/phone`, { phone: `${person.phone.slice(3)}9` })
    await browser.post(`${attempt}/phone`, { phone: person.phone })
    await browser.post(`${attempt}/resend`, {})
    const code = codeFor(server, person.phone)
    await browser.post(`${attempt}/code`, { code: code === '000000' ? '000001' : '000000' })
    page = await browser.post(`${attempt}/code`, { code })
    assert.equal(stepOf(page), 'document')
    for (const number of [`${person.number.slice(0, 17)}X`, stranger.number])
      await giveDocument(browser, page, { ...person, number })
    await giveDocument(browser, page, { ...person, name: stranger.name })
    server.register.setDown(true)
    await giveDocument(browser, page, person)
    server.register.setDown(false)
    page = await giveDocument(browser, page, person)
    page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
    assert.ok(page.location)
    const tokens = await first.tokens(page.location, request)
    keep('code verifier', request.verifier)
    await useTokens(first, tokens, page.location ?? '', request)
    await signsOut(browser, tokens.id_token)
  }

  const useTokens = async (
    party: RelyingParty,
    tokens: Awaited<ReturnType<RelyingParty['tokens']>>,
    location: string,
    request: Parameters<RelyingParty['redeem']>[1],
  ): Promise<void> => {
    const claims = await party.claims(tokens.access_token)
    assert.ok(claims.sub)
    const refreshed = (await (await party.refresh(tokens.refresh_token)).json()) as typeof tokens
    const basic = `Basic ${btoa(`${party.id}:${secrets[party.id as 'first']}`)}`
    for (const path of ['introspect', 'revoke']) {
      const body = new URLSearchParams({ token: refreshed.access_token })
      assert.equal(
        (await fetch(`${server.url}/${path}`, { method: 'POST', headers: { authorization: basic }, body })).status,
        200,
      )
    }
    await party.userinfo(refreshed.access_token)
    for (const each of [tokens, refreshed]) {
      keep('access token', each.access_token)
      keep('refresh token', each.refresh_token)
      keep('ID token', each.id_token)
      idTokens.push(each.id_token)
    }
    // Spent a second time, with the wrong verifier, and as a token of another kind.
    await party.redeem(location, request)
    await party.refresh(tokens.refresh_token)
    await party.userinfo(tokens.id_token)
    await party.userinfo(`${refreshed.access_token}x`)
  }

  const signsOut = async (browser: Browser, idToken: string): Promise<void> => {
    const query = new URLSearchParams({
      id_token_hint: idToken,
      post_logout_redirect_uri: 'http://localhost:4001/signed-out',
    })
    const page = await browser.get(`/session/end?${query}`)
    const xsrf = /name="xsrf" value="([\w-]+)"/.exec(page.text)?.[1] ?? ''
    assert.ok((await browser.post('/session/end/confirm', { xsrf, logout: 'yes' })).location)
  }

  const sharesAPhone = async (): Promise<void> => {
    const [he, xu] = [await personOf('he'), await personOf('xu')]
    await signedIn(server, second, he)
    later()
    const browser = openBrowser(server.url)
    let page = await browser.get(second.request().path)
    await browser.post(`${attemptOf(page)}/phone`, { phone: xu.phone })
    page = await browser.post(`${attemptOf(page)}/code`, { code: codeFor(server, xu.phone), other: 'on' })
    page = await giveDocument(browser, page, xu)
    assert.ok(page.location)
    later()
    const third = openBrowser(server.url)
    page = await provePhone(server, third, await third.get(second.request().path), he.phone)
    assert.equal(stepOf(page), 'who')
  }

  const entersByTheHighDoor = async (key: PartyKey): Promise<void> => {
    const person = await personOf('xian')
    const party = keyedParty(server.url, () => key, undefined, 'high')
    const pushed = await party.push({ scope: 'openid profile id_number' })
    const browser = openBrowser(server.url)
    let page = await provePhone(server, browser, await browser.get(pushed.path), person.phone)
    page = await giveDocument(browser, page, person)
    page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree', id_number: 'on' })
    const tokens = await party.tokens(new URL(page.location ?? '').searchParams.get('code') ?? '', pushed)
    const userinfo = decodeJwt(await (await party.userinfo(tokens.access_token)).text())
    assert.equal(userinfo['id_number'], person.number)
    keep('private key', key.d)
    keep('code verifier', pushed.verifier)
    keep('ID token', tokens.id_token)
    idTokens.push(tokens.id_token)
  }

  /** Those whom the register does not confirm, and one who goes back. */
  const isRefused = async (): Promise<void> => {
    for (const key of ['deceased', 'cancelled', 'void', 'renumbered', 'renamed'] as const) {
      const { formerNames, formerNumbers } =
        (await readPopulation()).people.find((one) => one.key === key) ?? assert.fail()
      const person = await personOf(key)
      const browser = openBrowser(server.url)
      let page = await provePhone(server, browser, await browser.get(first.request().path), person.phone)
      const given = { ...person, name: formerNames[0] ?? person.name, number: formerNumbers[0] ?? person.number }
      page = await giveDocument(browser, page, given)
      assert.equal(page.location, undefined, key)
      assert.ok((await browser.post(`${attemptOf(page)}/abort`, {})).location)
    }
    const teenager = await personOf('teenager')
    const browser = openBrowser(server.url)
    let page = await provePhone(server, browser, await browser.get(first.request().path), teenager.phone)
    page = await giveDocument(browser, page, teenager)
    assert.ok((await browser.post(`${attemptOf(page)}/notice`, { answer: 'refuse' })).location)
  }

  /** His own pages, with input that nothing there offers. */
  const looksAtHisAccount = async (): Promise<void> => {
    const person = await personOf('xu')
    const browser = openBrowser(server.url)
    const known = await provePhone(server, browser, await browser.get('/me'), person.phone)
    assert.equal(stepOf(known), 'who')
    const id = /id="person-1"[^>]* value="([^"]+)"/.exec(known.text)?.[1] ?? ''
    const page = await browser.post(`${attemptOf(known)}/who`, { person: id })
    assert.equal(new URL(page.url).pathname, '/me')
    for (const text of [person.number, person.name, person.phone]) {
      shown(await browser.post('/me/notices', { application: text }))
      shown(await browser.post('/me/sessions', { session: text }))
    }
    shown(await browser.post('/me/sessions', { session: 'all' }))
  }

  /** Back ends that fail and quote what they were given. */
  const meetsFaults = async (): Promise<void> => {
    const { gateway, register, app } = server
    const [elder, maria] = [await personOf('elder'), await personOf('maria')]
    const { send } = gateway
    Object.assign(gateway, {
      send: (phone: string, text: { variables: Record<string, string> }) => {
        keep('SMS code', text.variables['code'])
        return Promise.reject(
          new Error(`cannot reach ${phone} with ${text.variables['code']}`, { cause: new Error(phone) }),
        )
      },
    })
    const browser = openBrowser(server.url)
    let page = await browser.get(first.request().path)
    await browser.post(`${attemptOf(page)}/phone`, { phone: elder.phone })
    Object.assign(gateway, { send })
    later()
    page = await provePhone(server, browser, await browser.get(first.request().path), maria.phone)
    const { check } = register
    Object.assign(register, {
      check: (query: object) => Promise.reject(new Error(`no answer to ${JSON.stringify(query)}`)),
    })
    page = await giveDocument(browser, page, maria)
    shown(page)
    Object.assign(register, { check })
    const { append } = app.storage.audit
    Object.assign(app.storage.audit, { append: () => Promise.reject(new Error(`${maria.name} ${maria.number}`)) })
    shown(await giveDocument(browser, page, maria))
    Object.assign(app.storage.audit, { append })
  }

  const shown = (page: Page) => {
    // The way to another language repeats the address that was asked for.
    if (page.status >= 400) errorPages.push(page.text.replace(/<nav class="switches"[^]*?<\/nav>/, ''))
  }

  /** Personal data where no honest page puts it. */
  const sendsItAnywhere = async (): Promise<void> => {
    const { name, number, phone } = await personOf('new-owner')
    const browser = openBrowser(server.url)
    const attempt = attemptOf(await browser.get(first.request().path))
    for (const text of [name, number, phone]) {
      const escaped = encodeURIComponent(text)
      for (const path of [
        `/${escaped}`,
        `/login/${escaped}/phone`,
        `/login/x/${escaped}`,
        `/static/${escaped}`,
        `/auth?client_id=${escaped}`,
        `/auth/${escaped}`,
        `/session/end?id_token_hint=${escaped}`,
        `/session/end?client_id=first&post_logout_redirect_uri=${escaped}`,
        first.request({ login_hint: text, ui_locales: text, scope: text }).path,
        first.request({ redirect_uri: text }).path,
        first.request({ claims: text }).path,
      ])
        shown(await browser.get(path))
      for (const path of [
        '/token',
        '/introspect',
        '/revoke',
        '/par',
        '/userinfo',
        '/session/end/confirm',
        `${attempt}/phone`,
        '/nowhere',
      ]) {
        const headers = {
          origin: server.url,
          authorization: `Bearer ${escaped}`,
          'user-agent': escaped,
          referer: `${server.url}/${escaped}`,
          'x-forwarded-for': escaped,
          cookie: `yihao=${escaped}`,
        }
        const body = new URLSearchParams({
          grant_type: text,
          code: text,
          token: text,
          xsrf: text,
          client_id: text,
          refresh_token: text,
        })
        const doubled = `phone=${escaped}&phone=${escaped}`
        for (const sent of [body.toString(), doubled, `{"phone":"${text}`]) {
          for (const type of ['application/x-www-form-urlencoded', 'application/json']) {
            const answer = await browser.once(path, {
              method: 'POST',
              body: sent,
              headers: { ...headers, 'content-type': type },
            })
            errorPages.push(await answer.text())
          }
        }
      }
    }
  }

  before(async function () {
    this.timeout(60_000)
    const key = smOnly ? smKey('high-1') : es256Key('high-1')
    const high = keyedApplication({
      id: 'high',
      algorithm: key.alg,
      ...exception(soon()),
      credential: { jwks: { keys: [key.jwk] } },
      grants: [grant('name', 'duty'), grant('id_number', 'consent')],
    })
    server = await startServer({ applications: [...testApplications(), high] })
    first = relyingParty(server.url, 'first')
    second = relyingParty(server.url, 'second')
    recording = recordFetch()
    try {
      for (const chapter of [
        registersWithMistakes,
        sharesAPhone,
        () => entersByTheHighDoor(key),
        isRefused,
        looksAtHisAccount,
        meetsFaults,
      ]) {
        await chapter()
        later()
      }
    } finally {
      recording.stop()
    }
    await sendsItAnywhere()
    for (const { text } of server.gateway.all()) keep('SMS code', text.variables['code'])
    for (const { location, cookies } of recording.exchanges) {
      keep(
        'authorization code',
        callbacks.test(location ?? '') ? (new URL(location ?? '').searchParams.get('code') ?? '') : '',
      )
      for (const cookie of cookies) keep('session', /^yihao=([^;]+)/.exec(cookie)?.[1])
    }
    secret = [
      ...(await castSecrets()),
      ...kept,
      { label: 'secret of first', text: secrets.first },
      { label: 'secret of second', text: secrets.second },
    ]
    find = leakDetector(secret)
  })
  after(() => server.close())

  const log = () => server.logged.join('\n')

  /** Every address asked for or redirected to, without the two secrets that the protocol itself puts in one. */
  const addresses = (exchanges: readonly Exchange[]): string =>
    exchanges
      .flatMap(({ url, location }) => [url, location ?? ''])
      .map((address) => (callbacks.test(address) ? address.replace(/([?&]code=)[^&]+/, '$1') : address))
      .map((address) =>
        address.startsWith(`${server.url}/session/end?`) || address.startsWith('/session/end?')
          ? address.replace(/(id_token_hint=)[^&]+/, '$1')
          : address,
      )
      .join('\n')

  const cookies = (exchanges: readonly Exchange[]): string =>
    exchanges
      .flatMap((exchange) => exchange.cookies)
      .map((cookie) => cookie.replace(/^(yihao(\.sig)?)=[^;]+/, '$1='))
      .join('\n')

  const databaseFiles = () => readdirSync(server.directory).filter((name) => name.startsWith('yihao.db'))
  const database = () => Buffer.concat(databaseFiles().map((name) => readFileSync(join(server.directory, name))))

  const trail = async (): Promise<string> =>
    JSON.stringify(await server.app.storage.audit.read(server.config.audit.node, 0, 10_000))

  it('was a story worth the search', async () => {
    const count = (label: string) => new Set(secret.filter((one) => one.label === label).map(({ text }) => text)).size
    assert.ok(
      count('authorization code') >= 4 &&
        count('SMS code') >= 10 &&
        count('access token') >= 2 &&
        count('session') >= 4,
    )
    assert.ok(recording.exchanges.length > 100 && server.logged.length > 200 && errorPages.length > 100)
    assert.ok(database().length > 100_000 && databaseFiles().includes('yihao.db-wal'))
    assert.ok((await trail()).includes('register.checked'))
  })

  it('is none of theirs in a log line', () => assertNoLeak(find, 'the log', log()))

  it('is none of theirs in an address', () => {
    assertNoLeak(find, 'an address', addresses(recording.exchanges))
  })

  it('is none of theirs in a cookie, but the session in its own', () => {
    assertNoLeak(find, 'a cookie', cookies(recording.exchanges))
  })

  it('is none of theirs in an ID token', () => {
    assert.ok(idTokens.length >= 3)
    for (const token of idTokens)
      assertNoLeak(find, 'an ID token', JSON.stringify([decodeProtectedHeader(token), decodeJwt(token)]))
  })

  it('is none of theirs on an error page or in an error answer', () => {
    const refused = recording.exchanges.filter(({ status }) => status >= 400).map(({ text }) => text)
    assert.ok(refused.length >= 5)
    assertNoLeak(find, 'an error page', [...refused, ...errorPages].join('\n'))
  })

  it('is none of theirs in the audit trail', async () => assertNoLeak(find, 'the audit trail', await trail()))

  it('is none of theirs in a byte of the database', () => assertNoLeak(find, 'the database', database()))

  it('would be found, however it is spelled', () => {
    const name = secret.find(({ label }) => label === 'name of ayiguli')?.text ?? ''
    const number = secret.find(({ label }) => label === 'number of yan')?.text ?? ''
    for (const text of [name, number]) {
      const bytes = [Buffer.from(text), Buffer.from(text, 'utf16le'), Buffer.from(text, 'utf16le').swap16()]
      for (const pad of ['', '1', '12']) {
        const padded = Buffer.concat([Buffer.from(pad), bytes[0] as Buffer, Buffer.from('xyz')])
        bytes.push(Buffer.from(padded.toString('base64')), Buffer.from(padded.toString('base64url')))
      }
      bytes.push(Buffer.from(bytes[0]?.toString('hex') ?? ''), Buffer.from(encodeURIComponent(text)))
      for (const planted of bytes)
        assert.ok(find(Buffer.concat([Buffer.from('- '), planted, Buffer.from(' -')])).length > 0)
    }
    assert.deepEqual(find(`1${secret.find(({ label }) => label === 'SMS code')?.text}`), [])
  })

  it('would be found in each of the places', async () => {
    const { number } = await personOf('yan')
    const phone = (await personOf('xian')).phone
    const code = secret.find(({ label }) => label === 'authorization code')?.text ?? ''
    const exchange = { method: 'GET', status: 303, text: '', cookies: [`lang=${code}; Path=/`] }
    const addressed = {
      ...exchange,
      url: `${server.url}/login?code=${code}`,
      location: `http://localhost:4001/callback?state=${phone}`,
    }
    const labels = find(addresses([addressed])).map((leak) => leak.secret.label)
    assert.deepEqual(new Set(labels), new Set(['authorization code', 'phone of xian']))
    assert.equal(find(cookies([addressed])).length, 1)
    server.app.log.info({ remark: number }, 'planted')
    assert.equal(find(log()).length, 1)
    await server.app.recorder.record({ type: 'login', outcome: 'refused', reason: code })
    assert.equal(find(await trail()).length, 1)
    await server.app.storage.counters.add(`planted ${phone}`, 1, server.clock.now(), 60_000)
    assert.ok(find(database()).some(({ secret: found }) => found.label === 'phone of xian'))
  })
})
