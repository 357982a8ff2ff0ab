/** The verifiers `ctid` and `ctid-face` against a back end in another language, in every mode and with every lie. */
import assert from 'node:assert/strict'
import { ctid as ctidSchema, type CtidSettings } from '#src/config/ctid.ts'
import { isAppError } from '#src/errors.ts'
import { createCtidVerifier, type CtidName } from '#src/verifiers/ctid/index.ts'
import { askerOf } from '#src/verifiers/ctid/signing.ts'
import { guarded } from '#src/verifiers/guard.ts'
import { verifierContract } from '../contracts/verifier.ts'
import { acted, breakable, claimOf, macs, now } from '../support/national.ts'
import { startNationalPeers, type NationalPeers } from '../support/national-peers.ts'

type Mode = 'R01' | 'R02' | 'R03' | 'R04'

let peers: NationalPeers
before(async () => {
  peers = await startNationalPeers(now)
})
after(() => peers.close())

const nameOf = (mode: Mode): CtidName => (mode === 'R01' || mode === 'R02' ? 'ctid' : 'ctid-face')
const code = /^W[0-9a-f]{31}$/

const settingsOf = (mode: Mode, signing: CtidSettings['signing'], over: object = {}): CtidSettings =>
  ctidSchema.parse({
    app: 'https://app.example/wz?orgID={orgID}&appID={appID}&bizSeq={bizSeq}&type={type}&return={return}',
    url: `${peers.url}/ctid/${signing.kind}`,
    ...{ orgCode: 'org-1', appId: 'app-1', appName: '示例市一号', signing, validity: 300, timeout: 1 },
    receiver: { zh: '国家网络身份认证公共服务', en: 'The national network identity service' },
    modes: { ctid: 'R01', 'ctid-face': 'R03', [nameOf(mode)]: mode },
    breaker: { failures: 3, pause: 30 },
    ...over,
  })

const hmac = () => ({ kind: 'hmac-sm3', keyFile: peers.files.secret }) as const
const sm2 = () => ({ kind: 'sm2', keyFile: peers.files.ours, answerKeyFile: peers.files.theirs }) as const

const verifierOf = (mode: Mode, settings = settingsOf(mode, hmac()), ask = askerOf(settings, Date.now)) =>
  createCtidVerifier(nameOf(mode), { ...settings, macs, ask })

/** What the citizen's app hands over for the transaction of an address. */
const appOf = (mode: Mode, bizSeq: string) => peers.get(`/app?${new URLSearchParams({ mode, bizSeq })}`)
const bizSeqIn = (leaveTo = '') => new URL(leaveTo).searchParams.get('bizSeq') ?? ''

async function signedIn(mode: Mode, settings?: CtidSettings, more: object = {}) {
  const verifier = guarded(verifierOf(mode, settings), { failures: 100, pauseMs: 1_000 })
  const begun = await verifier.begin(claimOf(), undefined)
  const credential = await appOf(mode, bizSeqIn(begun.leaveTo))
  return verifier.finish(claimOf({ now: now + 1_000 }), begun.keep, { ...credential, ...more })
}

for (const mode of ['R01', 'R04'] as const) {
  verifierContract(`ctid ${mode}`, (timeoutMs) => {
    const settings = settingsOf(mode, mode === 'R04' ? sm2() : hmac())
    const { ask, fail } = breakable(askerOf(settings, Date.now))
    let credential: Record<string, string> = {}
    // The code of a citizen is the back end's own, so the contract is told of it beforehand.
    const verifier = acted(verifierOf(mode, settings, ask), timeoutMs, async ({ leaveTo }) => {
      credential = await appOf(mode, bizSeqIn(leaveTo))
    })
    return {
      ...{ verifier, input: undefined, fail, asksAt: ['finish'], right: () => credential },
      subject: { issuer: 'ctid', code: known },
      wrong: [{ idCardAuthData: 'x'.repeat(40) }, { resultCode: 'C0000003' }, { ...credential, resultCode: 'C1' }],
    }
  })
}

/** The code by which the back end knows the citizen of these tests. */
let known = ''
before(async () => {
  const outcome = await signedIn('R01')
  assert.ok(outcome.ok && 'code' in outcome.evidence.subject, JSON.stringify(outcome))
  known = outcome.evidence.subject.code
  assert.match(known, code)
})

describe('ctid', () => {
  beforeEach(() => peers.behave())

  it('proves in each mode what it may, by the methods that were used, and nothing of whom', async () => {
    const due = {
      R01: [2, ['swk']],
      R02: [2, ['swk', 'pin']],
      R03: [3, ['swk', 'face']],
      R04: [3, ['swk', 'pin', 'face']],
    } as const
    for (const [mode, [level, amr]] of Object.entries(due)) {
      const outcome = await signedIn(mode as Mode)
      assert.ok(outcome.ok)
      assert.deepEqual([outcome.evidence.level, outcome.evidence.amr], [level, amr])
      assert.deepEqual(outcome.evidence.subject, { issuer: 'ctid', code: known })
      assert.equal(verifierOf(mode as Mode).facial, level === 3)
      assert.equal(verifierOf(mode as Mode).consent !== undefined, level === 3, 'a face is asked for')
    }
  })

  it('proves less where the settings say so', async () => {
    const outcome = await signedIn('R03', settingsOf('R03', hmac(), { levels: { R03: 2 } }))
    assert.ok(outcome.ok && outcome.evidence.level === 2)
    assert.throws(() => settingsOf('R01', hmac(), { levels: { R01: 3 } }))
  })

  it('sends him on with the published parameters, another transaction each time', async () => {
    const verifier = verifierOf('R02')
    const begun = await verifier.begin(claimOf(), undefined)
    const query = Object.fromEntries(new URL(begun.leaveTo ?? '').searchParams)
    const { bizSeq } = query
    assert.match(bizSeq ?? '', /^[0-9a-f]{32}$/)
    const back = 'https://id.example.gov.cn/return/verifier?state=state-1'
    assert.deepEqual(query, { orgID: 'org-1', appID: 'app-1', bizSeq, type: '1', return: back })
    assert.deepEqual(begun.show, { orgID: 'org-1', appID: 'app-1', bizSeq, type: 1 })
    assert.equal((await verifierOf('R01').begin(claimOf(), undefined)).show['type'], 0)
    assert.notEqual(bizSeqIn((await verifier.begin(claimOf(), undefined)).leaveTo), bizSeq)
  })

  it('hands on what the mode needs, and no more of what an app adds', async () => {
    const extra = { photoEncData: 'x'.repeat(64), name: '刘䶮', idNum: '690101199203051010', resultCode: 'C0000000' }
    assert.ok((await signedIn('R01', undefined, extra)).ok)
    const asked = (await peers.seen()).at(-1)?.body ?? '{}'
    assert.deepEqual(Object.keys(JSON.parse(asked) as object).sort(), [
      ...['appId', 'appName', 'authMode', 'bizSeq', 'idCardAuthData', 'orgCode'],
    ])
  })

  it('says nothing of a name and a number that come along', async () => {
    await peers.behave({ mode: 'plain' })
    const outcome = await signedIn('R03')
    assert.ok(outcome.ok)
    assert.doesNotMatch(JSON.stringify(outcome), /刘|690101/)
    assert.deepEqual(Object.keys(outcome.evidence.subject).sort(), ['code', 'issuer'])
  })

  it('refuses each lie of the back end, with a reason of its own', async () => {
    const lies: Readonly<Record<string, string>> = {
      'other-biz': 'biz-seq',
      'no-biz': 'biz-seq',
      'other-mode': 'mode',
      'not-passed': 'not-passed',
      'no-subject': 'subject',
      'short-subject': 'subject',
      number: 'subject',
      stale: 'time',
      future: 'time',
      'no-time': 'time',
    }
    for (const [mode, detail] of Object.entries(lies)) {
      await peers.behave({ mode })
      const outcome = await signedIn('R03')
      assert.ok(!outcome.ok, mode)
      assert.equal(outcome.detail, detail, mode)
    }
    await peers.behave({ mode: 'china-time' })
    assert.ok((await signedIn('R03')).ok, 'clocks in China are read')
  })

  it('refuses what is of another transaction, repeated, altered or given up, by the back end’s code', async () => {
    const verifier = verifierOf('R01')
    const [first, second] = [await verifier.begin(claimOf(), undefined), await verifier.begin(claimOf(), undefined)]
    const credential = await appOf('R01', bizSeqIn(first.leaveTo))
    const finish = (keep: unknown, input: unknown) => verifier.finish(claimOf(), keep, input)
    assert.deepEqual(await finish(second.keep, credential), { ok: false, reason: 'rejected', detail: 'code-1003' })
    const named = { ...credential, bizSeq: bizSeqIn(first.leaveTo) }
    assert.deepEqual(await finish(second.keep, named), { ok: false, reason: 'mismatch', detail: 'biz-seq' })
    assert.ok((await finish(first.keep, named)).ok)
    assert.deepEqual(await finish(first.keep, credential), { ok: false, reason: 'rejected', detail: 'code-1002' })
    const altered = { idCardAuthData: `${credential['idCardAuthData']}A` }
    assert.deepEqual(await finish(second.keep, altered), { ok: false, reason: 'rejected', detail: 'code-1001' })
    const givenUp = { resultCode: 'C0412002', resultDesc: '用户取消' }
    assert.deepEqual(await finish(second.keep, givenUp), { ok: false, reason: 'rejected', detail: 'code-C0412002' })
  })

  it('refuses a face without its password and a 网证 without its face before anybody is asked', async () => {
    const before = (await peers.seen()).length
    for (const mode of ['R02', 'R03', 'R04'] as const) {
      const verifier = verifierOf(mode)
      const begun = await verifier.begin(claimOf(), undefined)
      const { idCardAuthData } = await appOf(mode, bizSeqIn(begun.leaveTo))
      const outcome = await verifier.finish(claimOf(), begun.keep, { idCardAuthData })
      assert.deepEqual(outcome, { ok: false, reason: 'mismatch', detail: 'malformed' })
    }
    assert.equal((await peers.seen()).length, before)
  })

  it('does not take the transaction of one for that of the other, although the service is one', async () => {
    const begun = await verifierOf('R01').begin(claimOf(), undefined)
    const face = verifierOf('R03')
    const credential = await appOf('R03', bizSeqIn(begun.leaveTo))
    assert.deepEqual(await face.finish(claimOf(), begun.keep, credential), { ok: false, reason: 'foreign' })
  })

  it('signs with SM2 as Python reads it, and believes no answer that is not signed back', async () => {
    assert.ok((await signedIn('R04', settingsOf('R04', sm2()))).ok)
    assert.ok((await signedIn('R01', settingsOf('R01', { kind: 'none' }))).ok)
    const unavailable = (error: unknown) => isAppError(error, 'verifier_unavailable')
    const stranger = { kind: 'sm2', keyFile: peers.files.other, answerKeyFile: peers.files.theirs } as const
    await assert.rejects(signedIn('R01', settingsOf('R01', stranger)), unavailable)
    await peers.behave({ mode: 'forged' })
    for (const signing of [sm2(), hmac()])
      await assert.rejects(signedIn('R01', settingsOf('R01', signing)), unavailable)
  })

  it('does not take a credential that the service cannot read for a service that is down', async () => {
    await peers.behave({ mode: 'unreadable' })
    const outcome = await signedIn('R01', settingsOf('R01', { kind: 'none' }))
    assert.deepEqual(outcome, { ok: false, reason: 'rejected', detail: 'code-400' })
  })

  it('is unavailable in time, and quotes nothing, whatever comes instead of an answer', async () => {
    for (const mode of ['broken', 'page', 'torn', 'empty', 'nothing', 'null', 'long', 'hang']) {
      await peers.behave({ mode })
      const started = performance.now()
      await assert.rejects(signedIn('R01', settingsOf('R01', { kind: 'none' })), (error) => {
        assert.ok(isAppError(error, 'verifier_unavailable'), mode)
        assert.doesNotMatch(JSON.stringify(error.cause) + String(error.detail), /idCard|data/)
        return true
      })
      assert.ok(performance.now() - started < 2_000, mode)
    }
    const dead = settingsOf('R01', { kind: 'none' }, { url: 'http://127.0.0.1:9/' })
    await peers.behave()
    await assert.rejects(signedIn('R01', dead), (error) => isAppError(error, 'verifier_unavailable'))
  })
})
