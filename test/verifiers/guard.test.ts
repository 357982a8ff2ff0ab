import { strict as assert } from 'node:assert'
import { AppError, isAppError } from '#src/errors.ts'
import { guarded } from '#src/verifiers/guard.ts'
import type { Claim, Evidence, Verifier } from '#src/verifiers/verifier.ts'

const claim: Claim = { attempt: 'a', channel: 'web', locale: 'zh', largeType: false, purpose: 'x', now: 1_000 }
const evidence: Evidence = { verifier: 'way', amr: ['x'], level: 2, at: 1_000, subject: { person: 'p' } }

describe('the guard before a verifier', () => {
  let finish: () => Promise<unknown>
  let now = 0
  const make = (over: Partial<Verifier> = {}) =>
    guarded(
      {
        ...{ name: 'way', amr: ['x', 'y'], cap: 2, tries: 1, by: 'form' },
        begin: async () => ({ show: {}, keep: {}, expiresAt: 2_000 }),
        finish: (async () => finish()) as unknown as Verifier['finish'],
        ...over,
      },
      { failures: 2, pauseMs: 1_000, timeoutMs: 30, now: () => now },
    )
  const asked = (verifier = make()) => verifier.finish(claim, {}, 'answer')
  const unavailable = (error: unknown) => isAppError(error, 'verifier_unavailable')
  beforeEach(() => {
    now = 0
    finish = async () => ({ ok: true, evidence })
  })

  it('passes on what is right, and caps its level', async () => {
    assert.deepEqual(await asked(), { ok: true, evidence })
    finish = async () => ({ ok: true, evidence: { ...evidence, level: 4 } })
    assert.deepEqual(await asked(), { ok: true, evidence })
    finish = async () => ({ ok: false, reason: 'mismatch' })
    assert.deepEqual(await asked(), { ok: false, reason: 'mismatch' })
  })

  const lies: readonly [string, object][] = [
    ['of another verifier', { verifier: 'other' }],
    ['by a method it does not have', { amr: ['x', 'face'] }],
    ['by no method', { amr: [] }],
    ['of a level that there is not', { level: 5 }],
    ['of no level', { level: undefined }],
    ['of half a level', { level: 1.5 }],
    ['from the future', { at: 1_001 }],
    ['of no time', { at: Number.NaN }],
  ]
  for (const [what, lie] of lies)
    it(`takes no evidence ${what}`, async () => {
      finish = async () => ({ ok: true, evidence: { ...evidence, ...lie } })
      await assert.rejects(asked(), unavailable)
    })

  it('gives up on what is slow, dead or broken in whatever way', async () => {
    for (const fault of [
      () => new Promise(() => {}),
      () => Promise.reject(new Error('dead')),
      () => Promise.reject(new TypeError('broken')),
      () => Promise.reject(new AppError('internal')),
    ]) {
      finish = fault
      await assert.rejects(asked(), unavailable)
    }
  })

  it('leaves one alone that keeps failing, says so, and tries it once after a while', async () => {
    const verifier = make()
    finish = () => Promise.reject(new Error('dead'))
    for (let round = 0; round < 2; round++) await assert.rejects(asked(verifier), unavailable)
    assert.equal(verifier.down?.(), true)
    finish = async () => ({ ok: true, evidence })
    await assert.rejects(asked(verifier), unavailable)
    now = 1_001
    assert.equal(verifier.down?.(), false)
    assert.deepEqual(await asked(verifier), { ok: true, evidence })
    assert.equal(verifier.down?.(), false)
  })

  it('holds against no back end what the citizen gave wrongly, nor a wrong answer', async () => {
    const verifier = make({ begin: () => Promise.reject(new AppError('phone_invalid')) })
    finish = async () => ({ ok: false, reason: 'mismatch' })
    for (let round = 0; round < 5; round++) {
      await assert.rejects(verifier.begin(claim, ''), (error) => isAppError(error, 'phone_invalid'))
      await asked(verifier)
    }
    assert.equal(verifier.down?.(), false)
  })

  it('is down where the verifier itself says so', () => assert.equal(make({ down: () => true }).down?.(), true))
})
