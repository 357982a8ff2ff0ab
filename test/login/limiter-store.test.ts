import assert from 'node:assert/strict'
import { RateLimiterRes } from 'rate-limiter-flexible'
import { StorageLimiter } from '#src/login/limiter-store.ts'
import { openStorage } from '#src/storage/open.ts'
import type { Storage } from '#src/storage/storage.ts'
import { movableClock, type Clock } from '../support/app.ts'

describe('rate-limiter-flexible on our storage', () => {
  let storage: Storage
  let clock: Clock
  let limiter: StorageLimiter
  const make = (points = 3) =>
    new StorageLimiter({ counters: storage.counters, keyPrefix: 'test', points, seconds: 60, now: clock.now })
  beforeEach(async () => {
    clock = movableClock()
    storage = await openStorage({ kind: 'sqlite', file: ':memory:' }, clock.now)
    limiter = make()
  })
  afterEach(() => storage.close())

  it('counts down and then refuses with the time that is left', async () => {
    assert.deepEqual(
      [await limiter.consume('a'), await limiter.consume('a'), await limiter.consume('a')].map(
        ({ remainingPoints, consumedPoints, isFirstInDuration }) => [
          remainingPoints,
          consumedPoints,
          isFirstInDuration,
        ],
      ),
      [
        [2, 1, true],
        [1, 2, false],
        [0, 3, false],
      ],
    )
    await assert.rejects(limiter.consume('a'), (refusal) => {
      assert.ok(refusal instanceof RateLimiterRes)
      assert.ok(refusal.msBeforeNext > 59_000 && refusal.msBeforeNext <= 60_000)
      return true
    })
  })

  it('shares its count with another limiter of the same name, as two nodes do', async () => {
    const other = make()
    await Promise.all([limiter.consume('a'), other.consume('a')])
    assert.equal((await other.get('a'))?.consumedPoints, 2)
    assert.equal((await limiter.get('a'))?.remainingPoints, 1)
  })

  it('knows nothing of a key nobody used, of one whose window ended, and of one that was deleted', async () => {
    assert.equal(await limiter.get('a'), null)
    await limiter.consume('a')
    clock.advance(60_001)
    assert.equal(await limiter.get('a'), null)
    await limiter.consume('a')
    assert.equal(await limiter.delete('a'), true)
    assert.equal(await limiter.delete('a'), false)
    assert.equal(await limiter.get('a'), null)
  })

  it('can block a key and give it back its points', async () => {
    await limiter.block('a', 120)
    clock.advance(61_000)
    await assert.rejects(limiter.consume('a'), RateLimiterRes)
    clock.advance(60_000)
    await limiter.consume('a')
    await limiter.reward('a')
    assert.equal((await limiter.get('a'))?.remainingPoints, 3)
  })

  it('stores its counters under its own name', async () => {
    await limiter.consume('a')
    assert.equal((await storage.counters.get('test:a', clock.now()))?.points, 1)
  })
})
