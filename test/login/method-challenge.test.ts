/** What is kept of a challenge, and until when. */
import { strict as assert } from 'node:assert'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { createMethodChallenges } from '#src/login/method-challenge.ts'
import type { Visit } from '#src/login/visit.ts'
import type { Verifier } from '#src/verifiers/verifier.ts'

const now = Date.parse('2026-05-01T08:00:00Z')
const person = { kind: 'resident-id-card', number: '690101199203051013', name: '刘䶮' } as const

describe('the challenge of a method', () => {
  let stored: Map<string, unknown>
  let seen: unknown[]
  let fails: boolean
  beforeEach(() => {
    stored = new Map()
    seen = []
    fails = false
  })

  const spent = new Set<string>()
  const artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'spend'> = {
    get: <T>(_kind: string, id: string) =>
      Promise.resolve(stored.has(id) ? { value: stored.get(id) as T, expiresAt: now } : undefined),
    put(_kind, id, value) {
      stored.set(id, structuredClone(value))
      return Promise.resolve(true)
    },
    spend(_kind, id) {
      const first = !spent.has(id)
      spent.add(id)
      return Promise.resolve(first)
    },
  }
  const verifier: Verifier = {
    ...{ name: 'face', amr: ['face'], cap: 3, tries: 1, by: 'redirect', named: true },
    begin: (_claim, input) =>
      Promise.resolve({ show: {}, keep: { ...(input as typeof person) }, expiresAt: now + 60_000 }),
    finish(_claim, keep) {
      seen.push(keep)
      return fails ? Promise.reject(new Error('a bug')) : Promise.resolve({ ok: false, reason: 'mismatch' })
    },
  }
  const visit = {
    ...{ uid: 'attempt', channel: { name: 'web' }, locale: 'zh', largeType: false, purpose: '社保查询' },
    ...{ address: '192.0.2.1', reference: '00000-00000' },
  } as unknown as Visit
  const challenges = createMethodChallenges({
    artifacts,
    recognise: () => assert.fail('nobody was proven'),
    throttle: { take: () => Promise.resolve({ allowed: true }) } as never,
    line: { pass: () => Promise.resolve(undefined), forgive: () => Promise.resolve() } as never,
    recorder: { record: () => Promise.resolve() } as never,
    issuer: 'https://id.example',
    numberKey: () => Promise.resolve('key'),
    now: () => now,
  })
  const begin = async (): Promise<string> => {
    const begun = await challenges.begin(visit, verifier, { named: person })
    return 'challenge' in begun ? begun.challenge : assert.fail(begun.code)
  }

  it('knows whom it is about until it is answered, and forgets him with the answer', async () => {
    const id = await begin()
    assert.ok(JSON.stringify([...stored]).includes(person.number))
    const refused = await challenges.judge(visit, verifier, id, {}, {})
    assert.deepEqual([refused, seen], [{ code: 'method_refused' }, [person]])
    assert.ok(stored.has(id), 'a second answer is told that it is one')
    assert.ok(!JSON.stringify([...stored]).includes(person.number))
    assert.ok(!JSON.stringify([...stored]).includes(person.name))
    assert.deepEqual(await challenges.judge(visit, verifier, id, {}, {}), { code: 'method_used' })
    assert.equal(seen.length, 1)
  })

  it('forgets him also where judging it breaks, and where the answer is somebody else’s', async () => {
    fails = true
    const id = await begin()
    await assert.rejects(challenges.judge(visit, verifier, id, {}, {}), /a bug/)
    const other = await begin()
    await challenges.judge({ ...visit, uid: 'another' }, verifier, other, {}, {})
    await challenges.end(await begin(), { reference: '00000-00000', address: '192.0.2.1' })
    assert.ok(!JSON.stringify([...stored]).includes(person.number))
  })

  it('counts the tries with a document for each method apart: none shuts another to its holder', async () => {
    const points = new Map<string, number>()
    const add = (key: string, by: number) => points.set(key, (points.get(key) ?? 0) + by).get(key) ?? 0
    const counted = createMethodChallenges({
      artifacts,
      recognise: () => Promise.resolve({ why: 'known' }),
      throttle: {
        take: (limit, key) => {
          const allowed = add(`${limit} ${key}`, 1) <= 10
          return Promise.resolve(allowed ? { allowed, left: 0 } : { allowed, retryAfterMs: 1 })
        },
        giveBack: (limit, key) => Promise.resolve(void add(`${limit} ${key}`, -1)),
      },
      line: { pass: () => Promise.resolve(undefined), forgive: () => Promise.resolve() } as never,
      recorder: { record: () => Promise.resolve() } as never,
      issuer: 'https://id.example',
      numberKey: ({ number }) => Promise.resolve(number),
      now: () => now,
    })
    /** One that learns by the answer whom it is about. */
    const shown = (name: string, isRight: boolean): Verifier => ({
      ...{ name, amr: ['sc'], cap: 2, tries: 1, by: 'device', facial: true },
      begin: () => Promise.resolve({ show: {}, keep: {}, expiresAt: now + 60_000 }),
      finish: () =>
        Promise.resolve(
          isRight
            ? { ok: true, evidence: { verifier: name, amr: ['sc'], level: 2, at: now, subject: person } }
            : { ok: false, reason: 'rejected', about: person },
        ),
    })
    const answered = async (way: Verifier, uid: string) => {
      const mine = { ...visit, uid }
      const begun = await counted.begin(mine, way, {})
      const judged = await counted.judge(mine, way, 'challenge' in begun ? begun.challenge : '', {}, {})
      return 'code' in judged ? judged.code : 'proven'
    }
    // Whoever knows his number, from anywhere.
    for (let asked = 0; asked < 12; asked += 1)
      await counted.begin({ ...visit, uid: `a${asked}` }, verifier, { named: person })
    assert.equal(await answered(shown('card-face', true), 'b'), 'method_refused', 'he is looked up')
    // Whoever holds his card.
    for (let tried = 0; tried < 12; tried += 1) await answered(shown('card-face', false), `c${tried}`)
    assert.equal(await answered(shown('card-face', true), 'd'), 'proof_too-often')
    assert.equal(await answered(shown('ctid-face', true), 'e'), 'method_refused')
  })
})
