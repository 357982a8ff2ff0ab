import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { isAppError } from '#src/errors.ts'
import { backEndDeadlineMs } from '#src/verifiers/deadline.ts'
import { createVerifiers } from '#src/verifiers/registry.ts'
import type { SmsGateway, SmsText } from '#src/verifiers/sms/gateway.ts'
import { createSmsVerifier, createVoiceVerifier } from '#src/verifiers/sms/index.ts'
import { createOutboxGateway } from '#src/verifiers/sms/outbox-gateway.ts'
import type { Claim } from '#src/verifiers/verifier.ts'
import { verifierContract } from '../contracts/verifier.ts'

const phone = '+8619900000001'
const city = { zh: '示例市', en: 'Example City' }
const newMac = () => createSoftwareMac(randomBytes(32))
const mac = newMac()
const settings = { macs: () => [mac] as const, city, validity: 300, largeTypeValidity: 600, tries: 5 }

function smsUnderTest(timeoutMs?: number, create = createSmsVerifier) {
  const outbox = createOutboxGateway()
  let failing: 'throws' | 'hangs' | 'late' | undefined
  const gateway: SmsGateway = {
    name: 'outbox',
    send(to, text) {
      if (failing === 'throws') throw new Error('refused')
      if (failing === 'hangs') return new Promise(() => undefined)
      // It even fails when it is too late: nobody listens any more.
      if (failing === 'late') return new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 100))
      return outbox.send(to, text)
    },
  }
  const verifier = create({ ...settings, gateway, timeoutMs })
  const text = (): SmsText => outbox.texts(phone)[0]?.text as SmsText
  const code = (): string => String(text().variables['code'])
  return { verifier, outbox, text, code, fail: (how: typeof failing) => void (failing = how) }
}

const claim: Claim = {
  attempt: 'attempt-1',
  channel: 'web',
  locale: 'zh',
  largeType: false,
  purpose: '社保查询',
  now: 1_800_000_000_000,
}

verifierContract('sms over the outbox gateway', (timeoutMs) => {
  const { verifier, code, fail } = smsUnderTest(timeoutMs)
  return { verifier, input: phone, subject: { phone }, right: code, wrong: ['abcdef', '12345', '1234567'], fail }
})

verifierContract('voice over the outbox gateway', (timeoutMs) => {
  const { verifier, code, fail } = smsUnderTest(timeoutMs, createVoiceVerifier)
  return { verifier, input: phone, subject: { phone }, right: code, wrong: ['abcdef', '12345', '1234567'], fail }
})

describe('the voice verifier', () => {
  it('says the code digit by digit and twice, what it is for and that nobody asks for it, in both languages', async () => {
    const { verifier, text, code } = smsUnderTest(undefined, createVoiceVerifier)
    await verifier.begin(claim, phone)
    const spoken = [...code()].join('，')
    assert.equal(
      text().text,
      `您好，这里是示例市一号。您正在登录“社保查询”，验证码是：${spoken}。再说一遍：${spoken}。5分钟内有效。工作人员不会索要验证码，切勿告诉他人。`,
    )
    assert.equal(text().template, 'call')
    await verifier.begin({ ...claim, locale: 'en', purpose: 'Social insurance records' }, phone)
    const english = [...code()].join(', ')
    assert.equal(text().text.split(english).length, 3)
    assert.match(text().text, /"Social insurance records".*5 minutes.*never ask/)
  })

  it('is evidence by telephone (RFC 8176), to the level of a text, and takes no code of a text', async () => {
    const outbox = createOutboxGateway()
    const text = createSmsVerifier({ ...settings, gateway: outbox })
    const call = createVoiceVerifier({ ...settings, gateway: outbox })
    const { keep } = await call.begin(claim, phone)
    const code = String(outbox.texts(phone)[0]?.text.variables['code'])
    assert.equal((await text.finish(claim, keep, code)).ok, false)
    const outcome = await call.finish(claim, keep, code)
    assert.ok(outcome.ok)
    assert.deepEqual([outcome.evidence.amr, outcome.evidence.level], [['tel'], 2])
  })
})

describe('the sms verifier', () => {
  it('gives a gateway five seconds unless told otherwise', () => assert.ok(backEndDeadlineMs <= 5_000))

  it('says in Chinese what the code is for, how long it holds and that nobody asks for it, without a link', async () => {
    const { verifier, text, code } = smsUnderTest()
    await verifier.begin(claim, phone)
    assert.equal(
      text().text,
      `【示例市一号】验证码${code()}，用于登录“社保查询”，5分钟内有效。工作人员不会索要验证码，切勿告诉他人。`,
    )
    assert.doesNotMatch(text().text, /http|www|:\/\/|\.(cn|com)/i)
  })

  it('says the same in English', async () => {
    const { verifier, text, code } = smsUnderTest()
    await verifier.begin({ ...claim, locale: 'en', purpose: 'Social insurance records' }, phone)
    const words = text().text
    for (const part of [code(), '"Social insurance records"', 'valid for 5 minutes', 'never ask', 'tell nobody']) {
      assert.ok(words.includes(part), part)
    }
    assert.doesNotMatch(words, /http|www|:\/\/|\.(cn|com)\b/i)
    assert.equal(text().locale, 'en')
  })

  it('names the variables of the template in the order gateways want them', async () => {
    const { verifier, text, code } = smsUnderTest()
    await verifier.begin(claim, phone)
    const { template, variables, order } = text()
    assert.equal(template, 'code')
    assert.deepEqual(
      order.map((name) => variables[name]),
      [code(), '社保查询', '5'],
    )
  })

  it('gives ten minutes to who reads large type, and says so', async () => {
    const { verifier, text, code } = smsUnderTest()
    const { expiresAt, keep, show } = await verifier.begin({ ...claim, largeType: true }, phone)
    assert.equal(expiresAt, claim.now + 600_000)
    assert.equal(show['minutes'], 10)
    assert.match(text().text, /10分钟内有效/)
    assert.equal((await verifier.finish({ ...claim, now: claim.now + 599_000 }, keep, code())).ok, true)
    const normal = await verifier.begin(claim, phone)
    assert.equal(normal.expiresAt, claim.now + 300_000)
  })

  it('takes the code in full-width digits, with spaces, hyphens and pasted marks', async () => {
    const { verifier, code } = smsUnderTest()
    const { keep } = await verifier.begin(claim, phone)
    const [a, b] = [code().slice(0, 3), code().slice(3)]
    const wide = code().replace(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0))
    for (const typed of [wide, `${a} ${b}`, `${a}-${b}`, `　${wide}　`, `\u200b${code()}\n`]) {
      assert.equal((await verifier.finish(claim, keep, typed)).ok, true, JSON.stringify(typed))
    }
  })

  it('reads the phone as people type it, and refuses what is none', async () => {
    const { verifier, outbox } = smsUnderTest()
    await verifier.begin(claim, '199 0000 0001')
    assert.equal(outbox.all()[0]?.phone, phone)
    await assert.rejects(verifier.begin(claim, '12345'), (error) => isAppError(error, 'phone_invalid'))
    await assert.rejects(verifier.begin(claim, undefined), (error) => isAppError(error, 'phone_missing'))
    assert.equal(outbox.all().length, 1)
  })

  it('draws six digits, each equally often at each place', async () => {
    const rounds = 3_000
    const counts = Array.from({ length: 6 }, () => Array.from({ length: 10 }, () => 0))
    const { verifier, code } = smsUnderTest()
    for (let round = 0; round < rounds; round++) {
      await verifier.begin(claim, phone)
      assert.match(code(), /^\d{6}$/)
      ;[...code()].forEach((digit, place) => {
        const row = counts[place] as number[]
        row[Number(digit)] = (row[Number(digit)] as number) + 1
      })
    }
    // χ² with 9 degrees of freedom stays under 50 in all but one of ten million runs a place.
    for (const row of counts) {
      const expected = rounds / 10
      const chi2 = row.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0)
      assert.ok(chi2 < 50, `χ² ${chi2}`)
    }
  })

  it('binds the code with its key: another server’s key takes no code of ours', async () => {
    const { verifier, code } = smsUnderTest()
    const { keep } = await verifier.begin(claim, phone)
    const other = createSmsVerifier({
      ...settings,
      macs: () => [newMac()],
      gateway: createOutboxGateway(),
    })
    assert.equal((await other.finish(claim, keep, code())).ok, false)
  })

  it('takes a code that was sent before its key was rotated, and binds new ones with the new key alone', async () => {
    const { verifier, code, outbox } = smsUnderTest()
    const { keep } = await verifier.begin(claim, phone)
    const newer = newMac()
    const rotated = createSmsVerifier({ ...settings, macs: () => [newer, mac], gateway: outbox })
    assert.equal((await rotated.finish(claim, keep, code())).ok, true)
    const after = (await rotated.begin(claim, phone)).keep
    const sent = code()
    assert.equal((await verifier.finish(claim, after, sent)).ok, false, 'the old key knows nothing of it')
    const later = createSmsVerifier({ ...settings, macs: () => [newer], gateway: outbox })
    assert.equal((await later.finish(claim, after, sent)).ok, true)
    assert.equal((await later.finish(claim, keep, code())).ok, false)
  })
})

describe('the outbox gateway', () => {
  it('keeps the newest two hundred texts, newest first, and each phone’s apart', async () => {
    const { verifier, outbox } = smsUnderTest()
    for (let index = 0; index < 205; index++) {
      await verifier.begin(claim, `1990000${String(index % 2).padStart(4, '0')}`)
    }
    assert.equal(outbox.all().length, 200)
    assert.equal(outbox.texts('+8619900000000').length, 100)
    assert.deepEqual(outbox.texts('+8613900000000'), [])
  })
})

describe('the registry of verifiers', () => {
  const parts = {
    config: {
      city: { name: city },
      verifiers: { sms: { ...settings, breaker: { failures: 5, pause: 30 } }, own: {}, upstream: {} },
    } as never,
    codeMacs: settings.macs,
    smsGateway: createOutboxGateway(),
    passkeys: undefined as never,
    onCopied: async () => undefined,
    ownModules: new Map(),
  }

  it('builds what the channels name, once', () => {
    const verifiers = createVerifiers(['sms', 'sms'], parts)
    assert.deepEqual([...verifiers.keys()], ['sms'])
    assert.equal(verifiers.get('sms')?.cap, 2)
  })

  it('refuses a name nobody knows, also one that every object has', () => {
    for (const name of ['smoke', 'constructor', 'toString', '__proto__']) {
      assert.throws(
        () => createVerifiers([name], parts),
        (error) => isAppError(error, 'config_invalid'),
      )
    }
  })
  it('refuses a platform or a verifier of the city that takes another one’s name', () => {
    const taking = (own: object, upstream: object) => ({
      ...parts,
      config: { city: { name: city }, verifiers: { sms: settings, own, upstream } } as never,
    })
    for (const taken of [taking({}, { passkey: {} }), taking({ sms: {} }, {}), taking({ one: {} }, { one: {} })]) {
      assert.throws(
        () => createVerifiers(['sms'], taken),
        (error) => isAppError(error, 'config_invalid'),
      )
    }
  })
})
