/**
 * Taking over somebody's account with his name, his number and any phone, and getting one's own account back (DESIGN D8):
 * every attack over HTTP, as the attacker would do it.
 */
import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { populationFile } from '#src/demo/cast.ts'
import { createFileRegister, type FileRegister } from '#src/demo/population-register.ts'
import { secrets, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, stepOf, type Person } from '../support/citizen.ts'
import { relyingParty, type RelyingParty, type Tokens } from '../support/relying-party.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const scope = 'openid profile phone'
const day = 86_400_000

describe('taking over an account', () => {
  const newDirectory = temporaryDirectories()
  let server: TestServer
  let register: FileRegister
  let population: string
  let receiver: Server
  let notices: { readonly path: string; readonly claims: Record<string, unknown> }[]
  /** Asks for a real name. */
  let strict: RelyingParty
  /** Asks for none, and is granted name and phone. */
  let easy: RelyingParty
  let owner: Person
  let phones = 0

  beforeEach(async () => {
    notices = []
    receiver = createServer((request, response) => {
      let body = ''
      request.on('data', (part: Buffer) => (body += part.toString()))
      request.on('end', () => {
        const token = new URLSearchParams(body).get('logout_token') ?? ''
        notices.push({ path: request.url ?? '', claims: decodeJwt(token) })
        response.writeHead(200).end()
      })
    })
    await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done))
    const host = `localhost:${(receiver.address() as AddressInfo).port}`
    const applications = testApplications().map((application, at, all) => ({
      ...application,
      backchannelLogoutUri: `http://${host}/${application.id}`,
      ...(at === 1 ? { level: 1 as const, grants: all[0]?.grants ?? [] } : {}),
    }))
    population = join(newDirectory(), 'population.json')
    writeFileSync(population, readFileSync(populationFile))
    register = createFileRegister(population)
    server = await startServer({
      applications,
      overrides: { register },
      settings: (settings) => {
        settings['outbox'] = { internalHosts: [host], timeout: 2, giveUpAfter: 3600 }
      },
    })
    strict = relyingParty(server.url, 'first')
    easy = relyingParty(server.url, 'second')
    owner = await personOf('yan')
  })
  afterEach(async () => {
    await server.close()
    receiver.close()
  })

  const newPhone = (): string => `+861985560${String(++phones).padStart(4, '0')}`
  const later = () => server.clock.advance(61_000)
  /** From an application to behind the code. */
  const arrive = async (party: RelyingParty, phone: string, browser = openBrowser(server.url)) => {
    later()
    const request = party.request({ scope })
    const page = await browser.get(request.path)
    return { browser, request, page: await provePhone(server, browser, page, phone) }
  }
  const agree = (browser: Browser, page: Page): Promise<Page> =>
    page.location === undefined && stepOf(page) === ''
      ? browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
      : Promise.resolve(page)
  /** Registers or signs in all the way, whoever it is. */
  const enter = async (party: RelyingParty, person: Person, phone = person.phone, at?: Browser) => {
    const { browser, request, page } = await arrive(party, phone, at)
    const through = stepOf(page) === 'document' ? await giveDocument(browser, page, person) : page
    const { location } = await agree(browser, through)
    assert.ok(location, `the sign-in ended at ${through.url} ${through.status} ${/<main[^]*/.exec(through.text)?.[0]}`)
    return { browser, tokens: await party.tokens(location, request) }
  }
  /** Name and number at the number page, by a phone of one's own. */
  const attempt = async (person: Person, phone = newPhone(), party = strict) => {
    const { browser, page } = await arrive(party, phone)
    return { browser, page: await giveDocument(browser, page, person) }
  }
  const texts = async (phone: string): Promise<readonly string[]> => {
    await server.app.outbox.drain()
    return server.gateway
      .texts(phone)
      .filter(({ text }) => text.template === 'notice')
      .map(({ text }) => text.text)
  }
  const ofOwner = () => server.app.directory.byDocument('resident-id-card', owner.number)
  const acrOf = ({ id_token }: Tokens) => decodeJwt(id_token)['acr']
  const isDead = async (party: RelyingParty, tokens: Tokens): Promise<void> => {
    assert.equal((await party.userinfo(tokens.access_token)).status, 401)
    assert.equal((await party.refresh(tokens.refresh_token)).status, 400)
    const body = new URLSearchParams({ token: tokens.access_token })
    const authorization = `Basic ${btoa(`${party.id}:${secrets[party.id as 'first']}`)}`
    const answer = await fetch(`${server.url}/introspect`, { method: 'POST', headers: { authorization }, body })
    assert.deepEqual(await answer.json(), { active: false })
  }
  const change = (edit: (person: Record<string, unknown>) => void, key = 'yan'): void => {
    const file = JSON.parse(readFileSync(population, 'utf8')) as { people: Record<string, unknown>[] }
    edit(file.people.find((person) => person['key'] === key) ?? {})
    writeFileSync(population, JSON.stringify(file))
  }
  /** What the page says, without what differs from visit to visit. */
  const said = ({ text, url }: Page, typed: readonly string[]): string =>
    typed
      .reduce((left, word) => left.replaceAll(word, '…'), text)
      .replaceAll(new URL(url).pathname.split('/')[2] ?? '', '…')
      .replace(/[0-9A-Z]{5}-[0-9A-Z]{5}/g, '…')
      .replace(/nonce="[^"]+"/g, '…')

  describe('of somebody who has not registered', () => {
    it('stays below the level of a service that needs a real name', async () => {
      const { browser, page } = await attempt(owner)
      assert.equal(stepOf(page), 'low')
      assert.equal(page.location, undefined)
      for (const step of ['', '/notice', '/who', '/number'])
        assert.equal((await browser.get(`${attemptOf(page)}${step}`)).location, undefined)
      assert.equal((await ofOwner())?.proofing, 1)
    })

    it('is a claim at level 1, which gives out neither name nor number', async () => {
      const phone = newPhone()
      const { browser, tokens } = await enter(easy, owner, phone)
      assert.equal(acrOf(tokens), 'urn:yihao:loa:1')
      const claims = await easy.claims(tokens.access_token)
      assert.equal(claims['phone_number'], phone, 'his own')
      assert.deepEqual(
        Object.keys(claims).filter((name) => /name|id_number|age|real/.test(name)),
        [],
      )
      const me = await browser.get('/me')
      for (const text of [me.text, JSON.stringify(claims), JSON.stringify(decodeJwt(tokens.id_token))])
        for (const secret of [owner.name, owner.number]) assert.ok(!text.includes(secret))
      assert.deepEqual(await texts(owner.phone), [], 'the register tells us no phone of his to warn')
    })

    it('ends when the owner comes with his own phone: tokens, sessions and phone, at once, and both are told', async () => {
      const phone = newPhone()
      const claimed = await enter(easy, owner, phone)
      const own = await enter(strict, owner)
      assert.equal(acrOf(own.tokens), 'urn:yihao:loa:2')
      assert.equal((await strict.claims(own.tokens.access_token))['name'], owner.name)
      await isDead(easy, claimed.tokens)
      assert.equal(stepOf(await claimed.browser.get('/me')), 'phone')
      assert.equal(stepOf(await claimed.browser.get(easy.request().path)), 'phone')
      assert.equal(stepOf((await arrive(easy, phone)).page), 'document', 'his phone opens nothing')

      const [toClaimant, ...more] = await texts(phone)
      assert.match(toClaimant ?? '', /^【示例市一号】\d+月\d+日\d\d:\d\d，用这个手机号登记的账号，.*12345/)
      assert.deepEqual(more, [])
      const [toOwner] = await texts(owner.phone)
      assert.match(toOwner ?? '', /您的账号已由您本人核实/)
      for (const text of [toClaimant, toOwner]) {
        assert.doesNotMatch(text ?? '', /http|www|:\/\/|\.(cn|com)/i)
        for (const secret of [owner.name, owner.number, owner.phone.slice(3), phone.slice(3)])
          assert.ok(!text?.includes(secret))
      }
      const [notice] = notices
      assert.equal(notice?.path, '/second')
      assert.equal(notice?.claims['sub'], decodeJwt(claimed.tokens.id_token).sub)
    })

    it('leaves the owner nothing of what was entered, agreed to or released before', async () => {
      const phone = newPhone()
      const claimed = await enter(easy, owner, phone)
      await easy.claims(claimed.tokens.access_token)
      assert.match((await claimed.browser.get('/me')).text, /第二个应用/)
      const own = await enter(strict, owner)
      const { text } = await own.browser.get('/me')
      assert.ok(!text.includes('第二个应用'), 'neither his consent nor what left for it')
      assert.ok(!text.includes(phone.slice(-4)))
      assert.equal((await ofOwner())?.phones.map(({ number }) => number).join(), owner.phone)
      const asked = await own.browser.get(easy.request({ scope }).path)
      assert.match(asked.text, /乙局/, 'the owner is asked himself')
    })

    it('is over for good where its end could not be recorded at first', async () => {
      const phone = newPhone()
      const claimed = await enter(easy, owner, phone)
      const { audit } = server.app.storage
      const append = audit.append
      const broken: typeof append = (rows) =>
        rows.some(({ body }) => body.includes('account.reclaimed')) ? Promise.reject(new Error('full')) : append(rows)
      Object.assign(audit, { append: broken })
      const { browser, page } = await attempt(owner, owner.phone)
      assert.equal(page.status, 503)
      Object.assign(audit, { append })
      assert.equal((await ofOwner())?.proofing, 1, 'nothing happened')
      const own = await enter(easy, owner)
      assert.equal(stepOf(await browser.get(`${attemptOf(page)}/number`)), '', 'the page goes on by itself')
      assert.equal(acrOf(own.tokens), 'urn:yihao:loa:2')
      await isDead(easy, claimed.tokens)
      assert.equal((await texts(phone)).length, 1)
    })

    it('cannot be kept by a sign-in that was concluded before and carried on after', async () => {
      const phone = newPhone()
      await enter(easy, owner, phone)
      later()
      const { browser, page } = await (async () => {
        const at = openBrowser(server.url)
        const start = await at.get(easy.request({ scope }).path)
        await at.post(`${attemptOf(start)}/phone`, { phone })
        return { browser: at, page: start }
      })()
      const code = server.gateway.texts(phone)[0]?.text.variables['code'] ?? ''
      const held = await browser.once(`${attemptOf(page)}/code`, {
        method: 'POST',
        body: new URLSearchParams({ code }),
        headers: { origin: server.url },
      })
      const resume = held.headers.get('location') ?? ''
      assert.match(resume, /\/auth\//, 'signed in, and the last redirect not followed')
      await enter(strict, owner)
      const carried = await browser.get(resume)
      assert.equal(carried.location, undefined)
      assert.equal(stepOf(carried), 'phone')
      const me = await browser.get('/me')
      assert.equal(stepOf(me), 'phone')
      const silent = await browser.get(easy.request({ prompt: 'none' }).path)
      assert.match(silent.location ?? '', /error=(login|interaction)_required/)
    })

    it('cannot agree to anything in the owner’s name on a page that was open before', async () => {
      const phone = newPhone()
      const { browser, page } = await arrive(easy, phone)
      const notice = await giveDocument(browser, page, owner)
      assert.equal(stepOf(notice), '', 'he is at the notice')
      const own = await enter(strict, owner)
      const answer = await browser.post(`${attemptOf(notice)}/notice`, { answer: 'agree' })
      assert.equal(answer.status, 400)
      assert.equal(answer.location, undefined)
      assert.ok(!(await own.browser.get('/me')).text.includes('第二个应用'))
    })

    it('does not disturb an owner who had claimed it himself and goes on with his own phone', async () => {
      const { browser, tokens } = await enter(easy, owner, newPhone())
      const own = await enter(strict, owner, owner.phone, browser)
      assert.equal(acrOf(own.tokens), 'urn:yihao:loa:2')
      await isDead(easy, tokens)
    })

    it('makes the claim real where the register comes to know the claimant’s phone as his', async () => {
      const phone = newPhone()
      const claimed = await enter(easy, owner, phone)
      change((person) => (person['phone'] = phone))
      const own = await enter(strict, owner, phone, claimed.browser)
      assert.equal(acrOf(own.tokens), 'urn:yihao:loa:2')
      assert.equal((await easy.userinfo(claimed.tokens.access_token)).status, 200, 'he stays signed in')
      assert.deepEqual(await texts(phone), [])
    })

    it('is told to stop by the same words as anybody when a second stranger comes', async () => {
      await attempt(owner)
      const second = await attempt(owner)
      const wrong = await attempt({ ...owner, name: '查无此人' })
      const typed = [owner.number]
      assert.equal(stepOf(second.page), 'number')
      assert.equal(said(second.page, typed), said(wrong.page, typed))
    })
  })

  describe('of somebody who is registered at level 2', () => {
    let own: { browser: Browser; tokens: Tokens }
    beforeEach(async () => {
      own = await enter(strict, owner)
    })

    it('is refused, and learns nothing that a mismatch would not say', async () => {
      const other = await personOf('xian')
      await enter(strict, other)
      const typed = [owner.number]
      const wrong = await attempt({ ...owner, name: '查无此人' })
      assert.match(wrong.page.text, /姓名、证件号码和手机号核对不上/)
      for (const party of [strict, easy]) {
        const { browser, page } = await attempt(owner, newPhone(), party)
        assert.equal(stepOf(page), 'number')
        if (party === strict) assert.equal(said(page, typed), said(wrong.page, typed))
        assert.equal(page.status, wrong.page.status)
        assert.equal((await browser.get('/me')).url.includes('/login/'), true)
      }
      // A stranger who has an account himself says he is somebody else.
      const browser = openBrowser(server.url)
      later()
      const start = await browser.get(strict.request({ scope }).path)
      await browser.post(`${attemptOf(start)}/phone`, { phone: other.phone })
      const code = server.gateway.texts(other.phone)[0]?.text.variables['code'] ?? ''
      const document = await browser.post(`${attemptOf(start)}/code`, { code, other: 'on' })
      const answer = await giveDocument(browser, document, owner)
      assert.match(answer.text, /姓名、证件号码和手机号核对不上/)

      const citizen = await ofOwner()
      assert.deepEqual(
        citizen?.phones.map(({ number }) => number),
        [owner.phone],
      )
      assert.equal((await strict.userinfo(own.tokens.access_token)).status, 200, 'the owner notices nothing')
    })

    it('counts against the attacker alike, whether name and number fit or not', async () => {
      const used = async (person: Person) => {
        const phone = newPhone()
        await attempt(person, phone)
        const key = `register-phone:${await server.app.directory.phoneKey(phone)}`
        return (await server.app.storage.counters.get(key, server.clock.now()))?.points
      }
      assert.equal(await used(owner), await used({ ...owner, name: '查无此人' }))
    })

    it('is told to the owner by a text, at most one a day, and a mismatch to nobody', async () => {
      await attempt({ ...owner, name: '查无此人' })
      assert.deepEqual(await texts(owner.phone), [])
      for (let count = 0; count < 3; count += 1) await attempt(owner)
      const [first, ...more] = await texts(owner.phone)
      assert.match(first ?? '', /有人用您的姓名和证件号码登记账号，没有成功，您的账号没有变化。.*12345/)
      assert.deepEqual(more, [])
      server.clock.advance(day)
      await attempt(owner)
      assert.equal((await texts(owner.phone)).length, 2)
    })

    it('tells one text also where five come at the same moment', async () => {
      const arrived = await Promise.all(Array.from({ length: 4 }, () => arrive(strict, newPhone())))
      await Promise.all(arrived.map(({ browser, page }) => giveDocument(browser, page, owner)))
      assert.equal((await texts(owner.phone)).length, 1)
    })

    it('is on record, with nobody in the open', async () => {
      const phone = newPhone()
      await attempt(owner, phone)
      await texts(owner.phone)
      const rows = (await server.app.storage.audit.read('node-1', 0, 10_000)).map(({ body }) => body)
      const refused = rows.filter((body) => /"account.proofed".*"reason":"taken"/.test(body))
      assert.equal(refused.length, 1)
      assert.equal(rows.filter((body) => /"citizen.told".*"tried"/.test(body)).length, 1)
      for (const secret of [owner.name, owner.number, owner.phone, phone]) assert.ok(!rows.join().includes(secret))
    })

    it('answers the owner by a phone that is not his the same, and leads him to a window', async () => {
      const { page } = await attempt(owner)
      assert.match(page.text, /本人实名的手机号；还是不行，请带证件到窗口办理/)
    })

    it('keeps the text until the gateway takes it, and never holds up the page', async () => {
      const { send } = server.gateway
      let down = true
      Object.assign(server.gateway, {
        send: (phone: string, text: Parameters<typeof send>[1]) =>
          text.template === 'notice' && down ? new Promise(() => undefined) : send(phone, text),
      })
      const started = performance.now()
      const { page } = await attempt(owner)
      assert.ok(performance.now() - started < 3_000)
      assert.equal(stepOf(page), 'number')
      down = false
      const stored = JSON.stringify(await server.app.storage.deliveries.take(server.clock.now() + day, 20, 0))
      for (const secret of [owner.phone, owner.phone.slice(3), owner.name]) assert.ok(!stored.includes(secret))
    })
  })

  describe('one’s own, with a new phone that the register knows', () => {
    it('binds it, tells the old one, and asks the register at its next use', async () => {
      const before = await enter(strict, owner)
      const phone = newPhone()
      change((person) => Object.assign(person, { phone, formerPhones: [owner.phone] }))
      const after = await enter(strict, owner, phone)
      const sub = ({ id_token }: Tokens) => decodeJwt(id_token).sub
      assert.equal(sub(after.tokens), sub(before.tokens), 'it is the same account')
      assert.equal((await strict.claims(after.tokens.access_token))['phone_number'], phone)
      const [told, ...more] = await texts(owner.phone)
      assert.match(told ?? '', /您的账号新绑定了一个手机号。.*12345/)
      assert.deepEqual(more, [])
      assert.deepEqual(await texts(phone), [])
      assert.equal((await strict.userinfo(before.tokens.access_token)).status, 200, 'he stays signed in elsewhere')

      assert.equal(stepOf((await arrive(strict, owner.phone)).page), 'document', 'the old phone opens nothing')
      assert.deepEqual(
        (await ofOwner())?.phones.map(({ number }) => number),
        [phone],
      )
      const again = await enter(strict, { ...owner, number: '', name: '' }, phone)
      assert.equal(acrOf(again.tokens), 'urn:yihao:loa:2')
    })

    it('tells nobody where he proves himself again by the phone he has', async () => {
      await enter(strict, owner)
      const { browser, page } = await (async () => {
        later()
        const at = openBrowser(server.url)
        const start = await at.get(strict.request({ scope }).path)
        await at.post(`${attemptOf(start)}/phone`, { phone: owner.phone })
        const code = server.gateway.texts(owner.phone)[0]?.text.variables['code'] ?? ''
        return { browser: at, page: await at.post(`${attemptOf(start)}/code`, { code, other: 'on' }) }
      })()
      assert.equal(stepOf(page), 'document')
      await giveDocument(browser, page, owner)
      assert.deepEqual(await texts(owner.phone), [])
    })
  })

  it('does not open a suspended account to its owner, nor say to a stranger that there is one', async () => {
    const own = await enter(strict, owner)
    await server.app.directory.suspend((await ofOwner())?.id ?? '')
    assert.equal((await strict.userinfo(own.tokens.access_token)).status, 401)
    const his = await attempt(owner, owner.phone)
    assert.match(his.page.text, /账号现在停用或已注销。请带证件到窗口办理/)
    const stranger = await attempt(owner)
    const wrong = await attempt({ ...owner, name: '查无此人' })
    assert.equal(said(stranger.page, [owner.number]), said(wrong.page, [owner.number]))
    assert.deepEqual(await texts(owner.phone), [])
  })

  it('gives a number that two people had (重号) to the one who has it, and not his account to the other', async () => {
    await enter(strict, owner)
    const file = JSON.parse(readFileSync(population, 'utf8')) as { people: object[] }
    const phone = newPhone()
    file.people.push({ key: 'twin', about: '重号', kind: owner.kind, number: owner.number, name: '钱一', phone })
    writeFileSync(population, JSON.stringify(file))
    const { page } = await attempt({ ...owner, name: '钱一' }, phone)
    assert.equal(stepOf(page), 'number')
    assert.equal((await ofOwner())?.name, owner.name)
    assert.deepEqual(await texts(owner.phone), [])
  })

  describe('when two prove the same account at once', () => {
    const both = (people: readonly { readonly phone: string }[]) =>
      Promise.all(people.map(({ phone }) => arrive(strict, phone))).then((arrived) =>
        Promise.all(arrived.map(async ({ browser, page }) => agree(browser, await giveDocument(browser, page, owner)))),
      )

    it('lets the owner have it and not the claimant, whoever is first', async () => {
      for (const order of [0, 1]) {
        const person = await personOf(order === 0 ? 'yan' : 'xian')
        owner = person
        const phone = newPhone()
        const people = [{ phone }, person]
        const pages = await both(order === 0 ? people : people.toReversed())
        const through = pages.filter(({ location }) => location !== undefined)
        assert.equal(through.length, 1)
        const citizen = await ofOwner()
        assert.equal(citizen?.proofing, 2)
        assert.deepEqual(
          citizen.phones.map(({ number }) => number),
          [person.phone],
        )
        assert.deepEqual(await server.app.directory.byPhone(phone), [])
      }
    })

    it('opens one account to the owner at two devices', async () => {
      const first = await arrive(strict, owner.phone)
      const second = await arrive(strict, owner.phone)
      const pages = await Promise.all(
        [first, second].map(async ({ browser, page }) => agree(browser, await giveDocument(browser, page, owner))),
      )
      assert.ok(pages.every(({ location }) => location !== undefined))
      assert.equal((await server.app.directory.byPhone(owner.phone)).length, 1)
    })

    it('ends the claimant once, and tells him once', async () => {
      const phone = newPhone()
      const claimed = await enter(easy, owner, phone)
      const first = await arrive(strict, owner.phone)
      const second = await arrive(strict, owner.phone)
      const pages = await Promise.all(
        [first, second].map(async ({ browser, page }) => agree(browser, await giveDocument(browser, page, owner))),
      )
      assert.ok(pages.every(({ location }) => location !== undefined))
      await isDead(easy, claimed.tokens)
      assert.equal((await texts(phone)).length, 1)
    })
  })
})
