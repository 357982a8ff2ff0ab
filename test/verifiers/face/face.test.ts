/** The face verifier over each adapter, against services that are not derived from our own code (`face_services.py`). */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { isAppError } from '#src/errors.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'
import { createAliyunFace } from '#src/verifiers/face/aliyun.ts'
import { createHttpFace } from '#src/verifiers/face/http-sessions.ts'
import { createFaceVerifier } from '#src/verifiers/face/index.ts'
import type { FaceSessions } from '#src/verifiers/face/sessions.ts'
import { createTencentFace } from '#src/verifiers/face/tencent.ts'
import { guarded } from '#src/verifiers/guard.ts'
import type { Claim, Named } from '#src/verifiers/verifier.ts'
import { verifierContract } from '../../contracts/verifier.ts'
import { startFaceServices } from '../../support/face-services.ts'
import { assertNoLeak, leakDetector } from '../../support/leaks.ts'

const services = await startFaceServices()
after(() => services.close())

const mac = createSoftwareMac(randomBytes(32))
const person: Named = { kind: 'resident-id-card', number: '690101199203051010', name: '刘䶮' }
const consent = { receiver: { zh: '示例人脸核验中心', en: 'Example Face Centre' }, version: '1' }
const claim: Claim = {
  returnTo: { url: 'https://id.example.gov.cn/return/face', state: 'state-1' },
  attempt: 'attempt-1',
  channel: 'web',
  locale: 'zh',
  largeType: false,
  purpose: '社保查询',
  now: 1_800_000_000_000,
}

const account = { keyId: 'key-id', secret: services.secret, timeoutMs: 400 }
const metaInfo = JSON.stringify({ zimVer: '3.0.0', appVersion: '1', deviceType: 'h5' })
const scene = { sceneId: '1000000006', productCode: 'ID_PRO', model: 'MOVE_ACTION', metaInfo }
interface Over {
  readonly url?: string
  readonly secret?: string
  readonly key?: Uint8Array
  readonly now?: () => number
}
const aliyun = (over: Over = {}) =>
  createAliyunFace({ ...account, ...scene, algorithm: 'ACS3-HMAC-SM3', url: services.url, ...over })
const tencent = (over: Over = {}) => createTencentFace({ ...account, ruleId: '1', url: services.url, ...over })
const http = (over: Over = {}) =>
  createHttpFace({ url: `${services.url}/face`, key: services.key, timeoutMs: 800, ...over })

const adapters = { aliyun, tencent, http } as const
type Name = keyof typeof adapters

/** What each service can say that is no explicit pass of this session and this person, and the code it is refused by. */
const denials: Readonly<Record<Name, Readonly<Record<string, string>>>> = {
  aliyun: {
    failed: 'failed',
    unfinished: 'unfinished',
    loose: 'unfinished',
    'other-session': 'other-session',
    gone: 'unknown',
  },
  tencent: {
    ...{ failed: 'failed', unfinished: 'unfinished', missing: 'unfinished', contradiction: 'failed' },
    ...{ 'other-person': 'other-person', 'other-session': 'other-session', gone: 'unknown' },
  },
  http: {
    ...{ failed: 'failed', unfinished: 'unfinished', gone: 'unknown' },
    ...{ 'other-person': 'other-person', 'other-session': 'other-session' },
  },
}

const faults: unknown[] = []
const verifierOver = (sessions: FaceSessions) =>
  createFaceVerifier({ sessions, consent, validity: 600, macs: () => [mac], onFault: (error) => faults.push(error) })

/** One after the other, however fast they are asked for. */
let steering: Promise<void> = Promise.resolve()
const steer = (mode: string) => void (steering = steering.then(() => services.behave(mode)))

/** An adapter whose service behaves otherwise from the next question on. */
function steered(inner: FaceSessions) {
  steer('')
  const sessions: FaceSessions = {
    ...inner,
    create: (request) => steering.then(() => inner.create(request)),
    result: (of) => steering.then(() => inner.result(of)),
  }
  return sessions
}

const modeOf = { throws: 'broken', hangs: 'hang', late: 'late' } as const

for (const [name, make] of Object.entries(adapters)) {
  verifierContract(`face over ${name}`, (timeoutMs) => {
    const sessions = steered(make())
    const limits = { failures: 10, pauseMs: 1 }
    const strict = guarded(verifierOver(sessions), { ...limits, timeoutMs })
    // A challenge that begins before the service fails may take what a busy machine takes.
    const patient = guarded(verifierOver(sessions), { ...limits, timeoutMs: 3_000 })
    let isFailing = false
    return {
      verifier: { ...strict, begin: (...given) => (isFailing ? strict : patient).begin(...given) },
      input: person,
      subject: person,
      right: () => ({}),
      wrong: [{ response: '{"code":1000,"subCode":"Z5146"}' }, { token: 'another' }],
      denials: Object.keys(denials[name as Name]).map((mode) => () => steer(mode)),
      fail(how) {
        isFailing = true
        steer(modeOf[how])
      },
      asksAt: ['begin', 'finish'],
    }
  })

  describe(`face over ${name}`, () => {
    beforeEach(() => services.behave(''))

    it('sends the citizen to the page of a session of his own, with nothing of his in the address', async () => {
      const verifier = verifierOver(make())
      const first = await verifier.begin(claim, person)
      const second = await verifier.begin(claim, person)
      assert.match(first.leaveTo ?? '', /^https:\/\/face\.example\/act\?session=/)
      assert.notEqual(first.reference, second.reference)
      assert.ok(first.leaveTo?.includes(first.reference ?? '-'))
      assert.deepEqual(first.show, {})
      assertNoLeak(leakDetector([{ label: 'number', text: person.number }]), 'the address', first.leaveTo ?? '')
    })

    it('tells the service server-side where he comes back to', async () => {
      await verifierOver(make()).begin(claim, person)
      const { question } = (await services.asked()).findLast(({ service }) => service === name) ?? assert.fail()
      const address = question['ReturnUrl'] ?? question['RedirectUrl'] ?? question['returnTo']
      assert.equal(address, 'https://id.example.gov.cn/return/face?state=state-1')
    })

    for (const [mode, detail] of Object.entries(denials[name as Name])) {
      it(`refuses a result that is ${mode}, by a code of its own`, async () => {
        const verifier = verifierOver(make())
        const { keep } = await verifier.begin(claim, person)
        await services.behave(mode)
        assert.deepEqual(await verifier.finish(claim, keep, {}), { ok: false, reason: 'rejected', detail })
      })
    }

    it('fails in time and quotes nothing, whatever comes instead of an answer', async () => {
      const adapter = make()
      const made = await adapter.create({
        ...person,
        order: 'a'.repeat(32),
        returnTo: 'https://x.example',
        locale: 'zh',
      })
      for (const mode of ['broken', 'page', 'torn', 'hang', 'refuse-account', 'empty']) {
        await services.behave(mode)
        const started = performance.now()
        const asks = [adapter.create({ ...person, order: 'b'.repeat(32), returnTo: 'https://x.example', locale: 'zh' })]
        if (!['refuse-account', 'empty'].includes(mode))
          asks.push(adapter.result({ session: made.session, order: 'a'.repeat(32) }) as never)
        for (const ask of await Promise.allSettled(asks)) {
          assert.ok(ask.status === 'rejected' && ask.reason instanceof PeerFailure, mode)
          assert.match(
            ask.reason.detail,
            /^(status \d+|not-json|not-signed|malformed|timeout|connection.*|code [\w.]+)$/,
          )
        }
        assert.ok(performance.now() - started < 1_500, mode)
      }
    })

    it('fails where nothing listens, and where the two do not share a secret', async () => {
      const request = { ...person, order: 'c'.repeat(32), returnTo: 'https://x.example', locale: 'zh' } as const
      await assert.rejects(make({ url: 'http://127.0.0.1:9/face' }).create(request), PeerFailure)
      const other = make({ secret: 'another', key: randomBytes(32) })
      const before = (await services.asked()).length
      await assert.rejects(other.create(request), PeerFailure)
      assert.equal((await services.asked()).length, before)
    })

    it('says of a person whom the service cannot look at that his document does not fit, and goes on with others', async () => {
      const verifier = guarded(verifierOver(make()), { failures: 1, pauseMs: 60_000 })
      await services.behave('refuse-person')
      await assert.rejects(verifier.begin(claim, person), (error) => isAppError(error, 'document_unfit'))
      assert.equal(verifier.down?.(), false)
      await services.behave('refuse-account')
      await assert.rejects(verifier.begin(claim, person), (error) => isAppError(error, 'verifier_unavailable'))
      assert.equal(verifier.down?.(), true)
    })

    it('takes no session whose page is open to everybody on the way or has a name in its address', async () => {
      for (const [mode, code] of [
        ['personal', 'document_unfit'],
        ['plain', 'verifier_unavailable'],
      ] as const) {
        await services.behave(mode)
        await assert.rejects(verifierOver(make()).begin(claim, person), (error) => isAppError(error, code))
      }
    })
  })
}

describe('the face verifier', () => {
  beforeEach(() => services.behave(''))

  it('looks at nobody under 14, and goes nowhere without a way back', async () => {
    const verifier = verifierOver(http())
    const child = { kind: 'resident-id-card', number: '690101201305211062', name: '周小满' }
    const before = (await services.asked()).length
    await assert.rejects(verifier.begin(claim, child), (error) => isAppError(error, 'bad_request'))
    const { returnTo: _, ...nowhere } = claim
    await assert.rejects(verifier.begin(nowhere, person), (error) => isAppError(error, 'bad_request'))
    for (const nobody of [undefined, null, 'x', {}, { ...person, kind: 'library-card' }, { ...person, number: 7 }])
      await assert.rejects(verifier.begin(claim, nobody), (error) => isAppError(error, 'bad_request'))
    assert.equal((await services.asked()).length, before)
  })

  it('says of a document that the clouds have no photograph of that it does not fit', async () => {
    const maria = {
      kind: 'foreigner-permanent-resident-card',
      number: '969724199004170026',
      name: 'MARIA GARCIA LOPEZ',
    }
    for (const make of [aliyun, tencent])
      await assert.rejects(verifierOver(make()).begin(claim, maria), (error) => isAppError(error, 'document_unfit'))
    assert.ok((await verifierOver(http()).begin(claim, maria)).leaveTo)
  })

  it('does not take one session for two attempts or two people, even where the service gives it twice', async () => {
    const other: Named = { kind: 'resident-id-card', number: '690101198807191028', name: '王𬎆' }
    for (const make of [tencent, http]) {
      const verifier = verifierOver(make())
      await verifier.begin(claim, person)
      await services.behave('duplicate')
      const { keep } = await verifier.begin({ ...claim, attempt: 'attempt-2' }, other)
      await services.behave('')
      assert.deepEqual(await verifier.finish({ ...claim, attempt: 'attempt-2' }, keep, {}), {
        ok: false,
        reason: 'rejected',
        detail: 'other-session',
      })
    }
  })

  it('tells a name in an address from letters of the address, so that nobody makes the service look broken', async () => {
    const leading = (url: string) =>
      guarded(verifierOver({ name: 'at', create: async () => ({ session: 's-1', url }), result: http().result }), {
        failures: 1,
        pauseMs: 60_000,
      })
    for (const name of ['e', 'LI', 'face'])
      await leading('https://face.example/client?order=1').begin(claim, { ...person, name })
    const verifier = leading('https://face.example/client?order=1')
    await assert.rejects(verifier.begin(claim, { ...person, name: 'Client' }))
    assert.equal(verifier.down?.(), false)
    for (const url of ['?name=Li%20Na', '?name=li+na', '/LI%20NA/', '#Li Na'])
      await assert.rejects(leading(`https://face.example/${url}`).begin(claim, { ...person, name: 'Li Na' }), url)
  })

  it('refuses what was kept for another channel, person or session', async () => {
    const verifier = verifierOver(http())
    const { keep } = await verifier.begin(claim, person)
    const other = await verifier.begin(claim, person)
    const foreign = { ok: false, reason: 'foreign' }
    assert.deepEqual(await verifier.finish({ ...claim, channel: 'hall' }, keep, {}), foreign)
    for (const change of [{ session: other.keep['session'] }, { order: other.keep['order'] }, { name: '王𬎆' }])
      assert.deepEqual(await verifier.finish(claim, { ...keep, ...change }, {}), foreign)
  })

  it('knows a session across a change of the key, and not across two', async () => {
    const [older, newer] = [createSoftwareMac(randomBytes(32)), createSoftwareMac(randomBytes(32))]
    const over = (...macs: [typeof mac, ...(typeof mac)[]]) =>
      createFaceVerifier({ sessions: http(), consent, validity: 600, macs: () => macs, onFault: () => undefined })
    const { keep } = await over(older).begin(claim, person)
    assert.equal((await over(newer, older).finish(claim, keep, {})).ok, true)
    assert.deepEqual(await over(newer).finish(claim, keep, {}), { ok: false, reason: 'foreign' })
  })

  it('never takes an answer of the service for another question', async () => {
    const verifier = verifierOver(http())
    const { keep } = await verifier.begin(claim, person)
    assert.equal((await verifier.finish(claim, keep, {})).ok, true)
    for (const mode of ['replayed', 'unsigned']) {
      await services.behave(mode)
      await assert.rejects(verifier.finish(claim, keep, {}), PeerFailure)
    }
  })

  it('asks once more after a broken connection, for the same session', async () => {
    const adapter = http()
    await services.behave('torn')
    await assert.rejects(
      adapter.create({ ...person, order: 'd'.repeat(32), returnTo: 'https://x.example', locale: 'zh' }),
    )
    const orders = (await services.asked()).filter(({ question }) => question['order'] === 'd'.repeat(32))
    assert.equal(orders.length, 2)
  })

  it('has Alibaba Cloud delete what it holds as soon as the session has ended, and not before', async () => {
    const verifier = verifierOver(aliyun())
    const deletions = async (session: unknown) => {
      await new Promise((done) => setTimeout(done, 60))
      const asked = (await services.asked()).filter(({ action }) => action === 'DeleteFaceVerifyResult')
      return asked.filter(({ question }) => question['CertifyId'] === session).map(({ question }) => question)
    }
    const { keep } = await verifier.begin(claim, person)
    await services.behave('unfinished')
    await verifier.finish(claim, keep, {})
    assert.deepEqual(await deletions(keep['session']), [])
    await services.behave('failed')
    await verifier.finish(claim, keep, {})
    assert.deepEqual(await deletions(keep['session']), [{ CertifyId: keep['session'], DeleteAfterQuery: 'Y' }])
    await services.behave('undeleted')
    faults.length = 0
    assert.equal((await verifier.finish(claim, keep, {})).ok, true)
    await deletions(keep['session'])
    assert.ok(faults.length === 1 && faults[0] instanceof PeerFailure, 'the operator hears of it')
  })

  it('signs for Alibaba Cloud over SM3 or SHA-256, as the settings say', async () => {
    for (const algorithm of ['ACS3-HMAC-SM3', 'ACS3-HMAC-SHA256'] as const) {
      const adapter = createAliyunFace({ ...account, ...scene, url: services.url, algorithm })
      await verifierOver(adapter).begin(claim, person)
      assert.equal((await services.asked()).at(-1)?.algorithm, algorithm)
    }
  })

  it('asks Tencent Cloud for texts alone, never for an image', async () => {
    const verifier = verifierOver(tencent())
    const { keep } = await verifier.begin(claim, person)
    await verifier.finish(claim, keep, {})
    const { action, question } = (await services.asked()).at(-1) ?? assert.fail()
    assert.deepEqual([action, question['InfoType']], ['GetDetectInfoEnhanced', '1'])
  })

  it('keeps of a result that it was a pass, its reference and its time: no score, no image', async () => {
    for (const make of [aliyun, tencent, http]) {
      const verifier = verifierOver(make())
      const { keep, reference } = await verifier.begin(claim, person)
      const outcome = await verifier.finish(claim, keep, {})
      assert.deepEqual(outcome, {
        ok: true,
        evidence: { verifier: 'face', amr: ['face'], level: 3, at: claim.now, reference, subject: person },
      })
      assert.doesNotMatch(JSON.stringify(keep), /99\.5|jpeg|39\.9/)
    }
  })
})
