import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { loadConfig } from '#src/config.ts'
import { faultsOfTurns, inOrder, lifeOf, nextChange, overlapMs, type Timed } from '#src/crypto/key-life.ts'

const overlap = 1000
const at = (ms: number) => new Date(ms).toISOString()
const key = (kid: string, from: number, more: Partial<Timed> = {}): Timed => ({
  kid,
  use: 'sig',
  alg: 'ES256',
  activeFrom: at(from),
  ...more,
})

describe('The life of a key', () => {
  const keys = [key('a', 0), key('b', 5000)]
  const states = (now: number, all: readonly Timed[] = keys) =>
    all.map((one) => lifeOf(one, all, { now, overlap }).state)

  it('goes from next to active to retired to gone by the clock alone, the old key as the new one comes', () => {
    assert.deepEqual(states(0), ['active', 'next'])
    assert.deepEqual(states(4999), ['active', 'next'])
    assert.deepEqual(states(5000), ['retired', 'active'])
    assert.deepEqual(states(5999), ['retired', 'active'])
    assert.deepEqual(states(6000), ['gone', 'active'])
  })

  it('begins at once for the first of a line, so that a node whose clock is behind is not without a key', () => {
    assert.deepEqual(states(-1), ['active', 'next'])
    assert.deepEqual(states(-1e12, [key('b', 5000), key('a', 0)]), ['next', 'active'])
  })

  it('is another line for another use or algorithm', () => {
    assert.deepEqual(states(9999, [key('a', 0), key('b', 1, { alg: 'RS256' }), key('c', 2, { use: 'enc' })]), [
      'active',
      'active',
      'active',
    ])
  })

  it('of wrapping, index and audit keys has no end by the clock', () => {
    for (const use of ['wrapping', 'index', 'audit'] as const)
      assert.deepEqual(states(1e12, [key('a', 0, { use }), key('b', 1, { use })]), ['retired', 'active'])
  })

  it('is ordered for use: the active one, those to come, the old ones from the newest', () => {
    const all = [key('old', 0), key('older', -500), key('now', 100), key('next', 900)]
    const stated = all.map((one) => ({ key: one, state: lifeOf(one, all, { now: 200, overlap }).state as never }))
    assert.deepEqual(
      inOrder(stated).map((entry) => entry.key.kid),
      ['now', 'next', 'old', 'older'],
    )
  })

  it('has, at every moment and whatever the times, exactly one active key in a line', () => {
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(times, fc.integer({ min: -10, max: 30_000 }), (from, now) => {
        const all = from.map((time, index) => key(String(index), time))
        const active = states(now, all).filter((state) => state === 'active')
        assert.equal(active.length, 1)
      }),
    )
  })

  it('says when it changes next, and changes at no moment before', () => {
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(times, fc.integer({ min: -10, max: 30_000 }), (from, now) => {
        const all = from.map((time, index) => key(String(index), time))
        const next = nextChange(all, { now, overlap })
        const before = states(now, all)
        assert.deepEqual(states((next ?? 1e9) - 1, all), before)
        if (next !== undefined) assert.notDeepEqual(states(next, all), before)
      }),
    )
  })

  it('overlaps as long as the longest-lived token or session of the settings', () => {
    const config = loadConfig('config', {})
    assert.equal(overlapMs(config), 28_800_000)
    const tokens = { ...config.tokens, idToken: 90_000 }
    assert.equal(overlapMs({ ...config, tokens }), 90_000_000)
    const channels = { hall: { ...config.channels['web'], session: { absolute: 100_000, idle: 1 } } } as never
    assert.equal(overlapMs({ tokens, channels }), 100_000_000)
  })

  it('is at fault where a line has nobody, and where two begin at one moment', () => {
    const line = { use: 'sig', alg: 'ES256' } as const
    assert.deepEqual(faultsOfTurns([key('a', 0)], [line]), [])
    assert.deepEqual(faultsOfTurns([key('a', 0, { alg: 'RS256' })], [line]), ['has no active key for sig ES256'])
    assert.equal(faultsOfTurns([key('a', 0), key('b', 0)], [line]).length, 1)
  })
})
