import { strict as assert } from 'node:assert'
import { decodeJwt } from 'jose'
import { createHighClient } from '#src/demo/high-client.ts'
import { createSmHighClient } from '#src/demo/sm-high-client.ts'
import { grant, highApplication, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn, stepOf, type Person } from '../support/citizen.ts'
import { plugIns, type PlugIns } from '../support/plug-ins.ts'
import { smOnly } from '../support/policy.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

/** The profile `high` by a stock library, or by our own client where there is nothing but SM2. */
const stockOrOurs = (registration: Parameters<typeof createSmHighClient>[0]) =>
  smOnly ? createSmHighClient(registration) : createHighClient({ ...registration, algorithm: 'ES256' })

describe('signing in by a method that the citizen chooses', () => {
  let server: TestServer
  let plugs: PlugIns
  let high: Awaited<ReturnType<typeof highApplication>>
  let party: RelyingParty
  let other: RelyingParty

  const start = async (verifiers: readonly string[], level: 1 | 2 = 2, top = 3, perAddress?: object) => {
    plugs = plugIns()
    high = await highApplication()
    const [first, second] = testApplications()
    const grants = first?.grants?.filter(({ claim }) => claim !== 'id_number') ?? []
    server = await startServer({
      applications: [
        { ...first, level, grants } as never,
        { ...second, level } as never,
        { ...high.application, grants: [grant('name', 'duty'), grant('id_number', 'duty')] },
      ],
      overrides: { verifiers: plugs.verifiers },
      settings(config) {
        const {
          channels,
          login,
          verifiers: settings,
        } = config as {
          login: { perAddress: object }
          channels: { web: { verifiers: readonly string[]; top: number } }
          verifiers: { sms: { resendAfter: number } }
        }
        Object.assign(channels.web, { verifiers, top })
        settings.sms.resendAfter = 1
        if (perAddress) login.perAddress = perAddress
      },
    })
    party = relyingParty(server.url, 'first')
    other = relyingParty(server.url, 'second')
  }
  const all = ['sms', 'passkey', 'card', 'nation', 'nation-face', 'look', 'pin', 'dial', 'token']
  beforeEach(() => start(all))
  afterEach(() => server.close())

  const arrive = async (browser = openBrowser(server.url), at = party) => {
    const request = at.request()
    const page = await browser.get(request.path)
    return { browser, page, request, attempt: attemptOf(page) }
  }
  const choose = (browser: Browser, attempt: string, method: string): Promise<Page> =>
    browser.post(`${attempt}/method`, { method })
  const documentOf = ({ kind, number, name }: Person) => JSON.stringify({ kind, number, name })

  /** By the card, to behind its answer. */
  const byCard = async (browser: Browser, attempt: string, person: Person) => {
    await choose(browser, attempt, 'card')
    const begun = await (await browser.once(`${attempt}/prove/options`, post())).json()
    const { challenge } = begun as { challenge: string }
    const page = await browser.post(`${attempt}/prove`, { challenge, answer: documentOf(person) })
    return { page, challenge }
  }
  const post = () => ({ method: 'POST', headers: { origin: server.url } })

  /** Leaves for another site; gives the address to come back to. */
  const leave = async (browser: Browser, attempt: string, more: Record<string, string> = {}): Promise<string> => {
    const { location = '' } = await browser.post(`${attempt}/prove/leave`, more)
    const url = new URL(location)
    const back = new URL(url.searchParams.get('back') ?? '')
    return `${back.pathname}?state=${url.searchParams.get('state') ?? ''}`
  }
  const byNation = async (browser: Browser, attempt: string, code: string, method = 'nation') => {
    await choose(browser, attempt, method)
    return browser.get(`${await leave(browser, attempt)}&code=${code}`)
  }
  /** Through the notice to the application; gives what the ID token says. */
  const through = async (browser: Browser, page: Page, request: ReturnType<RelyingParty['request']>, at = party) => {
    let last = page
    if (last.location === undefined && stepOf(last) === '')
      last = await browser.post(`${attemptOf(last)}/notice`, { answer: 'agree' })
    assert.ok(last.location, `it ended at ${last.url}`)
    return decodeJwt((await at.tokens(last.location, request)).id_token)
  }
  const trail = async () => {
    const rows = await server.app.storage.audit.read('node-1', 0, 10_000)
    return rows.map(({ body }) => JSON.parse(body) as Record<string, unknown> & { facts?: Record<string, unknown> })
  }
  const answers = async () => (await trail()).filter(({ type }) => type === 'challenge.answered')
  const whyOf = async () => (await answers()).at(-1)?.facts?.['why']

  describe('by a device beside him', () => {
    it('shows every method on the first page, each by its name, the phone first', async () => {
      const { page } = await arrive()
      assert.equal(stepOf(page), 'phone')
      for (const name of ['刷卡', '国家认证', '国家人脸', '看脸', '口令']) assert.ok(page.text.includes(name), name)
      assert.doesNotMatch(page.text, /method\.[a-z]/)
    })

    it('opens an account to whoever shows his document, whom the register knows', async () => {
      const { browser, attempt, request } = await arrive()
      const person = await personOf('yan')
      const { page } = await byCard(browser, attempt, person)
      const { acr, amr } = await through(browser, page, request)
      assert.deepEqual([acr, amr], ['urn:yihao:loa:2', ['x']])
    })

    it('ends in the account that the same person has by phone', async () => {
      const person = await personOf('yan')
      const { tokens } = await signedIn(server, party, person)
      const { browser, attempt, request } = await arrive()
      const { page } = await byCard(browser, attempt, person)
      assert.equal((await through(browser, page, request)).sub, decodeJwt(tokens.id_token).sub)
    })

    for (const [key, sentence] of [
      ['deceased', /不能在网上登记/],
      ['child', /未满14周岁/],
    ] as const)
      it(`opens nothing to the card of ${key}`, async () => {
        const { browser, attempt } = await arrive()
        const person = await personOf(key)
        const { page } = await byCard(browser, attempt, person)
        assert.equal(stepOf(page), 'prove')
        assert.match(page.text, sentence)
        assert.ok((await whyOf()) !== undefined)
      })

    it('fails closed where the register does not answer', async () => {
      server.register.setDown(true)
      const { browser, attempt } = await arrive()
      const { page } = await byCard(browser, attempt, await personOf('yan'))
      assert.equal(stepOf(page), 'prove')
      assert.match(page.text, /人口库暂时连不上/)
      assert.equal(
        (await trail()).some(({ type }) => type === 'account.opened'),
        false,
      )
    })

    it('takes an answer once, and only in the attempt and by the method it belongs to', async () => {
      const { browser, attempt } = await arrive()
      const yan = await personOf('yan')
      await choose(browser, attempt, 'card')
      const ask = async (of: string, from: Browser) =>
        ((await (await from.once(`${of}/prove/options`, post())).json()) as { challenge: string }).challenge
      const mine = await ask(attempt, browser)
      const { browser: second, attempt: elsewhere } = await arrive()
      await choose(second, elsewhere, 'card')
      const foreign = await second.post(`${elsewhere}/prove`, { challenge: mine, answer: documentOf(yan) })
      assert.equal(stepOf(foreign), 'prove')
      assert.equal(await whyOf(), 'foreign')
      const dead = await browser.post(`${attempt}/prove`, { challenge: mine, answer: documentOf(yan) })
      assert.match(dead.text, /已经用过/)
      assert.equal(await whyOf(), 'used')

      const wrong = await ask(attempt, browser)
      assert.match((await browser.post(`${attempt}/prove`, { challenge: wrong, answer: '?' })).text, /没有核对上/)
      assert.equal(await whyOf(), 'not-him')
      await browser.post(`${attempt}/prove`, { challenge: wrong, answer: documentOf(yan) })
      assert.equal(await whyOf(), 'used')

      const late = await ask(attempt, browser)
      server.clock.advance(3_700_000)
      const fresh = await arrive(browser)
      await choose(browser, fresh.attempt, 'card')
      await browser.post(`${fresh.attempt}/prove`, { challenge: late, answer: documentOf(yan) })
      assert.ok(['gone', 'foreign'].includes(String(await whyOf())))
    })

    it('counts many answers at once no more often than they may be', async () => {
      const { browser, attempt } = await arrive()
      const { challenge, page } = await byCard(browser, attempt, await personOf('yan'))
      assert.equal(stepOf(page), '')
      const again = await arrive()
      await choose(again.browser, again.attempt, 'card')
      await Promise.all(
        Array.from({ length: 30 }, () => again.browser.post(`${again.attempt}/prove`, { challenge, answer: '?' })),
      )
      const judged = (await answers()).map(({ facts }) => facts?.['why'])
      assert.equal(judged.filter((why) => why === 'exhausted').length, 20)
    })

    it('leads back to the list, and from there to the phone, without losing the way', async () => {
      const { browser, attempt } = await arrive()
      const chosen = await choose(browser, attempt, 'card')
      assert.equal(stepOf(chosen), 'prove')
      assert.equal(stepOf(await browser.get(`${attempt}/phone`)), 'phone')
      const { phone } = await personOf('yan')
      await choose(browser, attempt, 'sms')
      const page = await provePhone(server, browser, chosen, phone)
      assert.equal(stepOf(page), 'document')
    })

    it('offers nothing that the channel or the level does not', async () => {
      const { browser, attempt } = await arrive()
      for (const method of ['voice', 'none', '', '__proto__']) {
        const page = await choose(browser, attempt, method)
        assert.match(page.text, /这种方式现在不能用/, method)
      }
    })
  })

  describe('by another site', () => {
    it('comes back to its own attempt, whatever a stranger’s browser brings', async () => {
      const { browser, attempt } = await arrive()
      await choose(browser, attempt, 'nation')
      const back = await leave(browser, attempt)
      const stranger = await openBrowser(server.url).get(`${back}&code=victim`)
      assert.equal(stranger.status, 400)
      assert.deepEqual(
        (await answers()).map(({ facts }) => facts),
        [{ why: 'foreign-browser' }],
      )
      // Whoever left may have sent the stranger, to be signed in by what he proves.
      const lured = await browser.get(`${back}&code=victim`)
      assert.equal(stepOf(lured), 'prove')
      assert.equal(await whyOf(), 'used')
    })

    it('takes a form from there by way of our own page', async () => {
      const { browser, attempt } = await arrive()
      await choose(browser, attempt, 'nation')
      const back = new URL(await leave(browser, attempt), server.url)
      const state = back.searchParams.get('state') ?? ''
      const body = new URLSearchParams({ state, code: 'c-1', photo: 'x'.repeat(90_000) })
      const headers = { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' }
      const sent = await openBrowser(server.url).once(back.pathname, { method: 'POST', body, headers })
      assert.equal(sent.status, 200)
      const html = await sent.text()
      assert.match(html, new RegExp(`action="${attempt}/return"`))
      const page = await browser.post(`${attempt}/return`, { state, code: 'c-1' })
      assert.equal(stepOf(page), 'link')
    })

    it('knows no way back for a state that it never gave', async () => {
      for (const state of ['', 'x', 'a.b.c', '../me.x', '<b>.x', `${'a'.repeat(80)}.b`, 'a.b']) {
        const page = await openBrowser(server.url).get(`/return/nation?state=${encodeURIComponent(state)}`)
        assert.equal(page.status, 400, state)
      }
    })

    it('says that a back end is away, leaves the way open, and hides a method that is known to be down', async () => {
      plugs.broken.add('nation')
      const { browser, attempt } = await arrive()
      await choose(browser, attempt, 'nation')
      const page = await browser.post(`${attempt}/prove/leave`, {})
      assert.equal(stepOf(page), 'prove')
      assert.match(page.text, /暂时不可用/)
      plugs.down.add('nation')
      const list = await browser.get(`${attempt}/method`)
      assert.doesNotMatch(list.text, /国家认证/)
      assert.match(list.text, /刷卡/)
    })
  })

  describe('of whom it is asked first who he is', () => {
    const name = async (browser: Browser, attempt: string, person: Person, method = 'look') =>
      giveDocument(browser, await choose(browser, attempt, method), person)

    it('begins only with consent, which is on record with the version of its text', async () => {
      const { browser, attempt, request } = await arrive()
      const yan = await personOf('yan')
      const page = await name(browser, attempt, yan)
      assert.equal(stepOf(page), 'prove')
      assert.match(page.text, /丁公司/)
      for (const consent of ['', '6', '8']) {
        const refused = await browser.post(`${attempt}/prove/leave`, { consent })
        assert.match(refused.text, /没有您的同意/)
      }
      assert.equal(plugs.given.claim, undefined)
      const back = await leave(browser, attempt, { consent: '7' })
      const [given] = (await trail()).filter(({ type }) => type === 'consent.given')
      assert.deepEqual(given?.facts, { about: 'look', version: '7' })
      assert.deepEqual(plugs.given.input, { kind: yan.kind, name: yan.name, number: yan.number })
      const { acr } = await through(browser, await browser.get(`${back}&pass=yes`), request)
      assert.equal(acr, 'urn:yihao:loa:2', 'the profile of the application goes no higher')
    })

    it('proves no more than the channel reaches, and puts out nobody who has that much, least of all himself', async () => {
      await server.close()
      await start(all, 2, 2)
      const yan = await personOf('yan')
      await signedIn(server, party, yan)
      const { browser, attempt, request } = await arrive()
      assert.match((await choose(browser, attempt, 'look')).text, /“看脸”要先知道核对的是谁/)
      await giveDocument(browser, await choose(browser, attempt, 'look'), yan)
      const back = await leave(browser, attempt, { consent: '7' })
      const { acr } = await through(browser, await browser.get(`${back}&pass=yes`), request)
      assert.equal(acr, 'urn:yihao:loa:2')
      assert.ok((await trail()).every(({ type, level }) => type !== 'account.reclaimed' && level !== 3))
    })

    it('is never asked of those under 14, and never without name and number', async () => {
      const { browser, attempt } = await arrive()
      const page = await name(browser, attempt, await personOf('child'))
      assert.equal(stepOf(page), 'number')
      assert.match(page.text, /未满14周岁/)
      assert.equal(stepOf(await browser.post(`${attempt}/prove/leave`, { consent: '7' })), 'number')
      assert.equal(plugs.given.claim, undefined)
    })

    it('forgets the number where kind or name change behind it', async () => {
      const { browser, attempt } = await arrive()
      const child = await personOf('child')
      await name(browser, attempt, { ...child, kind: 'passport', number: 'E12345678' })
      for (const [step, given] of [
        ['document', { kind: 'resident-id-card' }],
        ['name', { name: '王小明' }],
      ] as const) {
        await name(browser, attempt, await personOf('yan'))
        const page = await browser.post(`${attempt}/${step}`, given)
        assert.equal(stepOf(page), 'number', step)
        assert.equal(stepOf(await browser.post(`${attempt}/prove/leave`, { consent: '7' })), 'number', step)
      }
      assert.equal(plugs.given.claim, undefined)
    })

    it('is asked about one number no more than ten times a day, whoever asks', async () => {
      const yan = await personOf('yan')
      let last: Page | undefined
      for (let round = 0; round < 11; round++) {
        const { browser, attempt } = await arrive()
        await name(browser, attempt, yan)
        last = await browser.post(`${attempt}/prove/leave`, { consent: '7' })
      }
      assert.match(last?.text ?? '', /今天核对的次数已用完/)
    })

    it('begins no more than its pace from one address: whoever is beyond waits for his turn', async () => {
      await server.close()
      await start(all, 2, 3, { sends: 2, failures: 60, longestWait: 120 })
      const pages: Page[] = []
      for (const key of ['yan', 'xian', 'elder']) {
        const { browser, attempt } = await arrive()
        await name(browser, attempt, await personOf(key))
        pages.push(await browser.post(`${attempt}/prove/leave`, { consent: '7' }))
      }
      assert.deepEqual(
        pages.map(({ location = '' }) => location.startsWith('https://elsewhere.example/')),
        [true, true, false],
      )
      assert.match(pages.at(-1)?.text ?? '', /已为您排队/)
    })

    it('is guessed at in a form no faster than its pace from one address, in however many attempts', async () => {
      await server.close()
      await start(all, 2, 3, { sends: 120, failures: 2, longestWait: 120 })
      const pages: Page[] = []
      for (const key of ['yan', 'xian', 'elder']) {
        const { browser, attempt } = await arrive()
        await name(browser, attempt, await personOf(key), 'pin')
        pages.push(await browser.post(`${attempt}/prove`, { pin: '111111' }))
      }
      assert.match(pages.at(-1)?.text ?? '', /已为您排队/)
      assert.deepEqual(
        (await answers()).map(({ reason }) => reason),
        ['method_refused', 'method_refused', 'code_busy'],
      )
    })

    it('is told by a device too whom it asks about, and asks nobody before', async () => {
      const { browser, attempt } = await arrive()
      const yan = await personOf('yan')
      await choose(browser, attempt, 'token')
      assert.equal((await browser.once(`${attempt}/prove/options`, post())).status, 200)
      assert.equal(plugs.given.claim, undefined)
      await giveDocument(browser, await browser.get(`${attempt}/document`), yan)
      await browser.once(`${attempt}/prove/options`, post())
      assert.deepEqual(plugs.given.input, { kind: yan.kind, name: yan.name, number: yan.number })
    })

    it('asks in a form, and anew after a wrong answer', async () => {
      const { browser, attempt, request } = await arrive()
      const asked = await name(browser, attempt, await personOf('yan'), 'pin')
      assert.equal(stepOf(asked), 'prove')
      assert.match(asked.text, /<label for="field-pin">口令/)
      const wrong = await browser.post(`${attempt}/prove`, { pin: '111111' })
      assert.match(wrong.text, /没有核对上[^]*<label for="field-pin">/)
      const right = await browser.post(`${attempt}/prove`, { pin: '246810' })
      assert.equal((await through(browser, right, request)).acr, 'urn:yihao:loa:2')
    })
  })

  describe('that proves a phone as a text does', () => {
    const dial = async () => {
      const { browser, attempt, request } = await arrive()
      await choose(browser, attempt, 'dial')
      const page = await browser.post(`${attempt}/prove`, { pin: (await personOf('yan')).phone })
      return { browser, page, request }
    }
    const confirmations = async () =>
      (await trail()).filter(({ type, facts }) => type === 'register.checked' && facts?.['about'] === 'phone')

    it('opens the account of that phone, and asks the register where it has not been asked for long', async () => {
      const { tokens } = await signedIn(server, party, await personOf('yan'))
      const first = await dial()
      assert.equal((await through(first.browser, first.page, first.request)).sub, decodeJwt(tokens.id_token).sub)
      assert.equal((await confirmations()).length, 0)
      server.clock.advance(31 * 86_400_000)
      const later = await dial()
      assert.ok(later.page.location ?? stepOf(later.page) === '', later.page.url)
      assert.equal((await confirmations()).length, 1)
    })

    it('says that the register is away where it would have to be asked, and opens nothing by it', async () => {
      await signedIn(server, party, await personOf('yan'))
      server.clock.advance(31 * 86_400_000)
      server.register.setDown(true)
      const { page } = await dial()
      assert.equal(stepOf(page), 'document')
      assert.match(page.text, /人口库暂时连不上/)
    })
  })

  describe('known by a code alone', () => {
    const openAlone = async (code = 'c-1') => {
      const { browser, attempt, request } = await arrive()
      const page = await byNation(browser, attempt, code)
      assert.equal(stepOf(page), 'link')
      const opened = await browser.post(`${attempt}/link`, { choice: 'alone' })
      assert.match(opened.text, /没有姓名、证件号码和手机号，这些现在不会提供/)
      return { browser, sub: (await through(browser, opened, request)).sub }
    }

    const clientOfHigh = () =>
      stockOrOurs({
        ...{ issuer: server.url, clientId: 'high', privateJwk: high.privateJwk },
        redirectUri: 'http://localhost:4003/callback',
        postLogoutRedirectUri: 'http://localhost:4003/signed-out',
        scope: 'openid profile id_number',
      })
    /** At the application that may ask for the number by law, known by a code, before another proof. */
    const asked = async (code: string, method = 'nation', browser = openBrowser(server.url)) => {
      const client = clientOfHigh()
      const started = await client.start()
      const page = await browser.get(started.url.slice(server.url.length))
      const attempt = attemptOf(page)
      const link = await byNation(browser, attempt, code, method)
      assert.equal(stepOf(link), 'link')
      assert.match(link.text, /依法需要您的证件号码/)
      assert.match((await browser.post(`${attempt}/link`, { choice: 'alone' })).text, /请选择接下来怎么办/)
      await browser.post(`${attempt}/link`, { choice: 'other' })
      return { browser, attempt, client, started }
    }
    /** From the account without a number to the application that needs it. */
    const needs = async (code = 'c-1', method = 'nation') => {
      const { browser, attempt, client, started } = await asked(code, method)
      const person = await personOf('yan')
      const { page: shown } = await byCard(browser, attempt, person)
      const { location = '' } = await browser.post(`${attemptOf(shown)}/notice`, { answer: 'agree' })
      const { userinfo } = await client.finish(new URL(location), started)
      assert.equal(userinfo['id_number'], person.number)
    }

    it('opens an account without a number, which the same code opens again', async () => {
      const { sub } = await openAlone()
      const { browser, attempt, request } = await arrive()
      const page = await byNation(browser, attempt, 'c-1')
      assert.equal((await through(browser, page, request)).sub, sub)
      const stranger = await openAlone('c-2')
      assert.notEqual(stranger.sub, sub)
    })

    it('is linked to the account that another method proves, once, and opens it from then on', async () => {
      const yan = await personOf('yan')
      const { tokens } = await signedIn(server, party, yan)
      server.clock.advance(2_000)
      const sub = decodeJwt(tokens.id_token).sub
      const { browser, attempt, request } = await arrive()
      const page = await byNation(browser, attempt, 'c-1')
      const list = await browser.post(`${attempt}/link`, { choice: 'other' })
      assert.match(list.text, /网络身份已经确认。接下来再证明一次/)
      assert.equal(stepOf(list), 'phone', page.url)
      const proven = await provePhone(server, browser, list, yan.phone)
      assert.equal((await through(browser, proven, request)).sub, sub)
      const texts = server.gateway.texts(yan.phone).filter(({ text }) => text.template === 'notice')
      assert.match(texts[0]?.text.text ?? '', /关联了一种新的登录方式/)

      const again = await arrive()
      const direct = await byNation(again.browser, again.attempt, 'c-1')
      assert.equal((await through(again.browser, direct, again.request)).sub, sub)
      assert.equal((await trail()).filter(({ type }) => type === 'link.added').length, 1)
    })

    it('is linked to the session of this browser where he says so', async () => {
      const { browser, tokens } = await signedIn(server, party, await personOf('yan'))
      const request = other.request({ prompt: 'login' })
      const page = await browser.get(request.path)
      const attempt = attemptOf(page)
      const link = await byNation(browser, attempt, 'c-1')
      assert.match(link.text, /关联到这台设备上登录着的账号/)
      const linked = await browser.post(`${attempt}/link`, { choice: 'session' })
      assert.ok(linked.location ?? linked.url)
      const again = await arrive()
      const direct = await byNation(again.browser, again.attempt, 'c-1')
      assert.equal((await through(again.browser, direct, again.request)).sub, decodeJwt(tokens.id_token).sub)
    })

    it('is not linked to a session whose holder has not been there for a while', async () => {
      const { browser } = await signedIn(server, party, await personOf('yan'))
      server.clock.advance(11 * 60_000)
      const page = await browser.get(other.request({ prompt: 'login' }).path)
      const attempt = attemptOf(page)
      const link = await byNation(browser, attempt, 'c-1')
      assert.equal(stepOf(link), 'link')
      assert.doesNotMatch(link.text, /关联到这台设备上登录着的账号/)
      assert.match((await browser.post(`${attempt}/link`, { choice: 'session' })).text, /请选择接下来怎么办/)
    })

    it('has no session to be linked to where there is none, or none that is verified', async () => {
      const { browser, attempt } = await arrive()
      await byNation(browser, attempt, 'c-1')
      assert.match((await browser.post(`${attempt}/link`, { choice: 'session' })).text, /请选择接下来怎么办/)
    })

    describe('where an application may ask for the number by law', () => {
      it('asks for it, and the account grows by what is proven, the same to every application', async () => {
        const { sub } = await openAlone()
        await needs()
        const again = await arrive()
        const direct = await byNation(again.browser, again.attempt, 'c-1')
        assert.equal((await through(again.browser, direct, again.request)).sub, sub)
        const byItsCard = await arrive()
        const shown = await byCard(byItsCard.browser, byItsCard.attempt, await personOf('yan'))
        assert.equal((await through(byItsCard.browser, shown.page, byItsCard.request)).sub, sub)
      })

      it('asks for it also where the browser is signed in to an account without one', async () => {
        const { browser } = await openAlone()
        const started = await clientOfHigh().start()
        const page = await browser.get(started.url.slice(server.url.length))
        assert.equal(stepOf(page), 'phone', 'a notice of what is released would release no number')
        const attempt = attemptOf(page)
        const link = await byNation(browser, attempt, 'c-1')
        assert.equal(stepOf(link), 'link')
        assert.doesNotMatch(link.text, /关联到这台设备上登录着的账号/, 'that account is the one without a number')
        assert.match((await browser.post(`${attempt}/link`, { choice: 'session' })).text, /请选择接下来怎么办/)
        await browser.post(`${attempt}/link`, { choice: 'other' })
        const { page: shown } = await byCard(browser, attempt, await personOf('yan'))
        assert.equal(stepOf(shown), '')
      })

      it('merges it into the account that the number has already, and ends it', async () => {
        const yan = await personOf('yan')
        const { tokens } = await signedIn(server, party, yan)
        server.clock.advance(2_000)
        const alone = await openAlone()
        await needs()
        assert.equal((await trail()).filter(({ type }) => type === 'account.merged').length, 1)
        const again = await arrive()
        const direct = await byNation(again.browser, again.attempt, 'c-1')
        assert.equal((await through(again.browser, direct, again.request)).sub, decodeJwt(tokens.id_token).sub)
        assert.equal(stepOf(await alone.browser.get('/me')), 'phone', 'its session has ended')
      })
    })

    const levels = async () => (await trail()).filter(({ type }) => type === 'login').map(({ level }) => level)
    /** To a code that is known and waits for another proof. */
    const waiting = async (code: string, method = 'nation') => {
      const one = await arrive()
      await byNation(one.browser, one.attempt, code, method)
      await one.browser.post(`${one.attempt}/link`, { choice: 'other' })
      return one
    }

    it('does not lend its level to a number that was proven with less', async () => {
      const alone = await arrive()
      await byNation(alone.browser, alone.attempt, 'c-1', 'nation-face')
      await through(
        alone.browser,
        await alone.browser.post(`${alone.attempt}/link`, { choice: 'alone' }),
        alone.request,
      )
      await needs('c-1', 'nation-face')
      const again = await arrive()
      await byNation(again.browser, again.attempt, 'c-1', 'nation-face')
      assert.deepEqual(
        (await levels()).slice(-2),
        [2, 2],
        'a card that anybody may hold, and a face that is not its holder',
      )
    })

    it('brings two numbers into no account, however many tabs prove one', async () => {
      await openAlone()
      const tabs = [await asked('c-1'), await asked('c-1')]
      const [yan, other] = [await personOf('yan'), await personOf('xian')]
      await Promise.all(tabs.map(({ browser, attempt }, at) => byCard(browser, attempt, at === 0 ? yan : other)))
      const owners = await Promise.all(
        [yan, other].map(async (person) => {
          const { browser, attempt, request } = await arrive()
          const { page } = await byCard(browser, attempt, person)
          return (await through(browser, page, request)).sub
        }),
      )
      assert.notEqual(owners[0], owners[1])
    })

    it('opens one account, however many tabs open one', async () => {
      const tabs = [await arrive(), await arrive(), await arrive()]
      for (const { browser, attempt } of tabs) await byNation(browser, attempt, 'c-1')
      const subs = await Promise.all(
        tabs.map(
          async ({ browser, attempt, request }) =>
            (await through(browser, await browser.post(`${attempt}/link`, { choice: 'alone' }), request)).sub,
        ),
      )
      assert.equal(new Set(subs).size, 1)
      assert.equal((await trail()).filter(({ type }) => type === 'account.opened').length, 1)
    })

    for (const [what, part, act] of [
      ['the link', 'artifacts', 'put'],
      ['the account', 'people', 'insert'],
    ] as const)
      it(`opens no half of an account where ${what} cannot be kept, and all of it the next time`, async () => {
        const { browser, attempt, request } = await arrive()
        await byNation(browser, attempt, 'c-1')
        const { artifacts, people } = server.app.storage
        const store = { artifacts, people }[part] as unknown as Record<
          string,
          (...given: unknown[]) => Promise<unknown>
        >
        const works = store[act] as (...given: unknown[]) => Promise<unknown>
        let opened = 0
        const insert = people.insert.bind(people)
        if (part !== 'people') people.insert = (row) => ((opened += 1), insert(row))
        store[act] = (...given) =>
          part === 'people' || JSON.stringify(given).includes('"Link"')
            ? Promise.reject(new Error('full'))
            : works.apply(store, given)
        assert.equal((await browser.post(`${attempt}/link`, { choice: 'alone' })).status, 500)
        store[act] = works
        assert.equal(opened, 0)
        assert.equal(stepOf(await browser.get(`${attempt}/link`)), 'link')
        await through(browser, await browser.post(`${attempt}/link`, { choice: 'alone' }), request)
        const again = await arrive()
        const direct = await byNation(again.browser, again.attempt, 'c-1')
        assert.ok((await through(again.browser, direct, again.request)).sub)
      })

    it('leaves no account behind that another tab has opened for it meanwhile', async () => {
      const yan = await personOf('yan')
      await signedIn(server, party, yan)
      server.clock.advance(2_000)
      const tab = await waiting('c-1')
      const alone = await openAlone()
      await byCard(tab.browser, tab.attempt, yan)
      assert.equal((await trail()).filter(({ type }) => type === 'account.merged').length, 1)
      assert.equal(stepOf(await alone.browser.get('/me')), 'phone', 'its session has ended')
    })

    it('leaves no account silently, where another tab has linked it meanwhile', async () => {
      const [yan, xian] = [await personOf('yan'), await personOf('xian')]
      await signedIn(server, party, yan)
      server.clock.advance(2_000)
      const tabs = [await waiting('c-1'), await waiting('c-1')]
      for (const [at, person] of [yan, xian].entries()) {
        const tab = tabs[at] ?? assert.fail()
        await byCard(tab.browser, tab.attempt, person)
      }
      const events = (await trail()).map(({ type }) => String(type)).filter((type) => type.startsWith('link.'))
      assert.deepEqual(events, ['link.added', 'link.added', 'link.removed'])
      const texts = server.gateway.texts(yan.phone).filter(({ text }) => text.template === 'notice')
      assert.equal(texts.length, 2)
    })

    it('is the code that was shown last, and not one that waited before it', async () => {
      const { browser, attempt, request } = await waiting('c-1')
      await byNation(browser, attempt, 'c-2', 'nation-face')
      const opened = await browser.post(`${attempt}/link`, { choice: 'alone' })
      const { sub } = await through(browser, opened, request)
      const again = await arrive()
      const direct = await byNation(again.browser, again.attempt, 'c-2')
      assert.equal((await through(again.browser, direct, again.request)).sub, sub)
      const first = await arrive()
      assert.equal(stepOf(await byNation(first.browser, first.attempt, 'c-1')), 'link')
    })

    it('says on every page that it waits to be linked, so that nobody links a stranger’s', async () => {
      const { browser, attempt } = await waiting('c-1')
      await choose(browser, attempt, 'card')
      for (const step of ['phone', 'method', 'prove'])
        assert.match((await browser.get(`${attempt}/${step}`)).text, /刚才确认的不是您本人的/)
      const fresh = await arrive()
      assert.doesNotMatch(fresh.page.text, /刚才确认的不是您本人的/)
    })

    it('reaches no more than the level it was linked at', async () => {
      const yan = await personOf('yan')
      await signedIn(server, party, yan)
      server.clock.advance(2_000)
      const { browser, attempt } = await arrive()
      await byNation(browser, attempt, 'c-1', 'nation-face')
      const list = await browser.post(`${attempt}/link`, { choice: 'other' })
      await provePhone(server, browser, list, yan.phone)
      const links = await server.app.storage.artifacts.byAccount('Link', '')
      assert.deepEqual(links, [], 'no link stands under a name that can be read')
      const added = (await trail()).find(({ type }) => type === 'link.added')
      assert.equal(added?.['level'], 2)
    })
  })
})
