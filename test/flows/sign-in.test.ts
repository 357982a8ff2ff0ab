import { strict as assert } from 'node:assert'
import type { Browser, Page } from '../support/browser.ts'
import { openBrowser } from '../support/browser.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { attemptOf, codeFor, giveDocument, personOf, provePhone, signedIn, stepOf } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

const wrongFor = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

describe('signing in by a code', () => {
  let server: TestServer
  let first: RelyingParty
  let phones = 0
  before(async () => {
    server = await startServer()
    first = relyingParty(server.url, 'first')
  })
  after(() => server.close())

  const newPhone = (): string => `+861985550${String(++phones).padStart(4, '0')}`
  const open = async (): Promise<{ browser: Browser; page: Page; attempt: string }> => {
    const browser = openBrowser(server.url)
    const page = await browser.get(first.request().path)
    assert.equal(stepOf(page), 'phone')
    return { browser, page, attempt: attemptOf(page) }
  }
  /** A browser that waits for a code. */
  const waiting = async (phone = newPhone()) => {
    const { browser, attempt } = await open()
    assert.equal(stepOf(await browser.post(`${attempt}/phone`, { phone })), 'code')
    const answer = (code: string) => browser.post(`${attempt}/code`, { code })
    return { browser, attempt, phone, answer, code: codeFor(server, phone) }
  }
  const counter = async (limit: string, phone: string): Promise<number> => {
    const key = `${limit}:${await server.app.directory.phoneKey(phone)}`
    return (await server.app.storage.counters.get(key, server.clock.now()))?.points ?? 0
  }

  it('counts wrong codes down, says how many tries are left, and refuses the sixth even if it is right', async () => {
    const { answer, code, browser, attempt, phone } = await waiting()
    for (const left of [4, 3, 2, 1]) {
      const page = await answer(wrongFor(code))
      assert.equal(stepOf(page), 'code')
      assert.ok(page.text.includes(`验证码不对，还可以试${left}次。`))
    }
    assert.match((await answer(wrongFor(code))).text, /错误次数太多/)
    assert.match((await answer(code)).text, /错误次数太多/)
    assert.equal(stepOf(await browser.get(`${attempt}/document`)), 'code')
    server.clock.advance(61_000)
    await browser.post(`${attempt}/resend`, {})
    assert.equal(stepOf(await answer(codeFor(server, phone))), 'document', 'a new code opens the way again')
  })

  it('refuses a code that comes too late, and one in time only once its new one is asked for', async () => {
    const { answer, code, browser, attempt, phone } = await waiting()
    server.clock.advance(300_000)
    assert.match((await answer(code)).text, /验证码已过期/)
    await browser.post(`${attempt}/resend`, {})
    assert.match((await answer(code)).text, /验证码不对/)
    assert.equal(stepOf(await answer(codeFor(server, phone))), 'document')
  })

  it('gives who reads large type ten minutes', async () => {
    const { browser, attempt } = await open()
    const phone = newPhone()
    await browser.get(`${attempt}/phone?size=large`)
    const page = await browser.post(`${attempt}/phone`, { phone })
    assert.match(page.text, /10分钟内有效/)
    server.clock.advance(599_000)
    assert.equal(stepOf(await browser.post(`${attempt}/code`, { code: codeFor(server, phone) })), 'document')
  })

  it('takes one code once when sixteen send it at the same moment, and the citizen goes on', async () => {
    const { browser, attempt, code } = await waiting()
    const before = (await records()).length
    const post = () =>
      browser.once(`${attempt}/code`, {
        method: 'POST',
        body: new URLSearchParams({ code }),
        headers: { origin: server.url },
      })
    const answers = await Promise.all(Array.from({ length: 16 }, post))
    for (const answer of answers) assert.equal(answer.status, 303)
    const answered = (await records()).slice(before).filter(({ type }) => type === 'challenge.answered')
    assert.equal(answered.filter(({ outcome }) => outcome === 'ok').length, 1)
    const page = await browser.get(`${attempt}/document`)
    assert.equal(stepOf(page), 'document')
    assert.doesNotMatch(page.text, /role="alert"/)
    assert.equal(stepOf(await browser.post(`${attempt}/document`, { kind: 'passport' })), 'name')
  })

  it('evaluates no more guesses than the limit when two hundred come at once', async () => {
    const { browser, attempt, code, phone, answer } = await waiting()
    const guesses = Array.from({ length: 200 }, (_, index) => String((Number(code) + 1 + index) % 1_000_000))
    const post = (guess: string) =>
      browser.once(`${attempt}/code`, {
        method: 'POST',
        body: new URLSearchParams({ code: guess.padStart(6, '0') }),
        headers: { origin: server.url },
      })
    const answers = await Promise.all(guesses.map(post))
    assert.ok(answers.every(({ status }) => status === 303))
    assert.equal(await counter('failures-day', phone), server.config.verifiers.sms.tries)
    assert.match((await answer(code)).text, /错误次数太多/)
  })

  it('does not forget the day’s failures for a new code', async () => {
    const { answer, browser, attempt, phone } = await waiting()
    const { tries } = server.config.verifiers.sms
    for (let failures = 1; failures <= server.config.login.failuresDaily; failures += 1) {
      await answer(wrongFor(codeFor(server, phone)))
      if (failures % tries > 0) continue
      server.clock.advance(61_000)
      await browser.post(`${attempt}/resend`, {})
    }
    assert.match((await answer(codeFor(server, phone))).text, /今天输错的次数太多/)
    server.clock.advance(61_000)
    const other = await waiting(phone)
    assert.match((await other.answer(other.code)).text, /今天输错的次数太多/, 'nor for a new attempt')
    server.clock.advance(86_400_000)
    const tomorrow = await waiting(phone)
    assert.equal(stepOf(await tomorrow.answer(tomorrow.code)), 'document')
  })

  it('counts only wrong codes as failures of the day', async () => {
    const { answer, code, phone } = await waiting()
    await answer(wrongFor(code))
    await answer(code)
    assert.equal(await counter('failures-day', phone), 1)
  })

  it('sends no more than ten codes a day to a phone, and none within a minute', async () => {
    const { browser, attempt, phone } = await waiting()
    for (let sent = 1; sent < server.config.verifiers.sms.perPhoneDaily; sent += 1) {
      assert.match((await browser.post(`${attempt}/resend`, {})).text, /刚刚已经发过验证码/)
      server.clock.advance(61_000)
      assert.doesNotMatch((await browser.post(`${attempt}/resend`, {})).text, /role="alert"/)
    }
    server.clock.advance(61_000)
    assert.match((await browser.post(`${attempt}/resend`, {})).text, /次数已用完/)
    assert.equal(server.gateway.texts(phone).length, server.config.verifiers.sms.perPhoneDaily)
  })

  it('leaves the standing code valid where another is asked for too soon', async () => {
    const { browser, attempt, answer, code, phone } = await waiting()
    assert.match((await browser.post(`${attempt}/resend`, {})).text, /刚刚已经发过验证码/)
    assert.match((await browser.post(`${attempt}/phone`, { phone })).text, /刚刚已经发过验证码/)
    assert.equal(server.gateway.texts(phone).length, 1)
    assert.equal(stepOf(await answer(code)), 'document')
  })

  it('takes no code from a browser that has not begun the sign-in', async () => {
    const { attempt, code, answer } = await waiting()
    for (const stranger of [openBrowser(server.url), (await waiting()).browser]) {
      const page = await stranger.post(`${attempt}/code`, { code })
      assert.equal(page.status, 400)
      assert.match(page.text, /已经结束或超时/)
    }
    const others = [...(await waiting()).browser.cookies()].map(([name, value]) => `${name}=${value}`).join('; ')
    const forged = await openBrowser(server.url).post(
      `${attempt}/code`,
      { code },
      { origin: server.url, cookie: others },
    )
    assert.equal(forged.status, 400, "another sign-in's cookie")
    assert.equal(stepOf(await answer(code)), 'document')
  })

  it('refuses the code of another attempt at the same phone, both ways', async () => {
    const phone = newPhone()
    const one = await waiting(phone)
    server.clock.advance(61_000)
    const other = await waiting(phone)
    assert.match((await one.answer(other.code)).text, /验证码不对/)
    assert.match((await other.answer(one.code)).text, /验证码不对/)
    assert.equal(stepOf(await one.answer(one.code)), 'document')
    assert.equal(stepOf(await other.answer(other.code)), 'document')
  })

  it('carries out no form that another site sent', async () => {
    const { browser, attempt, code, answer } = await waiting()
    const foreign: readonly Readonly<{ [name: string]: string }>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `${server.url}.evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: server.url },
      {},
    ]
    for (const headers of foreign) {
      for (const step of ['phone', 'code', 'resend', 'who', 'document', 'name', 'number', 'notice', 'abort']) {
        assert.equal((await browser.post(`${attempt}/${step}`, { code }, headers)).status, 403)
      }
    }
    assert.equal(stepOf(await answer(code)), 'document')
  })

  it('does no harm by the way back and a second tab', async () => {
    const { browser, attempt, phone, code, answer } = await waiting()
    const person = { ...(await personOf('yan')), phone }
    await answer(code)
    await browser.post(`${attempt}/document`, { kind: person.kind })
    assert.equal(stepOf(await browser.post(`${attempt}/name`, { name: person.name })), 'number')
    for (const step of ['phone', 'code', 'document', 'name', 'number']) {
      const page = await browser.get(`${attempt}/${step}`)
      assert.equal(page.status, 200)
      assert.equal(stepOf(page), step)
    }
    // The old tab sends its phone and its code once more: nothing is sent, nothing is lost.
    server.clock.advance(61_000)
    assert.equal(stepOf(await browser.post(`${attempt}/phone`, { phone })), 'number')
    assert.equal(stepOf(await answer(code)), 'number')
    assert.equal(server.gateway.texts(phone).length, 1)
    // It goes on with another phone: the tab behind proves nothing by the first phone any more.
    const other = newPhone()
    assert.equal(stepOf(await browser.post(`${attempt}/phone`, { phone: other })), 'code')
    assert.equal(stepOf(await browser.post(`${attempt}/number`, { number: person.number })), 'code')
    const page = await answer(codeFor(server, other))
    assert.equal(stepOf(page), 'number', 'what was typed is still there')
    assert.equal(stepOf(await browser.get(`${attempt}/who`)), 'who')
  })

  it('shows nothing that lies ahead', async () => {
    const { browser, attempt } = await open()
    for (const step of ['code', 'who', 'document', 'name', 'number', 'low']) {
      assert.equal(stepOf(await browser.get(`${attempt}/${step}`)), 'phone')
    }
    for (const step of ['code', 'resend', 'who', 'document', 'name', 'number', 'notice']) {
      const fields = { code: '000000', person: 'x', kind: 'passport', name: '刘䶮', number: 'E12345678' }
      assert.equal(stepOf(await browser.post(`${attempt}/${step}`, fields)), 'phone')
    }
  })

  it('is over once it is done: its pages open no more, and a new visit needs no code', async () => {
    const person = await personOf('xian')
    const { browser, page, attempt } = await open()
    await provePhone(server, browser, page, person.phone)
    const notice = await giveDocument(browser, page, person)
    assert.ok((await browser.post(`${attemptOf(notice)}/notice`, { answer: 'agree' })).location)
    for (const step of ['phone', 'code', 'number']) {
      assert.equal((await browser.get(`${attempt}/${step}`)).status, 400)
      assert.equal((await browser.post(`${attempt}/${step}`, {})).status, 400)
    }
    assert.ok((await browser.get(first.request().path)).location, 'the session stands')
  })

  it('repeats nothing when a page is loaded again', async () => {
    const { browser, attempt, answer, code, phone } = await waiting()
    await answer(wrongFor(code))
    const before = (await records()).length
    for (let count = 0; count < 3; count += 1) {
      assert.match((await browser.get(`${attempt}/code`)).text, /还可以试4次/)
    }
    assert.equal((await records()).length, before)
    assert.equal(server.gateway.texts(phone).length, 1)
    assert.match((await answer(wrongFor(code))).text, /还可以试3次/)
  })

  it('answers a known and an unknown phone byte for byte the same', async () => {
    const known = await personOf('elder')
    await signedIn(server, first, known)
    server.clock.advance(61_000)
    const seen = async (phone: string) => {
      const { browser, attempt } = await open()
      const uid = attempt.split('/')[2] ?? ''
      const masked = `${phone.slice(3, 6)}****${phone.slice(-4)}`
      const plain = (text: string) =>
        text
          .replaceAll(uid, 'uid')
          .replaceAll(masked, 'phone')
          .replace(/[0-9A-Z]{5}-[0-9A-Z]{5}/g, 'reference')
      const shown: unknown[] = []
      const look = async (path: string, fields?: Record<string, string>) => {
        const body = fields && { method: 'POST', body: new URLSearchParams(fields), headers: { origin: server.url } }
        const answer = await browser.once(`${attempt}/${path}`, body)
        const volatile = new Set(['date', 'x-request-id', 'content-length', 'etag', 'set-cookie'])
        const headers = [...answer.headers].filter(([name]) => !volatile.has(name))
        shown.push(answer.status, plain(JSON.stringify(headers)), plain(await answer.text()))
      }
      await look('phone', { phone })
      await look('code')
      await look('resend', {})
      await look('code')
      await look('code', { code: wrongFor(codeFor(server, phone)) })
      await look('code')
      return shown
    }
    assert.deepEqual(await seen(known.phone), await seen(newPhone()))
  })

  it('lets people who share a phone say who they are, and register beside each other', async () => {
    const [he, xu] = [await personOf('he'), await personOf('xu')]
    await signedIn(server, first, he)
    server.clock.advance(61_000)

    const { browser, page, attempt } = await open()
    await browser.post(`${attempt}/phone`, { phone: xu.phone })
    const document = await browser.post(`${attempt}/code`, { code: codeFor(server, xu.phone), other: 'on' })
    assert.equal(stepOf(document), 'document', 'she is not he, and says so')
    assert.equal(stepOf(await giveDocument(browser, page, xu)), '')

    for (const [person, masked] of [
      [he, '*平'],
      [xu, '*静'],
    ] as const) {
      server.clock.advance(61_000)
      const again = await open()
      const who = await provePhone(server, again.browser, again.page, person.phone)
      assert.equal(stepOf(who), 'who')
      assert.ok(!who.text.includes(he.name) && !who.text.includes(xu.name), 'names are masked')
      assert.match((await again.browser.post(`${again.attempt}/who`, {})).text, /请选择您是哪一位/)
      assert.match((await again.browser.post(`${again.attempt}/who`, { person: 'x' })).text, /请选择您是哪一位/)
      const choice = new RegExp(`value="([^"]+)"[^>]*><label[^>]*>${masked.replace('*', '\\*')}`).exec(who.text)?.[1]
      const request = first.request()
      await again.browser.post(`${again.attempt}/who`, { person: choice ?? '' })
      let done = await again.browser.get(request.path)
      if (!done.location) done = await again.browser.post(`${attemptOf(done)}/notice`, { answer: 'agree' })
      const { access_token: token } = await first.tokens(done.location ?? '', request)
      assert.equal((await first.claims(token))['name'], person.name)
    }
  })

  interface AuditRecord {
    readonly type: string
    readonly outcome: string
    readonly reason?: string
    readonly body: string
  }
  async function records(): Promise<readonly AuditRecord[]> {
    const rows = await server.app.storage.audit.read('node-1', 0, 100_000)
    return rows.map(({ body }) => ({ ...(JSON.parse(body) as Omit<AuditRecord, 'body'>), body }))
  }

  it('leaves one record for each code, answer, check and sign-in, and nobody in the open in any', async () => {
    const before = (await records()).length
    const person = await personOf('ayiguli')
    const { browser, page, attempt } = await open()
    await browser.post(`${attempt}/phone`, { phone: person.phone })
    await browser.post(`${attempt}/resend`, {})
    await browser.post(`${attempt}/code`, { code: wrongFor(codeFor(server, person.phone)) })
    await browser.post(`${attempt}/code`, { code: codeFor(server, person.phone) })
    await giveDocument(browser, page, { ...person, name: '查无此人' })
    await giveDocument(browser, page, person)
    const seen = (await records()).slice(before)
    assert.deepEqual(
      seen.map(({ type, outcome, reason }) => [type, outcome, reason]),
      [
        ['challenge.sent', 'ok', undefined],
        ['challenge.sent', 'refused', 'code_too_soon'],
        ['challenge.answered', 'refused', 'code_wrong'],
        ['challenge.answered', 'ok', undefined],
        ['register.checked', 'refused', 'mismatch'],
        ['register.checked', 'ok', undefined],
        ['account.opened', 'ok', undefined],
        ['account.proofed', 'ok', undefined],
        ['login', 'ok', undefined],
      ],
    )
    const everything = (await records()).map(({ body }) => body).join('\n') + server.logged.join('\n')
    const [name, number] = [person.name, person.number]
    for (const text of [
      name,
      number,
      person.phone,
      person.phone.slice(3),
      codeFor(server, person.phone),
      '127.0.0.1',
    ]) {
      assert.ok(!everything.includes(text), 'the trail or the log names somebody')
    }
  })
})
