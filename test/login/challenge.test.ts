import assert from 'node:assert/strict'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { AppError } from '#src/errors.ts'
import type { Attempt, Challenge } from '#src/login/attempt.ts'
import { createChallenges, type Challenges } from '#src/login/challenge.ts'
import type { Visit } from '#src/login/visit.ts'
import type { Outcome, Verifier } from '#src/verifiers/verifier.ts'
import { openLoginRooms, trail, type LoginRooms } from '../support/login-rooms.ts'

const phone = '+8619900000001'

describe('the challenge of a sign-in', () => {
  let rooms: LoginRooms
  let challenges: Challenges
  let events: AuditEvent[]
  let outcome: Outcome | AppError
  let begins: boolean
  let finished: number

  beforeEach(async () => {
    rooms = await openLoginRooms()
    events = []
    begins = true
    finished = 0
    // A plug-in that keeps nothing, claims more than its cap and may be down.
    const verifier: Verifier = {
      ...{ name: 'plug-in', amr: ['x'], cap: 2, tries: 5 },
      async begin({ now }) {
        if (!begins) throw new AppError('verifier_unavailable')
        return { show: {}, keep: {}, expiresAt: now + 300_000 }
      },
      async finish() {
        finished += 1
        if (outcome instanceof AppError) throw outcome
        return outcome
      },
    }
    challenges = createChallenges({
      ...rooms,
      verifiers: new Map([['plug-in', verifier]]),
      recorder: {
        record: async (event) => void events.push(event),
        checkpoint: async () => undefined,
        close: async () => undefined,
      },
      resendAfterMs: 60_000,
      now: rooms.clock.now,
    })
  })
  afterEach(() => rooms.close())

  const visit: Visit = {
    ...trail,
    uid: 'uid',
    purpose: '社保查询',
    channel: { name: 'web', verifiers: ['plug-in'], top: 4, session: { absolute: 1, idle: 1 } },
    asked: 1,
    locale: 'zh',
    largeType: false,
  }
  const right: Outcome = {
    ok: true,
    evidence: { verifier: 'plug-in', amr: ['x'], level: 4, at: 0, subject: { phone } },
  }
  const sent = async (): Promise<Attempt & { challenge: Challenge }> => {
    const made = await challenges.send(visit, phone)
    assert.ok('challenge' in made)
    return { publicComputer: false, proofed: false, phone, challenge: made.challenge }
  }

  it('takes no evidence above the cap of its verifier', async () => {
    outcome = right
    const judged = await challenges.judge(visit, await sent(), 'x')
    assert.ok('evidence' in judged)
    assert.equal(judged.evidence.level, 2)
  })

  it('is told apart from every other, whatever the verifier keeps', async () => {
    const one = await sent()
    rooms.clock.advance(61_000)
    const other = await sent()
    assert.notEqual(one.challenge.id, other.challenge.id)
    assert.ok(one.challenge.id.length >= 32)
  })

  it('asks the verifier no more often than the limit, and is won once, by many at once', async () => {
    outcome = { ok: false, reason: 'mismatch' }
    const attempt = await sent()
    await Promise.all(Array.from({ length: 200 }, () => challenges.judge(visit, attempt, 'x')))
    assert.equal(finished, rooms.config.verifiers.sms.tries)
    rooms.clock.advance(61_000)
    outcome = right
    const next = await sent()
    const judged = await Promise.all(Array.from({ length: 4 }, () => challenges.judge(visit, next, 'x')))
    assert.equal(judged.filter((one) => 'evidence' in one).length, 1)
    assert.equal(judged.filter((one) => 'code' in one && one.code === 'code_used').length, 3)
  })

  it('counts nothing while the verifier is down, and says so', async () => {
    outcome = new AppError('verifier_unavailable')
    const attempt = await sent()
    for (let count = 0; count < 40; count += 1) {
      assert.deepEqual(await challenges.judge(visit, attempt, 'x'), { code: 'verifier_unavailable' })
    }
    assert.equal(events.at(-1)?.outcome, 'failed')
    outcome = right
    assert.ok('evidence' in (await challenges.judge(visit, attempt, 'x')))
  })

  it('lets nobody wait for a code that was never sent, but counts the day', async () => {
    begins = false
    const { perPhoneDaily } = rooms.config.verifiers.sms
    for (let count = 0; count < perPhoneDaily; count += 1) {
      assert.deepEqual(await challenges.send(visit, phone), { code: 'verifier_unavailable' })
    }
    begins = true
    const refused = await challenges.send(visit, phone)
    assert.ok('code' in refused && refused.code === 'code_too_many')
  })

  it('offers nothing where no verifier of the channel reaches the level asked', async () => {
    assert.deepEqual(await challenges.send({ ...visit, asked: 3 }, phone), { code: 'verifier_unavailable' })
    assert.deepEqual(events, [])
  })

  it('gives no evidence that was not recorded', async () => {
    outcome = right
    const attempt = await sent()
    const broken = createChallenges({
      ...rooms,
      verifiers: new Map([['plug-in', { finish: async () => right } as unknown as Verifier]]),
      recorder: { record: () => Promise.reject(new AppError('audit_broken')) } as never,
      resendAfterMs: 1,
    })
    await assert.rejects(broken.judge(visit, attempt, 'x'))
  })
})
