/** Keys change under a full store: everything opens, everybody is found and nobody twice, before, meanwhile and after. */
import assert from 'node:assert/strict'
import type { AuditEvent } from '#src/audit/recorder.ts'
import { createSealer, type SealerKeys } from '#src/crypto/sealer.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { createDirectory, type Directory } from '#src/login/directory.ts'
import { createRenewal, type Renewal } from '#src/login/renewal.ts'
import type { RenewalProgress } from '#src/login/renewal-account.ts'
import { indexProgress, stillUnder, wrappingProgress } from '#src/storage/key-progress.ts'
import type { People, Storage } from '#src/storage/storage.ts'
import { createVault } from '#src/storage/vault.ts'
import { openSealedStore, sealerKeys, sealingOf, type SealedStore } from '../support/sealing.ts'

const people = 100
const [kind, name] = ['passport', '刘䶮'] as const
const numberOf = (n: number) => `E${10_000_000 + n}`
const phoneOf = (n: number) => `+86199${String(n % 90).padStart(8, '0')}`
const many = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

describe('renewal of keys', () => {
  let keys: SealerKeys
  let rooms: SealedStore
  let directory: Directory
  let events: AuditEvent[]
  let told: RenewalProgress[]
  let faults: unknown[]
  let failing: boolean
  const renewals: Renewal[] = []

  const opening = (n: number) => ({
    name,
    document: { kind, number: numberOf(n), status: 'proven' as const },
    phone: phoneOf(n),
    proven: true,
    proofing: 2 as const,
  })

  /** A node's directory and renewal over the one store, with keys of its own. */
  const node = (own: () => SealerKeys, storage: Storage = rooms.storage) => {
    const sealing = sealingOf(storage.dataKeys, own)
    const renewal = createRenewal({
      ...{ storage, ...sealing, now: Date.now },
      recorder: {
        async record(event) {
          if (failing) throw new AppError('audit_broken')
          events.push(event)
        },
      },
      onProgress: (progress) => void told.push(progress),
      onFault: (error) => void faults.push(error),
    })
    renewals.push(renewal)
    return { directory: createDirectory({ storage, ...sealing }), renewal, sealing }
  }

  beforeEach(async () => {
    keys = sealerKeys([1], [1])
    ;[events, told, faults, failing] = [[], [], [], false]
    rooms = await openSealedStore(undefined, () => keys)
    directory = createDirectory({ storage: rooms.storage, ...rooms.sealing })
    await rooms.vault.seal('the store has a key of its own', 'x')
    await Promise.all(many(people, (n) => directory.open(opening(n))))
  })
  afterEach(async () => {
    await Promise.all(renewals.splice(0).map((renewal) => renewal.stop()))
    await rooms.storage.close()
  })

  const idOf = async (n: number) => (await directory.byDocument(kind, numberOf(n)))?.id ?? assert.fail()

  /** Everybody is found by number and phone, and opens. */
  async function everybody(by: Directory = directory): Promise<void> {
    for (let n = 0; n < people; n += 1) {
      const citizen = await by.byDocument(kind, numberOf(n))
      assert.equal(citizen?.name, name, `${n}`)
      assert.equal(citizen.documents[0]?.number, numberOf(n))
      assert.ok((await by.byPhone(phoneOf(n))).some(({ id }) => id === citizen.id))
    }
    assert.deepEqual(rooms.tampered, [])
  }

  const facts = (type: string) => events.filter((event) => event.type === type).map((event) => event.facts)

  describe('of wrapping keys', () => {
    it('wraps every data key anew, so that the old wrapping key can go', async () => {
      const sealed = await rooms.vault.seal('kept', 'place')
      keys = sealerKeys([2, 1], [1])
      await everybody()
      await node(() => keys).renewal.wake()
      assert.deepEqual(await wrappingProgress(rooms.storage), [{ key: 'k2', people, dataKeys: 2 }])
      assert.equal(await stillUnder(rooms.storage, { wrapping: 'k1' }), 0)
      keys = sealerKeys([2], [1])
      const { directory: fresh, sealing } = node(() => keys)
      await everybody(fresh)
      const { sealer } = sealing
      const vault = createVault({ dataKeys: rooms.storage.dataKeys, sealer, id: 'artifacts' })
      assert.equal(await vault.open(sealed, 'place'), 'kept')
    })

    it('is put on record before the first row and after the last, and told with counts', async () => {
      keys = sealerKeys([2, 1], [1])
      await node(() => keys).renewal.wake()
      assert.deepEqual(facts('keys.rewrapped'), [
        { stage: 'begun', from: ['k1'] },
        { stage: 'ended', people, dataKeys: 2, failed: 0 },
      ])
      assert.deepEqual(
        told.map(({ on, stage }) => `${on} ${stage}`),
        ['wrapping begun', 'wrapping ended'],
      )
      assert.deepEqual(facts('keys.reindexed'), [])
    })

    it('writes nothing where its beginning cannot be put on record', async () => {
      keys = sealerKeys([2, 1], [1])
      failing = true
      const { renewal } = node(() => keys)
      await renewal.wake()
      assert.ok(faults.length > 0 && faults.every((fault) => isAppError(fault, 'audit_broken')))
      assert.deepEqual(await wrappingProgress(rooms.storage), [{ key: 'k1', people, dataKeys: 2 }])
      failing = false
      await renewal.wake()
      assert.equal(await stillUnder(rooms.storage, { wrapping: 'k1' }), 0)
    })

    it('does not revive a data key whose time is past, and leaves the erased without one', async () => {
      const erased = await idOf(0)
      await rooms.storage.people.erase(erased)
      const sealer = createSealer(() => keys)
      const wrapped = await sealer.newDataKey('audit:2026-01')
      await rooms.storage.dataKeys.add({ id: 'audit:2026-01', wrapped, expiresAt: Date.now() - 1 })
      keys = sealerKeys([2, 1], [1])
      await node(() => keys).renewal.wake()
      assert.equal(await rooms.storage.dataKeys.get('audit:2026-01'), undefined)
      assert.equal((await rooms.storage.people.byId(erased))?.dataKey, '')
      assert.deepEqual(facts('keys.rewrapped').at(-1), { stage: 'ended', people: people - 1, dataKeys: 2, failed: 0 })
    })

    it('does nothing, and says nothing, where all is current', async () => {
      await node(() => keys).renewal.wake()
      assert.deepEqual([events, told], [[], []])
    })

    it('leaves a row alone that was changed outside, counts it, and renews all others', async () => {
      const id = await idOf(7)
      const row = (await rooms.storage.people.byId(id)) ?? assert.fail()
      const forged: People = {
        ...rooms.storage.people,
        byId: async (asked) => (asked === id ? undefined : rooms.storage.people.byId(asked)),
      }
      keys = sealerKeys([2, 1], [1])
      await node(() => keys, { ...rooms.storage, people: forged }).renewal.wake()
      assert.deepEqual(facts('keys.rewrapped').at(-1), { stage: 'ended', people: people - 1, dataKeys: 2, failed: 1 })
      assert.deepEqual(await rooms.storage.people.byId(id), row)
      assert.equal(await stillUnder(rooms.storage, { wrapping: 'k1' }), 1, 'so its wrapping key is not retired')
    })
  })

  it('leaves a data key of the store alone that does not open, and renews everything else', async () => {
    await rooms.storage.dataKeys.add({ id: 'changed', wrapped: '1.k1.changed' })
    keys = sealerKeys([2, 1], [1])
    await node(() => keys).renewal.wake()
    assert.deepEqual(facts('keys.rewrapped').at(-1), { stage: 'ended', people, dataKeys: 2, failed: 1 })
    assert.equal(await stillUnder(rooms.storage, { wrapping: 'k1' }), 1)
    assert.deepEqual(faults, [])
  })

  describe('of index keys', () => {
    it('finds everybody by all versions in force from the first moment', async () => {
      keys = sealerKeys([1], [2, 1])
      await everybody()
      const { id } = await directory.open(opening(people))
      assert.equal((await directory.byDocument(kind, numberOf(people)))?.id, id)
      await assert.rejects(directory.open(opening(0)), (error) => isAppError(error, 'conflict'))
    })

    it('gives every row the new version, and takes the retired one away', async () => {
      keys = sealerKeys([1], [2, 1])
      const { renewal } = node(() => keys)
      await renewal.wake()
      assert.deepEqual(await indexProgress(rooms.storage), [
        { version: 1, people, only: 0 },
        { version: 2, people, only: 0 },
      ])
      assert.equal(await stillUnder(rooms.storage, { index: 1 }), 0)
      keys = sealerKeys([1], [2])
      await everybody()
      await renewal.wake()
      await everybody()
      assert.deepEqual(await indexProgress(rooms.storage), [{ version: 2, people, only: people }])
      for (const id of await rooms.storage.people.dependents('indexes', '2', '', people)) {
        const row = (await rooms.storage.people.byId(id)) ?? assert.fail()
        for (const { indexes } of [...row.documents, ...row.phones]) assert.match(indexes.join(), /^2\.[\w-]+$/)
      }
    })

    it('keeps the numbers of the erased reserved, though they are gone', async () => {
      const id = await idOf(3)
      await rooms.storage.people.erase(id)
      keys = sealerKeys([1], [2, 1])
      const { renewal } = node(() => keys)
      await renewal.wake()
      keys = sealerKeys([1], [2])
      await renewal.wake()
      assert.deepEqual(await indexProgress(rooms.storage), [{ version: 2, people, only: people }])
      assert.deepEqual(
        [(await directory.byDocument(kind, numberOf(3)))?.id, (await directory.find(id))?.status],
        [id, 'erased'],
      )
      await assert.rejects(directory.open(opening(3)), (error) => isAppError(error, 'conflict'))
    })

    it('does not take away what a node with newer keys has written', async () => {
      await node(() => sealerKeys([1], [2, 1])).renewal.wake()
      const blind = node(() => sealerKeys([1], [1]))
      await blind.renewal.wake()
      const document = { kind, number: numberOf(5) }
      await blind.directory.bindProven(await idOf(5), { name, document, phone: phoneOf(5), proofing: 2 })
      assert.deepEqual(await indexProgress(rooms.storage), [
        { version: 1, people, only: 0 },
        { version: 2, people, only: 0 },
      ])
    })

    it('moves neither limits nor known devices', async () => {
      const before = [await directory.phoneKey(phoneOf(1)), await directory.documentKey(kind, numberOf(1))]
      keys = sealerKeys([3], [2])
      assert.deepEqual([await directory.phoneKey(phoneOf(1)), await directory.documentKey(kind, numberOf(1))], before)
    })

    it('lets exactly one of many have a number, between nodes that have and have not seen the new key', async () => {
      const [seeing, blind] = [node(() => sealerKeys([1], [2, 1])), node(() => sealerKeys([1], [1]))]
      const renewing = seeing.renewal.wake()
      const racers = many(200, async (n) => {
        const by = n % 2 === 0 ? seeing : blind
        const wanted = 1_000 + (Math.floor(n / 2) % 10)
        const citizen = await by.directory.open(opening(wanted))
        return [numberOf(wanted), citizen.id] as const
      })
      const tries = await Promise.allSettled(racers)
      await renewing
      const won = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      assert.equal(won.length, 10)
      assert.ok(tries.every((one) => one.status === 'fulfilled' || isAppError(one.reason, 'conflict')))
      await seeing.renewal.wake()
      for (const [number, id] of won)
        for (const { directory: by } of [seeing, blind, node(() => sealerKeys([1], [2]))])
          assert.equal((await by.byDocument(kind, number))?.id, id)
      assert.equal(await stillUnder(rooms.storage, { index: 1 }), 0)
    })
  })

  it('loses no change that is made meanwhile, and refuses none', async () => {
    const ids = await Promise.all(many(people, idOf))
    keys = sealerKeys([2, 1], [2, 1])
    const { renewal, directory: other } = node(() => keys)
    const renewing = renewal.wake()
    await Promise.all(
      ids.map(async (id, n) => {
        await (n % 2 === 0 ? directory : other).bindProven(id, {
          name,
          document: { kind, number: numberOf(n) },
          phone: `+86188${String(n).padStart(8, '0')}`,
          proofing: 3,
        })
        await other.endPhone(id, phoneOf(n))
      }),
    )
    await renewing
    await renewal.wake()
    for (const [n, id] of ids.entries()) {
      const citizen = await directory.byId(id)
      assert.equal(citizen?.proofing, 3)
      assert.deepEqual(
        citizen.phones.map(({ number }) => number),
        [`+86188${String(n).padStart(8, '0')}`],
      )
    }
    assert.equal(await stillUnder(rooms.storage, { wrapping: 'k1' }), 0)
    assert.equal(await stillUnder(rooms.storage, { index: 1 }), 0)
    assert.deepEqual([rooms.tampered, faults], [[], []])
  })

  it('is done once by two nodes at the same time', async () => {
    keys = sealerKeys([2, 1], [2, 1])
    const nodes = [node(() => keys), node(() => keys)]
    await Promise.all(nodes.map(({ renewal }) => renewal.wake()))
    const done = facts('keys.rewrapped').reduce((sum, one) => sum + Number(one?.['people'] ?? 0), 0)
    assert.equal(done, people)
    await everybody()
  })

  it('stops after the rows in hand, and another goes on where it was', async () => {
    keys = sealerKeys([2, 1], [1])
    const first = node(() => keys)
    while (!told.some(({ stage }) => stage === 'begun')) await new Promise(setImmediate)
    await first.renewal.stop()
    const left = await stillUnder(rooms.storage, { wrapping: 'k1' })
    assert.ok(left > 0, 'it was stopped in the middle')
    assert.equal(facts('keys.rewrapped').at(-1)?.['stage'], 'interrupted')
    await first.renewal.wake()
    assert.equal(await stillUnder(rooms.storage, { wrapping: 'k1' }), left, 'it is over')
    await node(() => keys).renewal.wake()
    assert.equal(facts('keys.rewrapped').at(-1)?.['people'], left)
    await everybody()
  })
})
