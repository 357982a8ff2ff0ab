import { strict as assert } from 'node:assert'
import type { AuditEvent } from '#src/audit/recorder.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { DocumentKind } from '#src/identity/id-number.ts'
import { createCitizenNotices, type CitizenNotices } from '#src/login/citizen-notices.ts'
import { createOutbox, type Outbox } from '#src/outbox/outbox.ts'
import type { Storage } from '#src/storage/storage.ts'
import { noticeText, type NoticeEvent } from '#src/verifiers/sms/texts.ts'
import type { SmsGateway } from '#src/verifiers/sms/gateway.ts'
import { createOutboxGateway, type OutboxGateway } from '#src/verifiers/sms/outbox-gateway.ts'
import { movableClock, type Clock } from '../support/app.ts'
import { openSealedStore } from '../support/sealing.ts'

const phone = '+8619900000001'
const day = 86_400_000

describe('notices to citizens', () => {
  let storage: Storage
  let outbox: Outbox
  let kept: OutboxGateway
  let clock: Clock
  let notices: CitizenNotices
  let failing: boolean
  const events: AuditEvent[] = []

  beforeEach(async () => {
    clock = movableClock()
    failing = false
    events.length = 0
    const sealed = await openSealedStore(undefined, undefined, clock.now)
    storage = sealed.storage
    outbox = createOutbox({ storage, giveUpAfterMs: day, now: clock.now })
    kept = createOutboxGateway(clock.now)
    const gateway: SmsGateway = {
      name: 'test',
      send: (to, text) => (failing ? Promise.reject(new Error('down')) : kept.send(to, text)),
    }
    notices = createCitizenNotices({
      outbox,
      gateway,
      vault: sealed.vault,
      storage,
      recorder: { record: async (event) => void events.push(event) },
      city: { zh: '示例市', en: 'Example City' },
      hotline: '12345',
      now: clock.now,
    })
  })
  afterEach(async () => {
    await outbox.close()
    await storage.close()
  })

  const citizen = (kind: DocumentKind = 'resident-id-card', proven = true): Citizen => ({
    id: 'somebody',
    name: '刘䶮',
    documents: [{ kind, number: '690101199203051010', status: 'proven', from: 0 }],
    phones: [{ number: phone, proven, from: 0 }],
    proofing: 2,
    status: 'active',
  })

  it('are stored before they are sent, without a phone or a name in the open', async () => {
    await notices.tell(citizen(), 'phone-bound', [phone])
    assert.deepEqual(kept.all(), [])
    const [stored] = await storage.deliveries.take(clock.now(), 1, clock.now())
    for (const secret of [phone, phone.slice(3), '刘䶮', '690101']) assert.ok(!stored?.payload.includes(secret))
    await outbox.drain()
    assert.equal(kept.texts(phone).length, 1)
    assert.deepEqual(
      events.map(({ type, outcome, person, facts }) => [type, outcome, person, facts]),
      [['citizen.told', 'ok', 'somebody', { event: 'phone-bound' }]],
    )
  })

  it('are sent again until the gateway takes them, and say when it happened, not when they were sent', async () => {
    failing = true
    const happened = clock.now()
    await notices.tell(citizen(), 'phone-bound', [phone])
    await outbox.drain()
    assert.deepEqual(events, [])
    failing = false
    clock.advance(3_600_000)
    await outbox.drain()
    const [text] = kept.texts(phone)
    assert.ok(text)
    const { time } = noticeText({
      event: 'tried',
      at: happened,
      locale: 'zh',
      city: { zh: '', en: '' },
      hotline: '',
    }).variables
    assert.ok(text.text.text.includes(String(time)))
  })

  it('tell of a try once in 24 hours to one person, also where many come at once', async () => {
    await Promise.all(Array.from({ length: 16 }, () => notices.tellOfTry(citizen())))
    await notices.tellOfTry({ ...citizen(), id: 'somebody else' })
    await outbox.drain()
    assert.equal(kept.texts(phone).length, 2)
    clock.advance(day - 1_000)
    await notices.tellOfTry(citizen())
    clock.advance(2_000)
    await notices.tellOfTry(citizen())
    await outbox.drain()
    assert.equal(kept.texts(phone).length, 3)
  })

  it('tell nobody of a try who has proven no phone', async () => {
    await notices.tellOfTry(citizen('resident-id-card', false))
    assert.deepEqual(await storage.deliveries.counts(), { waiting: 0, buried: 0 })
  })

  it('are Chinese, and English for whoever shows a foreigner’s document', async () => {
    for (const [kind, locale] of [
      ['resident-id-card', 'zh'],
      ['hk-macao-travel-permit', 'zh'],
      ['passport', 'en'],
      ['foreigner-permanent-resident-card', 'en'],
    ] as const) {
      await notices.tell(citizen(kind), 'tried', [phone])
      await outbox.drain()
      assert.equal(kept.texts(phone)[0]?.text.locale, locale)
    }
  })
})

describe('the words of a notice', () => {
  const at = Date.parse('2026-11-24T16:05:00Z')
  const city = { zh: '示例市', en: 'Example City' }
  const of = (event: NoticeEvent, locale: 'zh' | 'en') => noticeText({ event, at, locale, city, hotline: '12345' })

  it('say what happened, when in China’s time, and what to do', () => {
    assert.equal(
      of('tried', 'zh').text,
      '【示例市一号】11月25日00:05，有人用您的姓名和证件号码登记账号，没有成功，您的账号没有变化。不是您本人办理，或者有疑问，请拨打12345。工作人员不会索要验证码。',
    )
    assert.match(of('tried', 'en').text, /^\[Example City Yihao\] 2026-11-25 00:05: somebody tried .* call 12345\./)
  })

  it('come as one template with its variables in order, in both languages, and never with a link', () => {
    for (const event of ['tried', 'reclaimed', 'claim-ended', 'phone-bound'] as const) {
      for (const locale of ['zh', 'en'] as const) {
        const { template, order, variables, text } = of(event, locale)
        assert.equal(template, 'notice')
        for (const name of order) assert.ok(text.includes(variables[name] ?? '-'), `${event} ${locale} ${name}`)
        assert.doesNotMatch(text, /http|www|:\/\/|\.(cn|com)/i)
        assert.equal(/\p{Script=Han}/u.test(text), locale === 'zh')
      }
    }
  })
})
