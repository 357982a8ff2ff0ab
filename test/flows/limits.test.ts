/**
 * What sending and guessing codes costs: neither bombing a phone nor guessing pays, no stranger keeps a citizen from his
 * own device, and a hall behind one address is slowed, never blocked.
 */
import { strict as assert } from 'node:assert'
import { DatabaseSync } from 'node:sqlite'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, codeFor, personOf, signedIn, stepOf, type Person } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

const wrong = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

describe('the limits of signing in', () => {
  let server: TestServer
  let first: RelyingParty
  let phones = 0
  let addresses = 0
  const seen = { phones: new Set<string>(), addresses: new Set<string>(), devices: new Set<string>() }
  before(async () => {
    server = await startServer({
      settings: (config) => Object.assign(config['listen'] as object, { trustedProxies: ['127.0.0.1'] }),
    })
    first = relyingParty(server.url, 'first')
  })
  after(() => server.close())
  // Every count of a day is over.
  beforeEach(() => server.clock.advance(2 * 86_400_000))

  const newPhone = (): string => {
    const phone = `+861985580${String(++phones).padStart(4, '0')}`
    seen.phones.add(phone)
    return phone
  }
  const newAddress = (): string => {
    const address = `198.51.${100 + Math.floor(++addresses / 250)}.${(addresses % 250) + 1}`
    seen.addresses.add(address)
    return address
  }

  interface Stranger {
    readonly browser: Browser
    readonly attempt: string
    readonly address: string
    ask(phone: string): Promise<Page>
    answer(code: string): Promise<Page>
    /** Asks and does not look at the page. */
    press(phone: string): Promise<Response>
  }
  /** A browser at the first page of a sign-in, without any cookie of a sign-in before. */
  const stranger = async (address = newAddress(), browser?: Browser): Promise<Stranger> => {
    const at = browser ?? openBrowser(server.url, undefined, { 'x-forwarded-for': address })
    const attempt = attemptOf(await at.get(first.request({ prompt: 'login' }).path))
    const form = (fields: Record<string, string>) => ({
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { origin: server.url },
    })
    return {
      browser: at,
      attempt,
      address,
      ask: (phone) => at.post(`${attempt}/phone`, { phone }),
      answer: (code) => at.post(`${attempt}/code`, { code }),
      press: (phone) => at.once(`${attempt}/phone`, form({ phone })),
    }
  }
  const inTurn = async <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> => {
    const made: T[] = []
    while (made.length < count) {
      const size = Math.min(25, count - made.length)
      made.push(...(await Promise.all(Array.from({ length: size }, (_, index) => make(made.length + index)))))
    }
    return made
  }
  const textsTo = (phone: string): number => server.gateway.texts(phone).length
  const failed = (page: Page) => /role="alert"/.test(page.text)
  /** A citizen and the device he has signed in from. */
  const atHome = async (key: string): Promise<{ person: Person; browser: Browser }> => {
    const person = await personOf(key)
    const { browser } = await signedIn(server, first, person)
    server.clock.advance(61_000)
    seen.phones.add(person.phone)
    seen.devices.add(browser.cookies().get('device') ?? 'none')
    return { person, browser }
  }
  /** Strangers everywhere have codes sent to a phone until there are no more. */
  const useUp = async (phone: string): Promise<void> => {
    for (let count = 0; count <= server.config.verifiers.sms.perPhoneDaily; count += 1) {
      await (await stranger()).press(phone)
      server.clock.advance(61_000)
    }
    const refused = await (await stranger()).ask(phone)
    assert.match(refused.text, /今天获取验证码的次数已用完/)
  }

  it('lets nobody bomb a phone, from however many addresses and browsers', async () => {
    const phone = newPhone()
    const { perPhoneDaily } = server.config.verifiers.sms
    const strangers = await inTurn(20, () => stranger())
    for (let round = 0; round < 2 * perPhoneDaily; round += 1) {
      const before = textsTo(phone)
      await Promise.all(strangers.map(({ press }) => press(phone)))
      assert.equal(textsTo(phone), Math.min(before + 1, perPhoneDaily))
      server.clock.advance(61_000)
    }
    assert.equal(textsTo(phone), perPhoneDaily)
  })

  it('sends one of two hundred that are asked for at once', async () => {
    const phone = newPhone()
    const { browser, attempt } = await stranger()
    const press = (address: string) =>
      browser.once(`${attempt}/phone`, {
        method: 'POST',
        body: new URLSearchParams({ phone }),
        headers: { origin: server.url, 'x-forwarded-for': address },
      })
    await Promise.all(Array.from({ length: 200 }, () => press(newAddress())))
    assert.equal(textsTo(phone), 1)
  })

  it('says at the cap what else there is to do', async () => {
    const phone = newPhone()
    await useUp(phone)
    const { ask } = await stranger()
    const page = await ask(phone)
    assert.equal(stepOf(page), 'phone')
    for (const way of [/登录过的手机或电脑/, /到窗口办理/, /href="tel:12345"/, /附近窗口/, /明天可以再获取/])
      assert.match(page.text, way)
  })

  it('slows who has codes sent to many phones from one address, and keeps what he typed', async () => {
    const { sends, longestWait } = server.config.login.perAddress
    const { press, ask, address, browser, attempt } = await stranger()
    await inTurn(sends, () => press(newPhone()))
    const phone = newPhone()
    const page = await ask(phone)
    assert.equal(stepOf(page), 'phone')
    const seconds = Number(/请等(\d+)秒，再按一次/.exec(page.text)?.[1])
    assert.ok(seconds >= 1 && seconds <= longestWait, page.text)
    assert.ok(page.text.includes(phone.slice(-4)), 'the number is still in the field')
    assert.equal(textsTo(phone), 0)
    assert.match((await browser.get(`${attempt}/phone?lang=en`)).text, /Please wait \d+ seconds?, then press again/)
    server.clock.advance(1_000)
    await press(phone)
    assert.equal(textsTo(phone), 0, 'pressing again sooner helps nothing')
    server.clock.advance(seconds * 1000)
    assert.equal(stepOf(await ask(phone)), 'code')
    assert.equal(textsTo(phone), 1)
    assert.equal(stepOf(await (await stranger(address)).ask(newPhone())), 'code', 'a minute later it is quiet again')
  })

  it('gives one pass for one wait, however many presses use it at once', async () => {
    const { sends } = server.config.login.perAddress
    const crowd = await stranger()
    await inTurn(sends, () => crowd.press(newPhone()))
    const { ask, press } = await stranger(crowd.address)
    const seconds = Number(/请等(\d+)秒/.exec((await ask(newPhone())).text)?.[1])
    server.clock.advance(seconds * 1000)
    await inTurn(sends, () => crowd.press(newPhone()))
    const wanted = Array.from({ length: 50 }, newPhone)
    await Promise.all(wanted.map(press))
    assert.equal(wanted.filter((phone) => textsTo(phone) > 0).length, 1)
  })

  it('gets two hundred citizens of one address through who come within a minute', async () => {
    const address = newAddress()
    const { sends, longestWait } = server.config.login.perAddress
    const begun = server.clock.now()
    const people = await inTurn(200, async () => ({ ...(await stranger(address)), phone: newPhone() }))
    const answered = async ({ answer, phone }: (typeof people)[number]) => {
      // One in ten mistypes.
      if (Number(phone.slice(-1)) === 7) assert.match((await answer(wrong(codeFor(server, phone)))).text, /还可以试/)
      assert.equal(stepOf(await answer(codeFor(server, phone))), 'document')
    }
    const waiting: { readonly at: number; readonly one: (typeof people)[number] }[] = []
    await inTurn(200, async (index) => {
      const one = people[index] as (typeof people)[number]
      const page = await one.ask(one.phone)
      if (stepOf(page) === 'code') return answered(one)
      const seconds = Number(/请等(\d+)秒/.exec(page.text)?.[1])
      assert.ok(seconds <= longestWait)
      waiting.push({ one, at: server.clock.now() + seconds * 1000 })
    })
    assert.ok(server.clock.now() - begun < 60_000, 'all came within a minute')
    assert.equal(waiting.length, 200 - sends)
    for (const { one, at } of waiting.toSorted((a, b) => a.at - b.at)) {
      server.clock.advance(Math.max(0, at - server.clock.now()))
      assert.equal(stepOf(await one.ask(one.phone)), 'code', 'his turn has come')
      await answered(one)
    }
    assert.ok(server.clock.now() - begun < 2 * longestWait * 1000)
  }).timeout(60_000)

  it('keeps codes for a known device when strangers have used up the day', async () => {
    const { person, browser } = await atHome('elder')
    const { perDeviceDaily } = server.config.verifiers.sms
    await useUp(person.phone)
    const elsewhere = await stranger()
    assert.ok(failed(await elsewhere.ask(person.phone)), 'another device of his has to wait, and is told so')
    const home = await stranger(newAddress(), browser)
    for (let count = 0; count < perDeviceDaily; count += 1) {
      assert.ok(!failed(await home.ask(person.phone)), `code ${count + 1} of his own`)
      server.clock.advance(61_000)
    }
    assert.match((await home.ask(person.phone)).text, /次数已用完/)
    assert.ok((await home.answer(codeFor(server, person.phone))).location, 'and he is in')
  })

  it('does not let a stranger’s code hold up a known device for a minute', async () => {
    const { person, browser } = await atHome('yan')
    const home = await stranger(newAddress(), browser)
    await (await stranger()).press(person.phone)
    assert.equal(stepOf(await home.ask(person.phone)), 'code')
    assert.ok((await home.answer(codeFor(server, person.phone))).location)
  })

  it('does not let strangers’ wrong codes keep a citizen out of his own device', async () => {
    const { person, browser } = await atHome('xian')
    const { tries } = server.config.verifiers.sms
    const { failuresDaily } = server.config.login
    for (let failures = 0; failures < failuresDaily; failures += tries) {
      const guesser = await stranger()
      await guesser.ask(person.phone)
      for (let count = 0; count < tries; count += 1) await guesser.answer(wrong(codeFor(server, person.phone)))
      server.clock.advance(61_000)
    }
    const late = await stranger()
    await late.ask(person.phone)
    assert.match(
      (await late.answer(codeFor(server, person.phone))).text,
      /今天输错的次数太多/,
      'not even the right one',
    )
    const home = await stranger(newAddress(), browser)
    await home.ask(person.phone)
    assert.match((await home.answer(wrong(codeFor(server, person.phone)))).text, /还可以试4次/)
    assert.ok((await home.answer(codeFor(server, person.phone))).location)
  })

  it('does not make a known device wait in the line of its address', async () => {
    const { person, browser } = await atHome('he')
    const { sends } = server.config.login.perAddress
    const crowd = await stranger()
    await inTurn(2 * sends, () => crowd.press(newPhone()))
    assert.match((await (await stranger(crowd.address)).ask(newPhone())).text, /已为您排队/)
    const page = await browser.get(first.request({ prompt: 'login' }).path)
    const headers = { origin: server.url, 'x-forwarded-for': crowd.address }
    assert.equal(stepOf(await browser.post(`${attemptOf(page)}/phone`, { phone: person.phone }, headers)), 'code')
  })

  it('makes who guesses at many phones from one address wait', async () => {
    const address = newAddress()
    const { failures } = server.config.login.perAddress
    const { tries } = server.config.verifiers.sms
    for (let count = 0; count < failures / tries; count += 1) {
      const [guesser, phone] = [await stranger(address), newPhone()]
      await guesser.ask(phone)
      for (let guess = 0; guess < tries; guess += 1) await guesser.answer(wrong(codeFor(server, phone)))
    }
    const [next, phone] = [await stranger(address), newPhone()]
    await next.ask(phone)
    const page = await next.answer(codeFor(server, phone))
    assert.equal(stepOf(page), 'code')
    const seconds = Number(/请等(\d+)秒/.exec(page.text)?.[1])
    server.clock.advance(seconds * 1000)
    assert.equal(stepOf(await next.answer(codeFor(server, phone))), 'document', 'his turn, and his code still holds')
  })

  it('takes a value that a stranger made up, or of another’s device, for no known device', async () => {
    const { person } = await atHome('elder')
    const { browser: other } = await atHome('yan')
    await useUp(person.phone)
    for (const device of ['x'.repeat(43), other.cookies().get('device') ?? '']) {
      const thief = await stranger()
      const page = await thief.browser.post(
        `${thief.attempt}/phone`,
        { phone: person.phone },
        {
          origin: server.url,
          cookie: [...thief.browser.cookies(), ['device', device]].map((pair) => pair.join('=')).join('; '),
        },
      )
      assert.match(page.text, /次数已用完/)
    }
  })

  it('remembers no public computer', async () => {
    const { person } = await atHome('xian')
    const visitor = await stranger()
    await visitor.browser.post(`${visitor.attempt}/phone`, { phone: person.phone, 'public-computer': 'on' })
    const answer = await visitor.browser.once(`${visitor.attempt}/code`, {
      method: 'POST',
      body: new URLSearchParams({ code: codeFor(server, person.phone) }),
      headers: { origin: server.url },
    })
    assert.equal(answer.status, 303)
    assert.match(answer.headers.get('location') ?? '', /\/auth\//, 'he is in')
    assert.ok(!visitor.browser.cookies().has('device'))
  })

  it('forgets nothing when the server starts anew', async () => {
    const { person, browser } = await atHome('elder')
    await useUp(person.phone)
    const [crowd, { sends }] = [await stranger(), server.config.login.perAddress]
    await inTurn(2 * sends, () => crowd.press(newPhone()))
    server = await server.restart()
    assert.match((await (await stranger(crowd.address)).ask(newPhone())).text, /已为您排队/)
    assert.match((await (await stranger()).ask(person.phone)).text, /次数已用完/)
    const home = await stranger(newAddress(), browser)
    assert.equal(stepOf(await home.ask(person.phone)), 'code')
  })

  it('keeps its counts under names that say nothing', async () => {
    const { person, browser } = await atHome('elder')
    await useUp(person.phone)
    await (await stranger(newAddress(), browser)).press(person.phone)
    const db = new DatabaseSync(server.config.storage.file, { readOnly: true })
    const keys = db
      .prepare('SELECT key FROM counters')
      .all()
      .map(({ key }) => String(key))
    const rows = db.prepare("SELECT * FROM artifacts WHERE kind IN ('Device', 'Attempt')").all()
    const spent = db.prepare('SELECT * FROM spent').all()
    db.close()
    assert.ok(keys.length > 50 && rows.some(({ kind }) => kind === 'Device'))
    for (const limit of ['send-address', 'failures-address', 'send-day-device', 'failures-day']) {
      assert.ok(
        keys.some((key) => key.startsWith(`${limit}:`)),
        limit,
      )
    }
    for (const key of keys) assert.match(key, /^[a-z-]+:[\w|.-]{20,}$/)
    assert.ok(seen.devices.size >= 4 && !seen.devices.has('none'))
    const stored = JSON.stringify([keys, rows, spent])
    for (const plain of [...seen.phones, ...seen.addresses, ...seen.devices]) {
      assert.ok(!stored.includes(plain.replace('+86', '')), plain)
    }
  })
})
