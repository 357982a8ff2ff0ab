/** Every sentence that refuses, in both languages, on the page it belongs to; and no form that brings the server down. */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { publicSentence, type Locale } from '#src/errors.ts'
import { loadWords, type Words } from '#src/http/words.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, cast, codeFor, personOf, stepOf } from '../support/citizen.ts'
import { numberOfAge } from '../support/login-rooms.ts'
import { relyingParty } from '../support/relying-party.ts'

const locales: readonly Locale[] = ['zh', 'en']

/** A browser in one language, and the ways to each page. */
interface Visitor {
  readonly browser: Browser
  readonly attempt: string
  readonly phone: string
  post(step: string, fields?: Readonly<Record<string, string>>): Promise<Page>
  toCode(): Promise<string>
  toDocument(): Promise<void>
  toName(kind?: string): Promise<void>
  toNumber(name: string, kind?: string): Promise<void>
  give(key: string, over?: { readonly name?: string; readonly number?: string }): Promise<Page>
}

describe('what a sign-in refuses', () => {
  let server: TestServer
  let words: (locale: Locale) => Words
  let gatewayDown = false
  let phones = 0
  before(async () => {
    words = await loadWords('views/locales')
    server = await startServer()
    const { gateway } = server
    const send = gateway.send.bind(gateway)
    Object.assign(gateway, {
      send: (...text: Parameters<typeof send>) => (gatewayDown ? Promise.reject(new Error('down')) : send(...text)),
    })
  })
  after(() => server.close())
  // The cast's numbers may be asked about five times a day.
  beforeEach(() => server.clock.advance(86_400_001))
  afterEach(() => {
    gatewayDown = false
    server.register.setDown(false)
  })

  async function visit(locale: Locale, phone = `+861985560${String(++phones).padStart(4, '0')}`): Promise<Visitor> {
    const browser = openBrowser(server.url)
    const { path } = relyingParty(server.url, 'first').request({ ui_locales: locale })
    const page = await browser.get(path)
    const attempt = attemptOf(page)
    await browser.get(`${attempt}/phone?lang=${locale}`)
    const post = (step: string, fields: Readonly<Record<string, string>> = {}) =>
      browser.post(`${attempt}/${step}`, fields)
    const visitor: Visitor = {
      ...{ browser, attempt, phone, post },
      async toCode() {
        assert.equal(stepOf(await post('phone', { phone })), 'code')
        return codeFor(server, phone)
      },
      async toDocument() {
        assert.equal(stepOf(await post('code', { code: await visitor.toCode() })), 'document')
      },
      async toName(kind = 'resident-id-card') {
        await visitor.toDocument()
        assert.equal(stepOf(await post('document', { kind })), 'name')
      },
      async toNumber(name, kind) {
        await visitor.toName(kind)
        assert.equal(stepOf(await post('name', { name })), 'number')
      },
      async give(key, over = {}) {
        const person = { ...(await personOf(key)), ...over }
        await visitor.toNumber(person.name, person.kind)
        return post('number', { number: person.number })
      },
    }
    return visitor
  }

  const isMalformed = (code: string) => /^(phone|document|name|number)_/.test(code)
  /** Does the log know this number as that of the form which was answered? */
  const wasAnswered = (reference: string) =>
    server.logged
      .map((line) => JSON.parse(line) as { reference?: string; method?: string; route?: string })
      .some((line) => line.reference === reference && line.method === 'POST' && line.route?.startsWith('/login/:id/'))
  const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0')
  const own = async (locale: Locale, key: string) => visit(locale, (await personOf(key)).phone)

  /** The code of each sentence, the page it stands on, and how one comes to hear it. */
  const refusals: Readonly<Record<string, readonly [string, (locale: Locale) => Promise<Page>]>> = {
    phone_missing: ['phone', async (locale) => (await visit(locale)).post('phone')],
    phone_invalid: ['phone', async (locale) => (await visit(locale)).post('phone', { phone: '12345' })],
    verifier_unavailable: [
      'phone',
      async (locale) => {
        gatewayDown = true
        const visitor = await visit(locale)
        const page = await visitor.post('phone', { phone: visitor.phone })
        gatewayDown = false
        await visitor.toCode()
        return page
      },
    ],
    code_wrong: [
      'code',
      async (locale) => {
        const visitor = await visit(locale)
        return visitor.post('code', { code: wrong(await visitor.toCode()) })
      },
    ],
    code_exhausted: [
      'code',
      async (locale) => {
        const visitor = await visit(locale)
        const code = wrong(await visitor.toCode())
        for (let count = 1; count < server.config.verifiers.sms.tries; count += 1) await visitor.post('code', { code })
        return visitor.post('code', { code })
      },
    ],
    code_expired: [
      'code',
      async (locale) => {
        const visitor = await visit(locale)
        const code = await visitor.toCode()
        server.clock.advance(301_000)
        return visitor.post('code', { code })
      },
    ],
    code_too_soon: [
      'code',
      async (locale) => {
        const visitor = await visit(locale)
        await visitor.toCode()
        return visitor.post('resend')
      },
    ],
    code_too_many: [
      'code',
      async (locale) => {
        const visitor = await visit(locale)
        await visitor.toCode()
        for (let count = 1; ; count += 1) {
          server.clock.advance(61_000)
          const page = await visitor.post('resend')
          if (count === server.config.verifiers.sms.perPhoneDaily) return page
        }
      },
    ],
    code_failures_day: [
      'code',
      async (locale) => {
        const visitor = await visit(locale)
        await visitor.toCode()
        const { failuresDaily } = server.config.login
        for (let count = 1; ; count += 1) {
          const page = await visitor.post('code', { code: wrong(codeFor(server, visitor.phone)) })
          if (count === failuresDaily) return page
          if (count % server.config.verifiers.sms.tries > 0) continue
          server.clock.advance(61_000)
          await visitor.post('resend')
        }
      },
    ],
    document_kind_unknown: [
      'document',
      async (locale) => {
        const visitor = await visit(locale)
        await visitor.toDocument()
        return visitor.post('document', { kind: 'library-card' })
      },
    ],
    ...Object.fromEntries(
      [
        ['name_missing', ' '],
        ['name_length', '王'.repeat(101)],
        ['name_characters', '王2'],
      ].map(([code = '', name = '']) => [
        code,
        [
          'name',
          async (locale: Locale) => {
            const visitor = await visit(locale)
            await visitor.toName()
            return visitor.post('name', { name })
          },
        ],
      ]),
    ),
    ...Object.fromEntries(
      [
        ['number_missing', ''],
        ['number_length', '69010119920305101'],
        ['number_characters', '69010119920305101Y'],
        ['number_region', '990101199203051010'],
        ['number_date', '690101199202301010'],
        ['number_check', '690101199203051011'],
      ].map(([code = '', number = '']) => [
        code,
        ['number', async (locale: Locale) => (await visit(locale)).give('yan', { number })],
      ]),
    ),
    'proof_under-14': [
      'number',
      async (locale) => (await visit(locale)).give('child', { number: numberOfAge(13, server.clock.now()) }),
    ],
    proof_mismatch: ['number', async (locale) => (await visit(locale)).give('yan', { name: '刘燕' })],
    'proof_not-possible': ['number', async (locale) => (await own(locale, 'deceased')).give('deceased')],
    'proof_document-void': ['number', async (locale) => (await own(locale, 'void')).give('void')],
    proof_renamed: [
      'number',
      async (locale) => (await visit(locale)).give('renamed', { name: (await cast('renamed')).formerNames[0] ?? '' }),
    ],
    proof_renumbered: [
      'number',
      async (locale) =>
        (await visit(locale)).give('renumbered', { number: (await cast('renumbered')).formerNumbers[0] ?? '' }),
    ],
    proof_taken: [
      'number',
      async (locale) => {
        await (await own(locale, 'maria')).give('maria').catch(() => undefined)
        return (await visit(locale)).give('maria')
      },
    ],
    proof_closed: [
      'number',
      async (locale) => {
        const { kind, number } = await cast('ayiguli')
        await (await own(locale, 'ayiguli')).give('ayiguli').catch(() => undefined)
        const citizen = await server.app.directory.byDocument(kind, number)
        await server.app.directory.suspend(citizen?.id ?? '')
        server.clock.advance(61_000)
        return (await own(locale, 'ayiguli')).give('ayiguli')
      },
    ],
    'proof_phone-not-yours': [
      'number',
      async (locale) => {
        const key = locale === 'zh' ? 'xian' : 'teenager'
        const visitor = await visit(locale)
        assert.equal(stepOf(await visitor.give(key)), 'low')
        server.clock.advance(61_000)
        return (await visit(locale, visitor.phone)).give(key)
      },
    ],
    'proof_too-often': [
      'number',
      async (locale) => {
        const visitor = await visit(locale)
        const { number } = await personOf('elder')
        await visitor.give('elder', { name: '查无此人' })
        for (let count = 1; count < server.config.login.registerChecksDaily; count += 1) {
          await visitor.post('number', { number })
        }
        return visitor.post('number', { number })
      },
    ],
    proof_unavailable: [
      'number',
      async (locale) => {
        server.register.setDown(true)
        return (await visit(locale)).give('yan')
      },
    ],
  }

  for (const [code, [step, hear]] of Object.entries(refusals)) {
    it(`says ${code} on the page «${step}», in both languages, with a number to quote`, async () => {
      const variables = { count: 4, minutes: 1 }
      const sentences = locales.map(
        (locale) => publicSentence(code, locale) ?? words(locale)(`fault.${code}`, variables),
      )
      assert.notEqual(sentences[0], sentences[1])
      assert.match(sentences[0] ?? '', /\p{Script=Han}/u)
      assert.doesNotMatch(sentences[1] ?? '', /\p{Script=Han}|fault\.[a-z]/u)
      for (const [index, locale] of locales.entries()) {
        const page = await hear(locale)
        assert.equal(page.status, 200)
        assert.equal(stepOf(page), step)
        assert.match(page.text, /role="alert"/)
        const reference = numberOn(page)
        const records = await server.app.storage.audit.byReference(reference, 10)
        // What no parser took was never judged: of that the log alone knows the number.
        assert.equal(records.length > 0, !isMalformed(code), `${code}: ${records.length} records of ${reference}`)
        assert.ok(wasAnswered(reference), `${code}: the log does not know ${reference}`)
        assert.ok(visible(page.text).includes(sentences[index] ?? ''), visible(page.text))
        assert.doesNotMatch(page.text, /\{\{|fault\.[a-z]/)
        server.clock.advance(61_000)
      }
    })
  }

  it('keeps the number of a refusal over a reload and a page in between, until the next one', async () => {
    const visitor = await visit('zh')
    const code = wrong(await visitor.toCode())
    const refused = await visitor.post('code', { code })
    const reference = numberOn(refused)
    await visitor.browser.get(`${visitor.attempt}/phone`)
    assert.equal(numberOn(await visitor.browser.get(refused.url)), reference)
    assert.notEqual(numberOn(await visitor.post('code', { code })), reference)
  })

  it('has no sentence that is not heard here, with those of passkeys and methods (flows/passkey, flows/methods, flows/card-face), where people share a phone, a server ends in between or an address is busy', () => {
    const all = locales.map((locale) => {
      const { fault } = JSON.parse(readFileSync(`views/locales/${locale}.json`, 'utf8')) as { fault: object }
      const others = Object.keys(fault).filter(
        (key) => !/^(passkey|method|consent|link|person|card|certificate|face)_/.test(key),
      )
      return others.map((key) => key.replace(/_(one|other)$/, ''))
    })
    const heard = new Set([...Object.keys(refusals), 'who_missing', 'code_used', 'code_busy'])
    for (const keys of all)
      assert.deepEqual(new Set(keys), new Set([...heard].filter((key) => !publicSentence(key, 'zh'))))
  })

  describe('forms that nobody filled in', () => {
    const long = 'x'.repeat(20_000)
    const bodies: readonly [string, string, string?][] = [
      ['nothing', ''],
      ['another field', 'other=x'],
      ['a field twice', 'F=1&F=2'],
      ['a field too long', `F=${'9'.repeat(5_000)}`],
      ['a body too long', `F=${long}`],
      ['too many fields', Array.from({ length: 50 }, (_, index) => `a${index}=1`).join('&')],
      ['brackets', 'F[$ne]=1&F[]=2&__proto__[x]=1&constructor=1'],
      ['control characters', 'F=%00%01%1b%ff%fe%E4%BD'],
      ['broken escapes', 'F=%&%=%zz'],
      ['lone surrogates and marks', `F=${encodeURIComponent('\ufffd\u202e\u0301')}%ED%A0%80`],
      ['markup', `F=${encodeURIComponent('<script>alert(1)</script>"\'&')}`],
      ['JSON', '{"F":"1"}', 'application/json'],
      ['another charset', 'F=1', 'application/x-www-form-urlencoded; charset=gb18030'],
      [
        'a file',
        '--x\r\nContent-Disposition: form-data; name="F"\r\n\r\n1\r\n--x--',
        'multipart/form-data; boundary=x',
      ],
    ]
    const fields = {
      phone: 'phone',
      code: 'code',
      resend: 'x',
      who: 'person',
      document: 'kind',
      name: 'name',
      number: 'number',
    }

    for (const [what, body, type = 'application/x-www-form-urlencoded'] of bodies) {
      it(`get an answer and no fault of the server: ${what}`, async () => {
        for (const stage of ['phone', 'code', 'document', 'name', 'number'] as const) {
          const visitor = await visit('zh')
          if (stage === 'code') await visitor.toCode()
          if (stage === 'document') await visitor.toDocument()
          if (stage === 'name') await visitor.toName()
          if (stage === 'number') await visitor.toNumber('刘䶮')
          for (const [step, field] of Object.entries(fields)) {
            const headers = { origin: server.url, 'content-type': type }
            const init = { method: 'POST', body: body.replaceAll('F', field), headers }
            const answer = await visitor.browser.once(`${visitor.attempt}/${step}`, init)
            assert.ok(
              answer.status === 303 || (answer.status >= 400 && answer.status < 500),
              `${step} ${answer.status}`,
            )
            const page = await visitor.browser.get(`${visitor.attempt}/phone`)
            assert.equal(page.status, 200, `${step} left a page that does not open`)
            assert.doesNotMatch(page.text, /<script>alert/)
          }
          server.clock.advance(61_000)
        }
      })
    }

    it('get an answer to addresses that are none', async () => {
      const { browser, attempt } = await visit('zh')
      const odd = ['%ff', '%00', '..%2f..', 'x'.repeat(3_000), '__proto__', 'constructor', '%2e%2e', '🙂', "'--", '[a]']
      for (const part of odd) {
        for (const path of [
          `/login/${part}/phone`,
          `/login/${part}`,
          `${attempt}/${part}`,
          `${attempt}/phone/${part}`,
        ]) {
          const get = await browser.once(path)
          const post = await browser.once(path, { method: 'POST', headers: { origin: server.url } })
          for (const { status } of [get, post]) assert.ok(status < 500, `${path} ${status}`)
        }
      }
    })
  })
})

/** The 编号 that a page of a refusal shows. */
function numberOn({ text }: Page): string {
  const [, reference] = /class="reference">([0-9A-Z]{5}-[0-9A-Z]{5})</.exec(text) ?? []
  assert.ok(reference, 'the page shows no number')
  return reference
}

/** What a page says, without its markup. */
const visible = (html: string): string =>
  html
    .replace(/<[^>]+>/g, '')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
