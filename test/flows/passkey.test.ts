/** Passkeys over HTTP: adding, signing in, and everything that must not open a door. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { hashed } from '#src/storage/sealed-artifacts.ts'
import { manyTexts, startServer, type TestServer } from '../support/app.ts'
import { createAuthenticator, type Authenticator, type Lies } from '../support/authenticator.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, personOf, provePhone, signedIn, stepOf, type Person } from '../support/citizen.ts'
import { addOptions, addPasskey, signInByPasskey, signInOptions } from '../support/passkeys.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

const random = () => randomBytes(32).toString('base64url')

describe('passkeys', () => {
  let server: TestServer
  let party: RelyingParty
  let person: Person
  before(async () => {
    server = await startServer({ settings: manyTexts })
    party = relyingParty(server.url, 'first')
  })
  after(() => server.close())

  const devices: Authenticator[] = []
  const newDevice = (of: Partial<Parameters<typeof createAuthenticator>[0]> = {}) => {
    const device = createAuthenticator({ origin: server.url, ...of })
    devices.push(device)
    return device
  }
  /** A citizen, signed in by his phone a moment ago. */
  const owner = async (key: string) => {
    person = await personOf(key)
    server.clock.advance(61_000)
    return (await signedIn(server, party, person)).browser
  }
  const arrive = async (browser = openBrowser(server.url)) => {
    const request = party.request()
    return { browser, request, page: await browser.get(request.path) }
  }
  const through = async (browser: Browser, page: Page): Promise<string | undefined> =>
    page.location ?? (stepOf(page) === '' ? (await browser.post(`${attemptOf(page)}/notice`, {})).location : undefined)

  interface Recorded {
    readonly type: string
    readonly outcome: string
    readonly reason?: string
    readonly verifier?: string
    readonly facts?: Readonly<Record<string, unknown>>
  }
  const trail = async (): Promise<readonly Recorded[]> => {
    const { audit } = server.app.storage
    const { node } = server.config.audit
    const { seq = 0 } = (await audit.last(node)) ?? {}
    return (await audit.read(node, Math.max(0, seq - 12), 12)).map(({ body }) => JSON.parse(body) as Recorded)
  }
  const countRight = async (): Promise<number> => {
    const rows = await server.app.storage.audit.read(server.config.audit.node, 0, 10_000)
    const all = rows.map(({ body }) => JSON.parse(body) as Recorded)
    return all.filter(({ type, outcome }) => type === 'challenge.answered' && outcome === 'ok').length
  }
  const idsOf = async (browser: Browser): Promise<readonly string[]> =>
    [...(await browser.get('/me/passkeys')).text.matchAll(/action="\/me\/passkeys\/([\w-]{20,})"/g)].map(
      ([, id = '']) => id,
    )
  const lastOf = async (type: string) => (await trail()).findLast((event) => event.type === type)

  describe('adding one', () => {
    it('takes a fresh sign-in, shows it by its name, tells the phone and the trail', async () => {
      const browser = await owner('yan')
      const list = await addPasskey(browser, newDevice(), '  旧\u0000手机 ')
      assert.equal(new URL(list.url).pathname, '/me/passkeys')
      assert.match(list.text, /旧 手机/)
      assert.match(list.text, /只在这一台设备上/)
      assert.deepEqual((await lastOf('passkey.added'))?.facts, { syncable: false })
      await server.app.outbox.drain()
      assert.match(server.gateway.texts(person.phone)[0]?.text.text ?? '', /新增了一台设备/)
    })

    it('asks for another sign-in once this one is old, and comes back to adding', async () => {
      const browser = await owner('xian')
      const { challenge, options } = await addOptions(browser)
      server.clock.advance(601_000)
      assert.equal((await addOptions(browser)).options, undefined)
      const answer = newDevice().make(options)
      const late = await browser.post('/me/passkeys/new', { challenge, answer, name: 'x' })
      assert.match(late.text, /离您登录已经过了一段时间/)
      const page = await browser.get('/me/passkeys/new')
      assert.equal(stepOf(page), 'phone')
      const back = await provePhone(server, browser, page, person.phone)
      assert.equal(new URL(back.url).pathname, '/me/passkeys/new')
      assert.match((await addPasskey(browser, newDevice())).text, /我的手机/)
    })

    it('takes an answer once, in time, and in the session that asked', async () => {
      const browser = await owner('ayiguli')
      const other = (await signedIn(server, party, await personOf('teenager'))).browser
      const device = newDevice()
      const asked = await addOptions(browser)
      const fields = { challenge: asked.challenge, answer: device.make(asked.options), name: 'x' }
      assert.equal((await other.post('/me/passkeys/new', fields)).status, 400)
      assert.equal((await lastOf('passkey.added'))?.facts?.['why'], 'foreign')
      assert.equal((await browser.post('/me/passkeys/new', fields)).status, 200)
      assert.match((await browser.post('/me/passkeys/new', fields)).text, /没有添加成功，账号没有变化/)
      assert.equal((await lastOf('passkey.added'))?.facts?.['why'], 'used')
      const late = await addOptions(browser)
      server.clock.advance(301_000)
      const answer = newDevice().make(late.options)
      assert.equal((await browser.post('/me/passkeys/new', { challenge: late.challenge, answer })).status, 400)
      assert.equal((await lastOf('passkey.added'))?.facts?.['why'], 'expired')
    })

    it('refuses what a device or browser says falsely, and a credential that is somebody’s', async () => {
      const browser = await owner('elder')
      const first = newDevice()
      await addPasskey(browser, first)
      const lies: readonly [Lies, string][] = [
        [{ origin: 'https://evil.example' }, 'origin'],
        [{ rpId: 'evil.example' }, 'rp'],
        [{ challenge: random() }, 'challenge'],
        [{ userVerified: false }, 'user-verification'],
        [{ id: first.credentials[0]?.id }, 'known'],
      ]
      for (const [lie, why] of lies) {
        assert.equal((await addPasskey(browser, newDevice(), 'x', lie)).status, 400, why)
        assert.equal((await lastOf('passkey.added'))?.facts?.['why'], why)
      }
      assert.equal((await idsOf(browser)).length, 1)
    })

    it('stops at as many as there may be, also where many come at once', async () => {
      const browser = await owner('renamed')
      const { perPerson } = server.config.verifiers.passkey
      const asked = await Promise.all(Array.from({ length: perPerson + 3 }, () => addOptions(browser)))
      await Promise.all(
        asked.map(({ challenge, options }) =>
          browser.post('/me/passkeys/new', { challenge, answer: newDevice().make(options), name: 'x' }),
        ),
      )
      assert.equal((await idsOf(browser)).length, perPerson)
      assert.equal((await addOptions(browser)).options, undefined)
      const more = await browser.post('/me/passkeys/new', { challenge: 'x', answer: 'x', name: 'x' })
      assert.match(more.text, /已经够多，请先移除一台/)
    })
  })

  /** His id, by his phone. */
  const idOf = async ({ phone }: Person): Promise<string> =>
    (await server.app.directory.byPhone(phone.startsWith('+') ? phone : `+86${phone}`))[0]?.id ?? ''

  describe('signing in by one', () => {
    let device: Authenticator
    before(async () => {
      const browser = await owner('yan')
      device = newDevice()
      await addPasskey(browser, device)
    })

    it('needs no phone, and says level, way and time', async () => {
      const { browser, request, page } = await arrive()
      assert.match(page.text, /用本机指纹或面容登录/)
      const at = Math.floor(server.clock.now() / 1000)
      const location = (await through(browser, await signInByPasskey(browser, page, device))) ?? ''
      const { acr, amr, auth_time: time } = decodeJwt((await party.tokens(location, request)).id_token)
      assert.deepEqual([acr, amr], ['urn:yihao:loa:2', ['hwk', 'user']])
      assert.ok(Math.abs(Number(time) - at) <= 2)
      assert.equal((await lastOf('login'))?.verifier, 'passkey')
    })

    const lies: readonly [string, Lies, string][] = [
      ['another origin', { origin: 'https://evil.example' }, 'origin'],
      ['another RP ID', { rpId: 'evil.example' }, 'rp'],
      ['another challenge', { challenge: random() }, 'challenge'],
      ['another user', { userHandle: random() }, 'user'],
      ['an unknown credential', { id: random() }, 'unknown'],
      ['no user verified', { userVerified: false }, 'user-verification'],
      ['a changed backup eligibility', { syncable: true }, 'backup-eligibility'],
      ['a count that has been', { counter: 1 }, 'counter'],
    ]
    for (const [what, lie, why] of lies)
      it(`refuses an answer with ${what}, and offers the phone`, async () => {
        const { browser, page } = await arrive()
        const refused = await signInByPasskey(browser, page, device, lie)
        assert.equal(stepOf(refused), 'phone')
        assert.match(refused.text, /没有认出这台设备/)
        const { outcome, reason, facts } = (await lastOf('challenge.answered')) ?? {}
        assert.deepEqual([outcome, reason, facts], ['refused', 'passkey_refused', { why }])
      })

    it('raises the alarm over a count that has been', async () => {
      const { browser, page } = await arrive()
      await signInByPasskey(browser, page, device, { counter: 1 })
      assert.ok(server.logged.some((line) => line.includes('counted backwards')))
      assert.equal((await lastOf('passkey.copied'))?.outcome, 'refused')
    })

    it('takes an answer once: not again, not at another attempt, not in another browser, not late', async () => {
      const first = await arrive()
      const { challenge, options } = await signInOptions(first.browser, first.page)
      const fields = { challenge, answer: device.answer(options) }
      const elsewhere = await arrive()
      const moved = await elsewhere.browser.post(`${attemptOf(elsewhere.page)}/passkey`, fields)
      assert.equal(stepOf(moved), 'phone')
      assert.equal((await lastOf('challenge.answered'))?.facts?.['why'], 'foreign')
      const foreign = await openBrowser(server.url).post(`${attemptOf(first.page)}/passkey`, fields)
      assert.equal(foreign.status, 400)
      const own = await first.browser.post(`${attemptOf(first.page)}/passkey`, fields)
      assert.equal(stepOf(own), 'phone', 'whoever tried it elsewhere has used it up')
      assert.match(own.text, /这一次已经用过/)
      assert.equal((await lastOf('challenge.answered'))?.facts?.['why'], 'used')

      const late = await signInOptions(first.browser, first.page)
      server.clock.advance(301_000)
      const answer = device.answer(late.options)
      const page = await first.browser.post(`${attemptOf(first.page)}/passkey`, { challenge: late.challenge, answer })
      assert.match(page.text, /等得太久了/)
    })

    it('lets two tabs ask, and the one that is answered counts, once among many at once', async () => {
      const { browser, page } = await arrive()
      const [one, two] = [await signInOptions(browser, page), await signInOptions(browser, page)]
      const fields = { challenge: one.challenge, answer: device.answer(one.options) }
      const before = await countRight()
      const tabs = Array.from({ length: 5 }, () => browser.clone())
      const ends = await Promise.all(tabs.map((tab) => tab.once(`${attemptOf(page)}/passkey`, posted(fields))))
      assert.ok(ends.every(({ status }) => status === 303 || status === 400))
      assert.equal(await countRight(), before + 1)
      const answer = device.answer(two.options)
      const after = await browser.post(`${attemptOf(page)}/passkey`, { challenge: two.challenge, answer })
      assert.notEqual(stepOf(after), 'phone', 'the attempt is won, and goes on or is over')
      assert.equal(await countRight(), before + 1)
    })
    const posted = (fields: Record<string, string>): RequestInit => ({
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { origin: server.url },
    })

    it('ends after ten answers of one attempt, and the phone still works', async () => {
      const { browser, page } = await arrive()
      let last = page
      for (let at = 0; at < 11; at += 1) last = await browser.post(`${attemptOf(page)}/passkey`, { challenge: 'x' })
      assert.match(last.text, /试的次数太多/)
      server.clock.advance(61_000)
      assert.notEqual(stepOf(await provePhone(server, browser, page, (await personOf('yan')).phone)), 'phone')
    })

    it('is nothing for a foreign page', async () => {
      const { browser, page } = await arrive()
      const response = await browser.once(`${attemptOf(page)}/passkey/options`, {
        method: 'POST',
        headers: { origin: 'https://evil.example' },
      })
      assert.equal(response.status, 403)
    })
  })

  describe('the end of one', () => {
    it('comes by its owner: it signs in no more, others do, and the phone is told', async () => {
      const browser = await owner('teenager')
      const [gone, kept] = [newDevice(), newDevice({ syncable: true, synced: true })]
      await addPasskey(browser, gone, '丢了的')
      assert.match((await addPasskey(browser, kept, '留着的')).text, /会同步到您账户下的其他设备/)
      const id = gone.credentials[0]?.id ?? ''
      const renamed = await browser.post(`/me/passkeys/${id}`, { do: 'rename', name: '旧的' })
      assert.match(renamed.text, /旧的/)
      const list = await browser.post(`/me/passkeys/${id}`, { do: 'remove' })
      assert.doesNotMatch(list.text, /旧的/)
      await server.app.outbox.drain()
      assert.match(server.gateway.texts(person.phone)[0]?.text.text ?? '', /移除了一台设备/)

      const { browser: later, page } = await arrive()
      assert.equal(stepOf(await signInByPasskey(later, page, gone)), 'phone')
      assert.equal((await lastOf('challenge.answered'))?.facts?.['why'], 'unknown')
      assert.notEqual(stepOf(await signInByPasskey(later, page, kept)), 'phone')
    })

    it('does not come by anybody else', async () => {
      const browser = await owner('teenager')
      const stranger = (await signedIn(server, party, await personOf('renumbered'))).browser
      const path = `/me/passkeys/${(await idsOf(browser))[0]}`
      for (const act of ['rename', 'remove']) await stranger.post(path, { do: act, name: 'mine now' })
      assert.doesNotMatch((await stranger.get(path)).text, /留着的/)
      await browser.post(path, { do: 'remove' }, { origin: 'https://evil.example' })
      assert.match((await browser.get('/me/passkeys')).text, /留着的/)
    })

    it('comes with the account: a suspended or erased person signs in by none', async () => {
      const browser = await owner('renumbered')
      const device = newDevice()
      await addPasskey(browser, device)
      const id = await idOf(person)
      await server.app.directory.suspend(id)
      const { browser: later, page } = await arrive()
      assert.equal(stepOf(await signInByPasskey(later, page, device)), 'phone')
      assert.equal((await lastOf('challenge.answered'))?.facts?.['why'], 'account')
      await server.app.storage.people.erase(id)
      assert.equal(stepOf(await signInByPasskey(later, page, device)), 'phone')
      assert.deepEqual(await server.app.storage.artifacts.byAccount('Passkey', hashed(id)), [])
    })
  })

  describe('the log', () => {
    it('leaves nothing in the log of whose they are, what they are, or what was asked', async () => {
      const log = server.logged.join('\n')
      const secrets = devices.flatMap(({ credentials }) => credentials.flatMap(({ id, handle }) => [id, handle]))
      assert.ok(secrets.length > 10)
      for (const secret of secrets) assert.ok(!log.includes(secret))
      for (const key of ['yan', 'teenager']) assert.ok(!log.includes((await personOf(key)).name))
      assert.ok(!log.includes('clientDataJSON'))
    })
  })
})
