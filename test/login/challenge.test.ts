import assert from 'node:assert/strict'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { loadConfig } from '#src/config.ts'
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
  let begun: number
  let down: boolean
  let finished: number

  beforeEach(async () => {
    rooms = await openLoginRooms()
    events = []
    begins = true
    begun = 0
    down = false
    finished = 0
    // A plug-in that keeps nothing, claims more than its cap and may be down.
    const verifier: Verifier = {
      ...{ name: 'plug-in', amr: ['x'], cap: 2, tries: 5, by: 'phone' },
      down: () => down,
      async begin({ now }) {
        begun += 1
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
    channel: { name: 'web', verifiers: ['plug-in'], top: 4, shared: false, session: { absolute: 1, idle: 1 } },
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

  /** How many of these sends reach the verifier, a minute apart. */
  const sends = async (count: number, from: Visit = visit): Promise<readonly string[]> => {
    const codes: string[] = []
    for (let sent = 0; sent < count; sent += 1) {
      const made = await challenges.send(from, phone)
      codes.push('code' in made ? made.code : 'sent')
      rooms.clock.advance(61_000)
    }
    return codes
  }
  const times = (count: number, code: string) => Array.from({ length: count }, () => code)

  it('lets nobody wait for a code that was never sent, and an outage uses up nobody’s day', async () => {
    begins = false
    const { perPhoneDaily } = rooms.config.verifiers.sms
    for (let count = 0; count < perPhoneDaily; count += 1) {
      assert.deepEqual(await challenges.send(visit, phone), { code: 'verifier_unavailable' })
    }
    begins = true
    assert.deepEqual(await sends(perPhoneDaily + 1), [...times(perPhoneDaily, 'sent'), 'code_too_many'])
  })

  it('counts the day again where failures are without end: the gateway may send what it says it does not', async () => {
    begins = false
    const { perPhoneDaily } = rooms.config.verifiers.sms
    for (let count = 0; count < 2 * perPhoneDaily; count += 1) await challenges.send(visit, phone)
    assert.deepEqual(await challenges.send(visit, phone), {
      code: 'code_too_many',
      variables: { minutes: 1440 },
    })
  })

  it('asks and counts nothing while its only verifier is known to be down', async () => {
    begins = false
    down = true
    for (let count = 0; count < 40; count += 1) {
      assert.deepEqual(await challenges.send(visit, phone), { code: 'verifier_unavailable' })
    }
    assert.equal(begun, 0)
    assert.equal(events.filter(({ type, outcome }) => type === 'challenge.sent' && outcome === 'failed').length, 40)
    down = false
    begins = true
    assert.deepEqual(await sends(1), ['sent'])
  })

  describe('with a device that has signed in by the phone', () => {
    let known: Visit
    const { perPhoneDaily, perDeviceDaily } = loadConfig('config', {}).verifiers.sms
    beforeEach(async () => {
      const person = await rooms.directory.open({
        name: '刘䶮',
        document: { kind: 'passport', number: 'E12345678', status: 'claimed' },
        phone,
        proven: false,
        proofing: 1,
      })
      known = { ...visit, uid: 'at-home', device: await rooms.devices.remember(undefined, phone, person.id) }
    })

    it('keeps its codes whatever strangers have sent, and then shares with them', async () => {
      const other = { ...visit, device: 'x'.repeat(43) }
      assert.deepEqual(await sends(perPhoneDaily + 1, other), [...times(perPhoneDaily, 'sent'), 'code_too_many'])
      assert.deepEqual(await sends(perDeviceDaily + 1, known), [...times(perDeviceDaily, 'sent'), 'code_too_many'])
      rooms.clock.advance(86_400_000)
      const both = perDeviceDaily + perPhoneDaily
      assert.deepEqual(await sends(both + 1, known), [...times(both, 'sent'), 'code_too_many'])
    })

    it('need not wait because a stranger has just had a code sent, and is paced itself', async () => {
      assert.ok('challenge' in (await challenges.send(visit, phone)))
      assert.ok('challenge' in (await challenges.send(known, phone)))
      const soon = await challenges.send(known, phone)
      assert.ok('code' in soon && soon.code === 'code_too_soon')
    })

    it('keeps its answers whatever strangers have guessed', async () => {
      const { failuresDaily, deviceFailuresDaily } = rooms.config.login
      const guess = async (from: Visit) => {
        const made = await challenges.send(from, phone)
        assert.ok('challenge' in made)
        const attempt: Attempt = { publicComputer: false, proofed: false, phone, challenge: made.challenge }
        return (answer: Outcome) => {
          outcome = answer
          return challenges.judge(from, attempt, 'x')
        }
      }
      const fail = async (from: Visit, count: number) => {
        let answer = await guess(from)
        for (let failed = 1; failed <= count; failed += 1) {
          await answer({ ok: false, reason: 'mismatch' })
          if (failed % rooms.config.verifiers.sms.tries > 0) continue
          rooms.clock.advance(61_000)
          answer = await guess(from)
        }
        return answer
      }
      const stranger = await fail(visit, failuresDaily)
      assert.deepEqual(await stranger(right), { code: 'code_failures_day' })
      const owner = await guess(known)
      assert.ok('evidence' in (await owner(right)))
      rooms.clock.advance(61_000)
      const clumsy = await fail(known, deviceFailuresDaily)
      assert.deepEqual(await clumsy(right), { code: 'code_failures_day' })
    })

    it('stands in no line', async () => {
      const { sends } = rooms.config.login.perAddress
      for (let count = 0; count < sends; count += 1) {
        await challenges.send(visit, `+861989000${String(count).padStart(4, '0')}`)
      }
      const waits = await challenges.send({ ...visit, uid: 'stranger' }, '+8619890009999')
      assert.ok('code' in waits && waits.code === 'code_busy')
      assert.ok('challenge' in (await challenges.send(known, phone)))
    })
  })

  it('waits for its turn in a line and goes on with it, without waiting for the pause as well', async () => {
    const { sends, longestWait } = rooms.config.login.perAddress
    for (let count = 0; count < 3 * sends; count += 1) {
      await challenges.send(visit, `+861989000${String(count).padStart(4, '0')}`)
    }
    const waits = await challenges.send(visit, phone)
    assert.ok('code' in waits && waits.place)
    assert.deepEqual([waits.code, waits.variables], ['code_busy', { count: longestWait }])
    rooms.clock.advance(10_000)
    const early = await challenges.send(visit, phone, { place: waits.place })
    assert.ok('code' in early)
    assert.deepEqual([early.variables, early.place], [{ count: longestWait - 10 }, waits.place], 'his place is kept')
    rooms.clock.advance((longestWait - 10) * 1000)
    assert.ok('challenge' in (await challenges.send(visit, phone, { place: early.place })))
  })

  it('makes who guesses at many phones from one address wait, and judges nothing meanwhile', async () => {
    const { failures } = rooms.config.login.perAddress
    outcome = { ok: false, reason: 'mismatch' }
    const waiting: Attempt[] = []
    for (let count = 0; count < failures + 1; count += 1) {
      const to = `+861989000${String(count).padStart(4, '0')}`
      const made = await challenges.send({ ...visit, address: `192.0.2.${count}` }, to)
      assert.ok('challenge' in made)
      waiting.push({ publicComputer: false, proofed: false, phone: to, challenge: made.challenge })
    }
    const [last, ...others] = waiting as [Attempt, ...Attempt[]]
    for (const attempt of others) await challenges.judge(visit, attempt, 'x')
    assert.equal(finished, failures)
    outcome = right
    const judged = await challenges.judge(visit, last, 'x')
    assert.ok('code' in judged && judged.code === 'code_busy' && judged.place)
    const patient = { ...last, place: judged.place }
    for (let count = 0; count < 2 * rooms.config.verifiers.sms.tries; count += 1) {
      const again = await challenges.judge(visit, patient, 'x')
      assert.ok('code' in again && again.code === 'code_busy', 'pressing meanwhile uses up no try')
    }
    assert.equal(finished, failures)
    assert.ok('evidence' in (await challenges.judge({ ...visit, address: '192.0.2.250' }, last, 'x')), 'from elsewhere')
  })

  it('counts no right answer against an address', async () => {
    outcome = right
    for (let count = 0; count < 2 * rooms.config.login.perAddress.failures; count += 1) {
      const to = `+861989000${String(count).padStart(4, '0')}`
      const made = await challenges.send({ ...visit, address: `192.0.2.${count % 200}` }, to)
      assert.ok('challenge' in made)
      const attempt: Attempt = { publicComputer: false, proofed: false, phone: to, challenge: made.challenge }
      assert.ok('evidence' in (await challenges.judge(visit, attempt, 'x')))
    }
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
