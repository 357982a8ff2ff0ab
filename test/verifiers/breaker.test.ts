import assert from 'node:assert/strict'
import { PeerRefusal } from '#src/peers/signed-http.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { withBreaker } from '#src/verifiers/breaker.ts'
import type { Claim, Verifier } from '#src/verifiers/verifier.ts'

const claim: Claim = { attempt: 'a', channel: 'web', locale: 'zh', largeType: false, purpose: 'x', now: 0 }

describe('the breaker of a verifier', () => {
  let now = 0
  let asked = 0
  let fault: unknown
  let held: Promise<void> | undefined
  const make = (): Verifier => {
    const verifier: Verifier = {
      ...{ name: 'x', amr: ['x'], cap: 2, tries: 5 },
      async begin() {
        asked += 1
        await held
        if (fault) throw fault
        return { show: {}, keep: {}, expiresAt: 1 }
      },
      finish: async () => ({ ok: false, reason: 'mismatch' }),
    }
    return withBreaker(verifier, { failures: 3, pauseMs: 1_000, now: () => now })
  }
  const unavailable = (error: unknown) => isAppError(error, 'verifier_unavailable')
  beforeEach(() => {
    ;[now, asked, held] = [0, 0, undefined]
    fault = new AppError('verifier_unavailable')
  })

  it('opens after failures in a row, asks nothing meanwhile, and closes with the first success after the pause', async () => {
    const verifier = make()
    for (let count = 0; count < 3; count += 1) {
      assert.equal(verifier.down?.(), false)
      await assert.rejects(verifier.begin(claim, ''), unavailable)
    }
    assert.equal(verifier.down?.(), true)
    await assert.rejects(verifier.begin(claim, ''), unavailable)
    assert.equal(asked, 3)
    now = 1_000
    assert.equal(verifier.down?.(), false)
    await assert.rejects(verifier.begin(claim, ''), unavailable)
    assert.deepEqual([asked, verifier.down?.()], [4, true])
    now = 2_000
    fault = undefined
    await verifier.begin(claim, '')
    fault = new AppError('verifier_unavailable')
    await assert.rejects(verifier.begin(claim, ''), unavailable)
    assert.deepEqual([asked, verifier.down?.()], [6, false])
  })

  it('lets one question probe, not all that wait', async () => {
    const verifier = make()
    for (let count = 0; count < 3; count += 1) await assert.rejects(verifier.begin(claim, ''))
    now = 1_000
    let release = () => {}
    held = new Promise((done) => (release = done))
    const asking = Promise.allSettled(Array.from({ length: 20 }, () => verifier.begin(claim, '')))
    fault = undefined
    release()
    assert.equal((await asking).filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(asked, 4)
    await verifier.begin(claim, '')
  })

  it('stays closed for what a peer refuses and for what is wrong with the question', async () => {
    const verifier = make()
    for (const error of [
      new AppError('verifier_unavailable', { cause: new PeerRefusal(403) }),
      new AppError('phone_invalid'),
      new Error('a bug'),
    ]) {
      fault = error
      for (let count = 0; count < 10; count += 1) await assert.rejects(verifier.begin(claim, ''))
    }
    assert.deepEqual([asked, verifier.down?.()], [30, false])
  })
})
