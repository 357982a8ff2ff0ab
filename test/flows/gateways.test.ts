/** A server with gateways of every manner, in order: HTTP carriers, a line that stays, a voice service. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { attemptOf, stepOf } from '../support/citizen.ts'
import { cmppAccount, cmppSecret, startCmppServer, type CmppServer } from '../support/cmpp-gateway.ts'
import { relyingParty } from '../support/relying-party.ts'
import { startPeer, type Peer } from '../support/signed-peer.ts'
import { startCarriers, type Carriers } from '../support/sms-carriers.ts'
import { temporaryDirectories } from '../support/temporary.ts'

interface TrailRecord {
  readonly type: string
  readonly outcome: string
  readonly reason?: string
  readonly verifier?: string
  readonly facts?: { readonly message?: string }
}

describe('signing in by codes that several gateways send', () => {
  const newDirectory = temporaryDirectories()
  const reportKey = randomBytes(32).toString('base64url')
  let carriers: Carriers
  let cmpp: CmppServer
  let peer: Peer
  let server: TestServer
  let phones = 0
  before(async () => {
    carriers = await startCarriers()
    peer = await startPeer()
  })
  after(() => {
    carriers.close()
    peer.close()
  })

  beforeEach(async () => {
    cmpp = await startCmppServer('3.0')
    await carriers.behave('')
    await peer.behave('')
    const directory = newDirectory()
    const secretFile = (name: string, secret: string): string => {
      const file = join(directory, name)
      writeFileSync(file, `${secret}\n`, { mode: 0o600 })
      return file
    }
    const templates = { code: { zh: 'SMS_1', en: 'SMS_2' }, notice: { zh: 'SMS_3', en: 'SMS_4' } }
    const gateways = [
      {
        ...{ kind: 'aliyun', url: carriers.url, keyId: 'key-id', algorithm: 'ACS3-HMAC-SM3', sign: '示例市一号' },
        ...{ keyFile: secretFile('aliyun', carriers.secret), templates, timeout: 5 },
      },
      {
        ...{ kind: 'cmpp', version: '3.0', host: '127.0.0.1', port: cmpp.port, account: cmppAccount },
        ...{ keyFile: secretFile('cmpp', cmppSecret), serviceId: 'YIHAO', source: '10690001', timeout: 5 },
      },
      {
        ...{ kind: 'yunmas', url: `${carriers.url}/sms`, ecName: '示例市数据局', apId: 'api', sign: 'aBcD' },
        ...{
          keyFile: secretFile('yunmas', carriers.secret),
          reportKeyFile: secretFile('report', reportKey),
          timeout: 5,
        },
      },
    ]
    const voice = { kind: 'http', url: `${peer.url}/sms`, keyFile: secretFile('voice', peer.key.toString('base64url')) }
    server = await startServer({
      settings(config) {
        const verifiers = config['verifiers'] as { sms: object; voice: object }
        Object.assign(verifiers.sms, { gateways })
        Object.assign(verifiers.voice, { gateways: [{ ...voice, timeout: 2 }] })
      },
      overrides: { smsGateway: undefined, voiceGateway: undefined },
    })
  })
  afterEach(async () => {
    await server.close()
    cmpp.close()
    assert.ok(!cmpp.happened.some(({ event }) => event === 'violation'))
  })

  const records = async (): Promise<readonly TrailRecord[]> =>
    (await server.app.storage.audit.read(server.config.audit.node, 0, 1000)).map(
      ({ body }) => JSON.parse(body) as TrailRecord,
    )
  const recordsOf = async (type: string) => (await records()).filter((record) => record.type === type)
  /** The trail is written behind what this waits for. */
  const recorded = async (type: string): Promise<TrailRecord> => {
    for (;;) {
      const [record] = await recordsOf(type)
      if (record) return record
      await new Promise((done) => setImmediate(done))
    }
  }

  interface Visitor {
    readonly phone: string
    readonly browser: Browser
    readonly attempt: string
    ask(): Promise<Page>
    press(button: 'resend' | 'voice'): Promise<Page>
    answer(code: string): Promise<Page>
  }
  const visit = async (): Promise<Visitor> => {
    const phone = `+861985591${String(++phones).padStart(4, '0')}`
    const browser = openBrowser(server.url)
    const attempt = attemptOf(await browser.get(relyingParty(server.url, 'first').request().path))
    return {
      ...{ phone, browser, attempt },
      ask: () => browser.post(`${attempt}/phone`, { phone }),
      press: (button) => browser.post(`${attempt}/${button}`, {}),
      answer: (code) => browser.post(`${attempt}/code`, { code }),
    }
  }
  const codeIn = (text: unknown): string => /(?<!\d)\d{6}(?!\d)/.exec(String(text))?.[0] ?? ''
  const lastCall = async () => (await peer.seen()).at(-1)?.question as { variables: { code: string }; text: string }

  it('takes the first and records under which reference it took the text', async () => {
    const { ask, answer } = await visit()
    assert.equal(stepOf(await ask()), 'code')
    const { question } = (await carriers.seen()).at(-1) ?? {}
    const { code } = JSON.parse(String(question?.['TemplateParam'])) as { code: string }
    const [sent] = await recordsOf('challenge.sent')
    assert.match(sent?.facts?.message ?? '', /^aliyun:9006\d{14}\^0$/)
    assert.equal(stepOf(await answer(code)), 'document')
  })

  for (const mode of ['broken', 'torn', 'page', 'empty', 'refuse-account', 'refuse-number', 'hang'])
    it(`goes on to the next within 5 s where the first is ${mode}, says so in the log and quotes nothing`, async () => {
      await carriers.behave(mode)
      const { phone, ask, answer } = await visit()
      const started = performance.now()
      assert.equal(stepOf(await ask()), 'code')
      assert.ok(performance.now() - started < 5_000)
      const text = await cmpp.next('submit')
      const code = codeIn(text['text'])
      assert.match((await recordsOf('challenge.sent'))[0]?.facts?.message ?? '', /^cmpp:[0-9a-f]{16}$/)
      const logged = server.logged.join('')
      assert.ok(server.logged.some((line) => line.includes('a gateway failed') && line.includes('"gateway":"aliyun"')))
      for (const secret of [phone.slice(3), code, carriers.secret, '13800000000', 'Permits'])
        assert.ok(!logged.includes(secret), secret)
      assert.equal(stepOf(await answer(code)), 'document')
    })

  it('leaves a broken gateway alone after a while, and calls where none sends texts', async () => {
    await carriers.behave('broken')
    await cmpp.tell({ mode: 'result-8' })
    const { failures } = server.config.verifiers.sms.breaker
    for (let count = 0; count < failures; count += 1) {
      const page = await (await visit()).ask()
      assert.equal(stepOf(page), 'phone')
      assert.match(page.text, /这种验证方式暂时不可用/)
    }
    const asked = (await carriers.seen()).length
    const { ask, answer, phone } = await visit()
    const page = await ask()
    assert.match(page.text, /正在拨打 198\*\*\*\*\d{4}，请接听电话/)
    assert.equal((await carriers.seen()).length, asked)
    const { variables, ...question } = await lastCall()
    assert.deepEqual(question, { ...question, phone, template: 'call', locale: 'zh' })
    assert.equal(stepOf(await answer(variables.code)), 'document')
  })

  it('puts on record by that reference, and without the number, what a gateway reports', async () => {
    await carriers.behave('broken')
    const { phone, ask } = await visit()
    await ask()
    const { id, text } = await cmpp.next('submit')
    await cmpp.tell({ report: { id, stat: 'UNDELIV', number: 32 } })
    await cmpp.tell({ report: { id, stat: 'UNDELIV', number: 32 } })
    await cmpp.next('answer')
    await cmpp.next('answer')
    const record = await recorded('challenge.undelivered')
    const [sent] = await recordsOf('challenge.sent')
    assert.deepEqual(record, {
      type: 'challenge.undelivered',
      outcome: 'failed',
      reason: 'code UNDELIV',
      facts: sent?.facts,
    })
    assert.equal((await recordsOf('challenge.undelivered')).length, 1)
    const trail = JSON.stringify(await records())
    for (const secret of [phone.slice(3), codeIn(text)]) assert.ok(!trail.includes(secret))
  })

  it('takes reports that are posted with the key of the address, and knows no such page otherwise', async () => {
    const report = { msgGroup: 'g-1', mobile: '19900000001', reportStatus: 'DELIVRD', errorCode: 'DELIVRD' }
    const post = (path: string, body: string) =>
      fetch(`${server.url}/receipts/${path}`, { method: 'POST', body, headers: { 'content-type': 'text/plain' } })
    for (const path of ['yunmas/wrong', `aliyun/${reportKey}`, `__proto__/${reportKey}`])
      assert.equal((await post(path, JSON.stringify(report))).status, 404)
    assert.equal((await fetch(`${server.url}/receipts/yunmas/${reportKey}`)).status, 404)
    for (const body of ['', 'x', '{}', '[7]', `${'['.repeat(100)}`]) {
      const { status } = await post(`yunmas/${reportKey}`, body)
      assert.ok(status === 400 || status === 404, `${body.slice(0, 5)}: ${status}`)
    }
    assert.deepEqual(await recordsOf('challenge.delivered'), [])
    for (let count = 0; count < 2; count += 1)
      assert.equal((await post(`yunmas/${reportKey}`, JSON.stringify([report]))).status, 200)
    assert.deepEqual(await recordsOf('challenge.delivered'), [
      { type: 'challenge.delivered', outcome: 'ok', facts: { message: 'yunmas:g-1' } },
    ])
    const logged = server.logged.join('')
    for (const secret of [reportKey, '19900000001']) assert.ok(!logged.includes(secret))
  })

  describe('the call that says a code', () => {
    it('comes once the pause is over, in place of the text, and is evidence by telephone', async () => {
      const { phone, ask, press, answer } = await visit()
      const page = await ask()
      assert.match(page.text, /用语音听验证码/)
      const early = await press('voice')
      assert.match(early.text, /刚刚已经发过验证码，请查看短信或接听电话/)
      const { question } = (await carriers.seen()).at(-1) ?? {}
      const { code: textCode } = JSON.parse(String(question?.['TemplateParam'])) as { code: string }
      server.clock.advance(61_000)
      const called = await press('voice')
      assert.equal(stepOf(called), 'code')
      assert.match(called.text, /正在拨打/)
      const { variables, text } = await lastCall()
      assert.ok(text.includes([...variables.code].join('，')))
      if (variables.code !== textCode) assert.match((await answer(textCode)).text, /验证码不对/)
      assert.equal(stepOf(await answer(variables.code)), 'document')
      assert.deepEqual((await recordsOf('challenge.answered')).map(({ verifier }) => verifier).at(-1), 'voice')
      assert.ok(!server.logged.join('').includes(phone.slice(3)))
    })

    it('counts with texts: they share the day of the phone', async () => {
      const { perPhoneDaily } = server.config.verifiers.sms
      const { ask, press } = await visit()
      await ask()
      for (let count = 1; count < perPhoneDaily; count += 1) {
        server.clock.advance(61_000)
        const page = await press(count % 2 ? 'voice' : 'resend')
        assert.doesNotMatch(page.text, /次数已用完/)
      }
      server.clock.advance(61_000)
      assert.match((await press('voice')).text, /次数已用完/)
      assert.match((await press('resend')).text, /次数已用完/)
    })

    it('says when the service is down what to do, and leaves the code that was sent valid', async () => {
      const { ask, press, answer } = await visit()
      await ask()
      const { question } = (await carriers.seen()).at(-1) ?? {}
      const { code } = JSON.parse(String(question?.['TemplateParam'])) as { code: string }
      server.clock.advance(61_000)
      for (const mode of ['/broken', '/unsigned', '/refuse', '/hang']) {
        await peer.behave(mode)
        const started = performance.now()
        assert.match((await press('voice')).text, /这种验证方式暂时不可用/)
        assert.ok(performance.now() - started < 5_000)
      }
      assert.equal(stepOf(await answer(code)), 'document')
    })
  })
})
