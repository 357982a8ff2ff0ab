import { strict as assert } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '#src/errors.ts'
import type { PopulationRegister, RegisterChange } from '#src/identity/registry.ts'
import { followRegister, type RegisterFollower } from '#src/register/follow.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

const changeOf = (n: number): RegisterChange => ({ at: n, kind: 'passport', number: `XX${n}`, change: 'deceased' })

/** A store that holds one cursor, and can fail. */
function cursorStore(first?: string) {
  let value = first
  const state = { failing: false, puts: 0 }
  const artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'remove'> = {
    get: async <T>() => (value === undefined ? undefined : { value: value as T, expiresAt: 0 }),
    async put(_kind, _id, cursor) {
      if (state.failing) throw new AppError('storage_unavailable')
      state.puts += 1
      value = cursor as string
      return true
    },
    remove: async () => void (value = undefined),
  }
  return Object.assign(state, { artifacts, cursor: () => value })
}

const fromList =
  (all: readonly RegisterChange[]): PopulationRegister['changes'] =>
  async (after, limit) => {
    const start = Number(after ?? 0)
    if (start > all.length) throw new AppError('bad_request')
    const changes = all.slice(start, start + limit)
    return { changes, cursor: String(start + changes.length) }
  }

describe('following the changes of the register', () => {
  let follower: RegisterFollower | undefined
  afterEach(() => follower?.stop())

  const start = (
    changes: PopulationRegister['changes'],
    store = cursorStore(),
    { everyMs = 3_600_000, apply = async (_: RegisterChange): Promise<void> => undefined } = {},
  ) => {
    const applied: RegisterChange[] = []
    const faults: unknown[] = []
    follower = followRegister({
      register: { name: 'test', changes },
      artifacts: store.artifacts,
      cursorKind: 'Cursor',
      everyMs,
      onFault: (error) => faults.push(error),
      async apply(change) {
        await apply(change)
        applied.push(change)
      },
    })
    return { applied, faults, store, follower }
  }

  it('applies each change once, in order, and keeps the cursor behind them', async () => {
    const all = [1, 2, 3].map(changeOf)
    const { applied, store, follower } = start(fromList(all))
    assert.equal(await follower.follow(), false)
    assert.deepEqual(applied, all)
    assert.equal(store.cursor(), '3')
    await follower.follow()
    assert.equal(applied.length, 3)
    assert.equal(store.puts, 1, 'a cursor that has not moved is not written again')
  })

  it('goes on where it was after a restart', async () => {
    const { applied, follower } = start(fromList([1, 2, 3].map(changeOf)), cursorStore('2'))
    await follower.follow()
    assert.deepEqual(applied, [changeOf(3)])
  })

  it('works a long backlog off without waiting for its interval', async () => {
    const all = Array.from({ length: 450 }, (_, n) => changeOf(n))
    const { applied } = start(fromList(all))
    for (let tries = 0; tries < 100 && applied.length < 450; tries += 1) await sleep(20)
    assert.deepEqual(applied, all)
  })

  it('looks again after its interval', async () => {
    const all = [changeOf(1)]
    const { applied } = start(fromList(all), cursorStore(), { everyMs: 20 })
    await sleep(10)
    all.push(changeOf(2))
    for (let tries = 0; tries < 100 && applied.length < 2; tries += 1) await sleep(20)
    assert.equal(applied.length, 2)
  })

  it('tells a batch again whose cursor was not kept', async () => {
    const store = Object.assign(cursorStore(), { failing: true })
    const { applied, faults, follower } = start(fromList([1, 2].map(changeOf)), store)
    await follower.follow()
    assert.equal(faults.length, 1)
    store.failing = false
    await follower.follow()
    assert.deepEqual(applied, [1, 2, 1, 2].map(changeOf))
    assert.equal(store.cursor(), '2')
  })

  it('stops at a change that cannot be applied, and begins with that batch again', async () => {
    let broken = true
    const apply = async ({ at }: RegisterChange) => {
      if (at === 2 && broken) throw new AppError('storage_unavailable')
    }
    const { applied, store, follower } = start(fromList([1, 2, 3].map(changeOf)), cursorStore(), { apply })
    await follower.follow()
    assert.deepEqual(applied, [changeOf(1)])
    assert.equal(store.cursor(), undefined)
    broken = false
    await follower.follow()
    assert.deepEqual(applied, [1, 1, 2, 3].map(changeOf))
  })

  it('bears an outage, tells of it once, and goes on', async () => {
    let down = true
    const list = fromList([changeOf(1)])
    const changes: PopulationRegister['changes'] = async (after, limit) => {
      if (down) throw new AppError('register_unavailable')
      return list(after, limit)
    }
    const { applied, faults, follower } = start(changes)
    for (let count = 0; count < 5; count += 1) await follower.follow()
    assert.equal(faults.length, 1)
    down = false
    await follower.follow()
    assert.equal(applied.length, 1)
    down = true
    await follower.follow()
    assert.equal(faults.length, 2)
  })

  it('begins anew where the register does not know its cursor', async () => {
    const { applied, follower } = start(fromList([changeOf(1)]), cursorStore('99'))
    await follower.follow()
    await follower.follow()
    assert.deepEqual(applied, [changeOf(1)])
  })

  it('is stopped at once while the register does not answer, and applies nothing afterwards', async () => {
    let answer: ((value: Awaited<ReturnType<PopulationRegister['changes']>>) => void) | undefined
    const { applied, follower } = start(() => new Promise((done) => (answer = done)))
    await sleep(1)
    await follower.stop()
    answer?.({ changes: [changeOf(1)], cursor: '1' })
    await sleep(5)
    assert.deepEqual(applied, [])
  })

  it('lets the change at hand be finished when it is stopped, and begins no other', async () => {
    let release: (() => void) | undefined
    const apply = () => new Promise<void>((done) => (release = done))
    const { applied, store, follower } = start(fromList([1, 2].map(changeOf)), cursorStore(), { apply })
    while (!release) await sleep(1)
    const stopped = follower.stop()
    release()
    await stopped
    assert.deepEqual(applied, [changeOf(1)])
    assert.equal(store.cursor(), undefined, 'the batch is told again next time')
  })
})
