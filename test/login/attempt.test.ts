import assert from 'node:assert/strict'
import { createAttempts, type Attempt, type Attempts } from '#src/login/attempt.ts'
import { openStorage } from '#src/storage/open.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Store } from '#src/storage/storage.ts'
import { createVault } from '#src/storage/vault.ts'
import type { Evidence } from '#src/verifiers/verifier.ts'
import { movableClock } from '../support/app.ts'
import { newSealer } from '../support/trail.ts'

const phone = '+8619900000001'
const challenge = { id: 'challenge', verifier: 'sms', keep: { mac: 'x' }, expiresAt: 1, resendAt: 1 }
const evidence: Evidence = { verifier: 'sms', amr: ['sms'], level: 2, at: 0, subject: { phone } }
const given: Attempt = { publicComputer: true, proofed: false, phone, challenge, name: '刘䶮' }

describe('what a sign-in keeps of itself', () => {
  const clock = movableClock()
  let storage: Store
  let attempts: Attempts
  const written: string[] = []
  before(async () => {
    storage = await openStorage({ kind: 'sqlite', file: ':memory:' }, clock.now)
    const listening = {
      ...storage.artifacts,
      put(...row: Parameters<Store['artifacts']['put']>) {
        written.push(JSON.stringify(row))
        return storage.artifacts.put(...row)
      },
    }
    attempts = createAttempts({
      artifacts: createSealedArtifacts({
        artifacts: listening,
        vault: createVault({ dataKeys: storage.dataKeys, sealer: newSealer(), id: 'artifacts' }),
      }),
      lifetimeMs: 60_000,
      now: clock.now,
    })
  })
  after(() => storage.close())

  it('begins empty and gives back what was saved', async () => {
    assert.deepEqual(await attempts.load('new'), { publicComputer: false, proofed: false })
    await attempts.save('uid', given)
    assert.deepEqual(await attempts.load('uid'), given)
  })

  it('is stored sealed, under no id that a browser has', () => {
    assert.ok(written.length > 0)
    for (const text of [phone, phone.slice(3), '刘䶮', '"uid"', 'mac']) {
      assert.ok(
        written.every((row) => !row.includes(text)),
        text,
      )
    }
  })

  it('keeps its evidence whatever another tab saves afterwards', async () => {
    await attempts.save('tabs', given)
    await attempts.prove(challenge.id, evidence)
    await attempts.save('tabs', { ...given, fault: { step: 'code', code: 'code_used', reference: 'ABCDE-FGHJK' } })
    const seen = await attempts.load('tabs')
    assert.deepEqual(seen.evidence, evidence)
    assert.equal(seen.fault, undefined, 'the late tab does not hold the citizen up')
    await attempts.save('tabs', { ...seen, fault: { step: 'name', code: 'name_missing', reference: 'ABCDE-FGHJK' } })
    assert.equal((await attempts.load('tabs')).fault?.code, 'name_missing')
  })

  it('has no evidence for another challenge', async () => {
    await attempts.save('tabs', { ...given, challenge: { ...challenge, id: 'another' } })
    assert.equal((await attempts.load('tabs')).evidence, undefined)
  })

  it('is gone after its time', async () => {
    clock.advance(60_001)
    assert.deepEqual(await attempts.load('uid'), { publicComputer: false, proofed: false })
  })
})
