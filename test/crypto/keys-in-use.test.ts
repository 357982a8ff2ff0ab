import { strict as assert } from 'node:assert'
import { keysInUse } from '#src/crypto/keys-in-use.ts'
import type { KeyDescription, KeyRing, Keys } from '#src/crypto/keys.ts'

type Described = Pick<Keys, 'described'>

const described = (...kids: string[]): Described => ({
  described: kids.map((kid): KeyDescription => ({ kid, use: 'sig', alg: 'ES256', state: 'active' })),
})

/** A ring that a test turns by hand. */
function handRing() {
  let keys = described('a')
  const listeners: (() => void)[] = []
  let closed = false
  const ring: KeyRing<Described> = {
    current: () => keys,
    onChange: (listener) => void listeners.push(listener),
    close: async () => void (closed = true),
  }
  const turn = (next: Described) => {
    keys = next
    for (const listener of listeners) listener()
  }
  return { ring, turn, isClosed: () => closed }
}

describe('The keys in use', () => {
  const kids = (keys: readonly KeyDescription[]) => keys.map(({ kid }) => kid).join()

  it('are on record before they are used, at the start and at each change', async () => {
    const { ring, turn, isClosed } = handRing()
    const keys = keysInUse(ring)
    const story: string[] = []
    const waiting: (() => void)[] = []
    const record = async (fresh: readonly KeyDescription[]) => {
      story.push(`record ${kids(fresh)} while ${kids(keys.current().described)}`)
      if (story.length > 1) await new Promise<void>((done) => waiting.push(done))
    }
    await keys.follow({ record, onFault: assert.fail as never })
    keys.onChange(() => void story.push(`use ${kids(keys.current().described)}`))
    turn(described('b'))
    await new Promise(setImmediate)
    turn(described('c'))
    assert.deepEqual(story, ['record a while a', 'record b while a'])
    assert.equal(kids(keys.current().described), 'a')
    while (waiting.length > 0) {
      waiting.shift()?.()
      await new Promise(setImmediate)
    }
    await keys.settled()
    assert.deepEqual(story.slice(2), ['use b', 'record c while b', 'use c'])
    await keys.close()
    assert.ok(isClosed())
  })

  it('stay as they are where the change cannot be recorded, and are taken up once it can', async () => {
    const { ring, turn } = handRing()
    const keys = keysInUse(ring)
    const faults: unknown[] = []
    let broken = false
    const record = async () => {
      if (broken) throw new Error('the trail is broken')
    }
    await keys.follow({ record, onFault: (error) => void faults.push(error) })
    broken = true
    turn(described('b'))
    await keys.settled()
    assert.equal(kids(keys.current().described), 'a')
    assert.equal(faults.length, 1)
    broken = false
    await new Promise<void>((done) => keys.onChange(done))
    assert.equal(kids(keys.current().described), 'b', 'tried again by itself')
    await keys.close()
  })

  it('are told again to whoever could not take them up', async () => {
    const { ring, turn } = handRing()
    const keys = keysInUse(ring)
    const faults: unknown[] = []
    let records = 0
    await keys.follow({ record: async () => void (records += 1), onFault: (error) => void faults.push(error) })
    const taken = Promise.withResolvers<void>()
    keys.onChange(() => {
      if (faults.length === 0) throw new Error('the engine does not start')
      taken.resolve()
    })
    turn(described('b'))
    await taken.promise
    assert.equal(faults.length, 1)
    assert.equal(records, 2, 'what is on record is not recorded again')
    await keys.close()
  })

  it('do not start where their first state cannot be recorded', async () => {
    const keys = keysInUse(handRing().ring)
    const record = () => Promise.reject(new Error('the trail is broken'))
    await assert.rejects(keys.follow({ record, onFault: assert.fail as never }), /broken/)
  })

  it('take up what the ring changed while the start was put on record', async () => {
    const { ring, turn } = handRing()
    const keys = keysInUse(ring)
    let first = true
    const record = async () => {
      if (first) turn(described('b'))
      first = false
    }
    await keys.follow({ record, onFault: assert.fail as never })
    await keys.settled()
    assert.equal(kids(keys.current().described), 'b')
    await keys.close()
  })
})
