/** The HTTP carriers, each against its API as its documentation has it, in another language. */
import assert from 'node:assert/strict'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { acs3Headers, type Acs3Algorithm } from '#src/peers/acs3.ts'
import { createAliyunGateway } from '#src/verifiers/sms/aliyun.ts'
import type { SmsGateway } from '#src/verifiers/sms/gateway.ts'
import { tc3Headers } from '#src/peers/tc3.ts'
import { templatesFrom } from '#src/verifiers/sms/templates.ts'
import { createTencentGateway } from '#src/verifiers/sms/tencent.ts'
import { codeText, noticeText } from '#src/verifiers/sms/texts.ts'
import { createYunmasGateway } from '#src/verifiers/sms/yunmas.ts'
import { startCarriers, type Carriers } from '../../support/sms-carriers.ts'

const phone = '+8619900000001'
const city = { zh: '示例市', en: 'Example City' }
const claim = { locale: 'zh', purpose: '社保查询 (a*b) ~!' } as const
const code = codeText({ code: '012345', minutes: 5, claim, city })
const notice = noticeText({ event: 'phone-bound', at: 1_800_000_000_000, locale: 'en', city, hotline: '12345' })
const names = { code: { zh: 'SMS_1', en: 'SMS_2' }, notice: { zh: 'SMS_3', en: 'SMS_4' } }

describe('the carriers over HTTP', () => {
  let carriers: Carriers
  before(async () => {
    carriers = await startCarriers()
  })
  after(() => carriers.close())
  beforeEach(async () => {
    await carriers.behave('')
    await carriers.decide('delivered')
  })

  const common = () => ({ keyId: 'key-id', secret: carriers.secret, sign: '示例市一号', timeoutMs: 2_000 })
  const aliyun = (algorithm: Acs3Algorithm, over: object = {}): SmsGateway =>
    createAliyunGateway({
      ...{ name: 'aliyun', url: carriers.url, algorithm, templates: templatesFrom(names), ...common() },
      ...over,
    })
  const tencent = (over: object = {}): SmsGateway =>
    createTencentGateway({
      ...{ name: 'tencent', url: carriers.url, region: 'ap-guangzhou', appId: '1400000000' },
      ...{ templates: templatesFrom(names), ...common(), ...over },
    })
  const yunmas = (over: object = {}): SmsGateway =>
    createYunmasGateway({
      ...{ name: 'yunmas', url: `${carriers.url}/sms`, ecName: '示例市数据局', apId: 'api', addSerial: '' },
      ...{ ...common(), sign: 'aBcD', ...over },
    })
  const gateways: readonly (readonly [string, (over?: object) => SmsGateway])[] = [
    ['aliyun by SM3', (over) => aliyun('ACS3-HMAC-SM3', over)],
    ['aliyun by SHA-256', (over) => aliyun('ACS3-HMAC-SHA256', over)],
    ['tencent', tencent],
    ['yunmas', yunmas],
  ]
  const last = async () => (await carriers.seen()).at(-1)

  for (const [name, make] of gateways) {
    describe(name, () => {
      it('takes a code and a notice, in both languages, and gives each a reference of its own', async () => {
        const gateway = make()
        const english = codeText({ code: '543210', minutes: 10, claim: { ...claim, locale: 'en' }, city })
        const references = new Set<string>()
        for (const text of [code, notice, english]) references.add((await gateway.send(phone, text)).reference)
        assert.equal(references.size, 3)
        assert.ok(![...references].some((reference) => reference.includes('19900000001')))
      })

      it('takes nothing that was signed with another secret', async () => {
        const before = (await carriers.seen()).length
        await assert.rejects(make({ secret: 'another' }).send(phone, code), PeerFailure)
        assert.equal((await carriers.seen()).length, before)
      })

      it('fails in time, and quotes nothing, whatever comes instead of an answer', async () => {
        for (const mode of ['broken', 'page', 'torn', 'empty', 'hang', 'refuse-account']) {
          await carriers.behave(mode)
          const started = performance.now()
          await assert.rejects(make().send(phone, code, 400), (error) => {
            assert.ok(error instanceof PeerFailure && !(error instanceof PeerRefusal), `${mode}: ${String(error)}`)
            assert.match(error.detail, /^(status 503|not-json|malformed|timeout|connection.*|code [\w.]+)$/)
            return true
          })
          assert.ok(performance.now() - started < 1_500, mode)
        }
      })

      it('fails where nothing listens', async () => {
        await assert.rejects(make({ url: 'http://127.0.0.1:9/sms' }).send(phone, code), PeerFailure)
      })
    })
  }

  for (const [name, make] of gateways.filter(([name]) => name !== 'yunmas')) {
    it(`${name} tells a number that is refused from an account that is`, async () => {
      await carriers.behave('refuse-number')
      await assert.rejects(make().send(phone, code), PeerRefusal)
    })

    it(`${name} tells of each code once what became of it, and of no notice`, async () => {
      const gateway = make()
      const { reference } = await gateway.send(phone, code)
      await gateway.send(phone, notice)
      assert.deepEqual(await gateway.pull?.(), [{ gateway: gateway.name, reference, delivered: true }])
      assert.deepEqual(await gateway.pull?.(), [])
    })

    it(`${name} says by the carrier’s code why one was not delivered`, async () => {
      await carriers.decide('failed')
      const gateway = make()
      const { reference } = await gateway.send(phone, code)
      const [receipt, ...more] = (await gateway.pull?.()) ?? []
      assert.deepEqual(more, [])
      assert.deepEqual([receipt?.reference, receipt?.delivered], [reference, false])
      assert.match(receipt?.reason ?? '', /^code (MOBILE_NOT_ON_SERVICE|MK:0001)$/)
    })
  }

  it('aliyun goes on asking until the fate of a text is known, for an hour', async () => {
    let now = Date.now()
    const gateway = aliyun('ACS3-HMAC-SM3', { now: () => now })
    await carriers.decide('waiting')
    const first = await gateway.send(phone, code)
    assert.deepEqual(await gateway.pull?.(), [])
    await carriers.decide('delivered')
    assert.deepEqual(await gateway.pull?.(), [{ gateway: 'aliyun', ...first, delivered: true }])
    await carriers.decide('waiting')
    await gateway.send(phone, code)
    now += 3_700_000
    const asked = (await carriers.seen()).length
    assert.deepEqual(await gateway.pull?.(), [])
    assert.equal((await carriers.seen()).length, asked, 'it is forgotten, its number too')
  })

  it('aliyun sends the approved template with its variables by name', async () => {
    await aliyun('ACS3-HMAC-SM3').send(phone, code)
    const { question, algorithm } = (await last()) ?? {}
    assert.equal(algorithm, 'ACS3-HMAC-SM3')
    assert.deepEqual(
      { ...question, TemplateParam: JSON.parse(String(question?.['TemplateParam'])) },
      {
        PhoneNumbers: '19900000001',
        SignName: '示例市一号',
        TemplateCode: 'SMS_1',
        TemplateParam: { code: '012345', purpose: claim.purpose, minutes: '5' },
      },
    )
  })

  it('tencent sends the approved template with its variables in order', async () => {
    await tencent().send(phone, code)
    const { question } = (await last()) ?? {}
    assert.deepEqual(
      [question?.['TemplateId'], question?.['TemplateParamSet']],
      ['SMS_1', ['012345', claim.purpose, '5']],
    )
    assert.deepEqual(question?.['PhoneNumberSet'], [phone])
  })

  it('yunmas sends the words, without the signature that the platform puts before them', async () => {
    await yunmas().send(phone, code)
    const { question } = (await last()) ?? {}
    assert.match(String(question?.['content']), /^验证码012345，用于登录/)
    assert.equal(question?.['mobiles'], '19900000001')
  })

  it('yunmas reads the reports that are posted, of codes alone, and nothing else', async () => {
    const gateway = yunmas()
    const { reference } = await gateway.send(phone, code)
    const { reference: other } = await gateway.send(phone, notice)
    const report = { mobile: '19900000001', submitDate: '20270115080000', receiveDate: '20270115080001' }
    const posted = [
      { ...report, msgGroup: reference, reportStatus: 'UNDELIV', errorCode: 'DB:0141' },
      { ...report, msgGroup: other, reportStatus: 'DELIVRD', errorCode: 'DELIVRD' },
    ]
    assert.deepEqual(gateway.reported?.(posted), [
      { gateway: 'yunmas', reference, delivered: false, reason: 'code DB:0141' },
    ])
    assert.deepEqual(gateway.reported?.({ ...report, msgGroup: 'a', errorCode: 'DELIVRD' }), [
      { gateway: 'yunmas', reference: 'a', delivered: true },
    ])
    for (const nothing of [undefined, null, 'x', [], {}, [{}], { msgGroup: 7 }])
      if (!Array.isArray(nothing) || nothing.length > 0) assert.throws(() => gateway.reported?.(nothing), PeerFailure)
  })

  it('signs what the carriers’ documentation signs, to the same result', () => {
    const acs3 = acs3Headers({
      ...{ algorithm: 'ACS3-HMAC-SHA256', keyId: 'YourAccessKeyId', secret: 'YourAccessKeySecret' },
      ...{ host: 'ecs.cn-shanghai.aliyuncs.com', action: 'RunInstances', version: '2014-05-26' },
      query: { RegionId: 'cn-shanghai', ImageId: 'win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd' },
      ...{ nonce: '3156853299f313e23d1673dc12e1703d', at: Date.parse('2023-10-26T10:22:32Z') },
    })
    assert.ok(
      acs3['authorization']?.endsWith('06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0'),
      acs3['authorization'],
    )
    const tc3 = tc3Headers({
      ...{ keyId: 'AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE', secret: 'Gu5t9xGARNpq86cd98joQYCN3EXAMPLE' },
      ...{ service: 'cvm', host: 'cvm.tencentcloudapi.com', at: 1_551_113_065_000 },
      body: '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}',
    })
    assert.ok(
      tc3['authorization']?.endsWith('72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168'),
      tc3['authorization'],
    )
  })
})
