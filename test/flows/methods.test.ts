import { strict as assert } from 'node:assert'
import { decodeJwt } from 'jose'
import { createHighClient } from '#src/demo/high-client.ts'
import { grant, highApplication, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn, stepOf, type Person } from '../support/citizen.ts'
import { plugIns, type PlugIns } from '../support/plug-ins.ts'
import { describeStock } from '../support/policy.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('signing in by a method that the citizen chooses', () => {
  let server: TestServer
  let plugs: PlugIns
  let high: Awaited<ReturnType<typeof highApplication>>
  let party: RelyingParty
  let other: RelyingParty

  const start = async (verifiers: readonly string[], level: 1 | 2 = 2, top = 3) => {
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
        const { channels, verifiers: settings } = config as {
          channels: { web: { verifiers: readonly string[]; top: number } }
          verifiers: { sms: { resendAfter: number } }
        }
        Object.assign(channels.web, { verifiers, top })
        settings.sms.resendAfter = 1
      },
    })
    party = relyingParty(server.url, 'first')
    other = relyingParty(server.url, 'second')
  }
  const all = ['sms', 'passkey', 'card', 'nation', 'nation-face', 'look', 'pin']
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
      assert.equal((await answers()).length, 0, 'nothing was judged, and nothing was kept for the one who began')
      assert.equal(stepOf(await browser.get(`${attempt}/prove`)), 'prove')
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

  describe('known by a code alone', () => {
    const openAlone = async (code = 'c-1') => {
      const { browser, attempt, request } = await arrive()
      const page = await byNation(browser, attempt, code)
      assert.equal(stepOf(page), 'link')
      const opened = await browser.post(`${attempt}/link`, { choice: 'alone' })
      assert.match(opened.text, /没有姓名、证件号码和手机号，这些现在不会提供/)
      return { browser, sub: (await through(browser, opened, request)).sub }
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
      assert.match(list.text, /网络身份已经确认。请用下面的方式再证明一次/)
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

    describeStock('where an application may ask for the number by law', () => {
      /** From the account without a number to the application that needs it. */
      const needed = async (code = 'c-1') => {
        const client = createHighClient({
          ...{ issuer: server.url, clientId: 'high', privateJwk: high.privateJwk, algorithm: 'ES256' },
          redirectUri: 'http://localhost:4003/callback',
          postLogoutRedirectUri: 'http://localhost:4003/signed-out',
          scope: 'openid profile id_number',
        })
        const started = await client.start()
        const browser = openBrowser(server.url)
        const page = await browser.get(started.url.slice(server.url.length))
        const attempt = attemptOf(page)
        const link = await byNation(browser, attempt, code)
        assert.equal(stepOf(link), 'link')
        assert.match(link.text, /依法需要您的证件号码/)
        assert.match((await browser.post(`${attempt}/link`, { choice: 'alone' })).text, /请选择接下来怎么办/)
        await browser.post(`${attempt}/link`, { choice: 'other' })
        const person = await personOf('yan')
        const { page: shown } = await byCard(browser, attempt, person)
        const { location = '' } = await browser.post(`${attemptOf(shown)}/notice`, { answer: 'agree' })
        const { userinfo } = await client.finish(new URL(location), started)
        assert.equal(userinfo['id_number'], person.number)
      }

      it('asks for it, and the account grows by what is proven, the same to every application', async () => {
        const { sub } = await openAlone()
        await needed()
        const again = await arrive()
        const direct = await byNation(again.browser, again.attempt, 'c-1')
        assert.equal((await through(again.browser, direct, again.request)).sub, sub)
        const byItsCard = await arrive()
        const shown = await byCard(byItsCard.browser, byItsCard.attempt, await personOf('yan'))
        assert.equal((await through(byItsCard.browser, shown.page, byItsCard.request)).sub, sub)
      })

      it('merges it into the account that the number has already, and ends it', async () => {
        const yan = await personOf('yan')
        const { tokens } = await signedIn(server, party, yan)
        server.clock.advance(2_000)
        const alone = await openAlone()
        await needed()
        assert.equal((await trail()).filter(({ type }) => type === 'account.merged').length, 1)
        const again = await arrive()
        const direct = await byNation(again.browser, again.attempt, 'c-1')
        assert.equal((await through(again.browser, direct, again.request)).sub, decodeJwt(tokens.id_token).sub)
        assert.equal(stepOf(await alone.browser.get('/me')), 'phone', 'its session has ended')
      })
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
