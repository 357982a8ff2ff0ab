/**
 * What every driver of the Storage port must do (DESIGN D4). A driver's test calls `storageContract` with a way to open
 * a fresh, empty store, and `reopen` where the store outlives its process.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '#src/errors.ts'
import type { ErrorCode } from '#src/errors.ts'
import type { Store } from '#src/storage/storage.ts'
import { at, auditRow, delivery, document, indexes, person, phone } from './storage-rows.ts'

export interface ContractOptions {
  /** Closes the store and opens the same data again. */
  readonly reopen?: (storage: Store) => Promise<Store>
}

const minute = 60_000
const fails = (code: ErrorCode) => (error: unknown) => isAppError(error, code)
const many = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

export function storageContract(name: string, open: () => Promise<Store>, options: ContractOptions = {}): void {
  describe(`storage contract: ${name}`, () => {
    let storage: Store
    const soon = () => Date.now() + minute

    beforeEach(async () => {
      storage = await open()
    })
    afterEach(() => storage.close())

    describe('people', () => {
      it('gives back a whole person by id and by each document', async () => {
        const whole = person('p1', {
          name: '𬎆䶮·阿依古丽 sealed',
          documents: [
            document('b', { status: 'replaced', to: at + 1 }),
            document('a'),
            document('a', { kind: 'passport' }),
          ],
          phones: [phone('2'), { ...phone('1'), proven: false }],
          status: 'suspended',
        })
        await storage.people.insert(whole)
        assert.deepEqual(await storage.people.byId('p1'), whole)
        assert.deepEqual(await storage.people.byDocument('resident', indexes('b')), whole)
        assert.deepEqual(await storage.people.byDocument('passport', indexes('a')), whole)
        assert.equal(await storage.people.byDocument('passport', indexes('b')), undefined)
        assert.equal(await storage.people.byId('p2'), undefined)
      })

      it('leaves out what is absent rather than giving null', async () => {
        await storage.people.insert(person('p1'))
        const found = await storage.people.byId('p1')
        assert.ok(found && !('name' in found) && !('to' in (found.documents[0] ?? {})))
      })

      it('lists everybody who shares a phone, oldest account first', async () => {
        await storage.people.insert(person('younger', { phones: [phone('shared', 'younger')], createdAt: at + 5 }))
        await storage.people.insert(person('older', { phones: [phone('own'), phone('shared')], createdAt: at }))
        await storage.people.insert(person('other', { phones: [phone('another')] }))
        assert.deepEqual(
          (await storage.people.byPhone(indexes('shared'))).map(({ id }) => id),
          ['older', 'younger'],
        )
        assert.deepEqual(await storage.people.byPhone(indexes('nobody')), [])
      })

      it('refuses a document that belongs to somebody, and then writes nothing of the person', async () => {
        await storage.people.insert(person('p1'))
        const thief = person('p2', {
          documents: [document('free'), document('doc of p1', { id: 'his' })],
          phones: [phone('x')],
        })
        await assert.rejects(storage.people.insert(thief), fails('conflict'))
        assert.equal(await storage.people.byId('p2'), undefined)
        assert.equal(await storage.people.byDocument('resident', indexes('free')), undefined)
        assert.deepEqual(await storage.people.byPhone(indexes('x')), [])
      })

      it('refuses the same person twice', async () => {
        await storage.people.insert(person('p1'))
        await assert.rejects(storage.people.insert(person('p1', { documents: [document('z')] })), fails('conflict'))
      })

      it('lets exactly one of 50 racing registrations have a document', async () => {
        const tries = await Promise.allSettled(
          many(50, (n) => storage.people.insert(person(`p${n}`, { documents: [document('one', { id: `${n}` })] }))),
        )
        assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
        assert.ok(tries.every((t) => t.status === 'fulfilled' || isAppError(t.reason, 'conflict')))
      })

      it('replaces a person, adding documents and changing phones', async () => {
        await storage.people.insert(person('p1', { name: 'before', phones: [phone('1'), phone('2')] }))
        const next = person('p1', {
          dataKey: '1.k2.another key',
          documents: [document('doc of p1', { status: 'replaced', to: at + 9 }), document('new')],
          phones: [phone('3')],
          proofing: 3,
          version: 2,
        })
        await storage.people.update(next)
        assert.deepEqual(await storage.people.byId('p1'), next)
        assert.deepEqual(await storage.people.byDocument('resident', indexes('new')), next)
        assert.deepEqual(await storage.people.byPhone(indexes('1')), [])
      })

      it('keeps a replaced or void document reserved to its person for ever', async () => {
        await storage.people.insert(person('p1'))
        for (const [n, status] of (['replaced', 'void'] as const).entries()) {
          await storage.people.update(
            person('p1', { documents: [document('doc of p1', { status, to: at })], version: n + 2 }),
          )
          await assert.rejects(
            storage.people.insert(person('p2', { documents: [document('doc of p1', { id: 'his' })] })),
            fails('conflict'),
          )
        }
        assert.equal((await storage.people.byDocument('resident', indexes('doc of p1')))?.id, 'p1')
      })

      it('refuses an update that loses a document, and then changes nothing', async () => {
        const before = person('p1', { documents: [document('a'), document('b')], phones: [phone('1')] })
        await storage.people.insert(before)
        const losing = person('p1', { documents: [document('a', { status: 'void' })], version: 2 })
        await assert.rejects(storage.people.update(losing), (error) => isAppError(error))
        assert.deepEqual(await storage.people.byId('p1'), before)
      })

      it('refuses an update that takes the document of another, and then changes nothing', async () => {
        await storage.people.insert(person('p1'))
        await storage.people.insert(person('p2'))
        const thief = person('p2', {
          documents: [document('doc of p2'), document('doc of p1', { id: 'his' })],
          version: 2,
        })
        await assert.rejects(storage.people.update(thief), fails('conflict'))
        assert.deepEqual(await storage.people.byId('p2'), person('p2'))
        assert.deepEqual(await storage.people.byId('p1'), person('p1'))
      })

      it('lets exactly one of 50 racing updates of a version win', async () => {
        await storage.people.insert(person('p1'))
        const tries = await Promise.allSettled(
          many(50, (n) => storage.people.update(person('p1', { name: `writer ${n}`, version: 2 }))),
        )
        assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
        assert.ok(tries.every((t) => t.status === 'fulfilled' || isAppError(t.reason, 'conflict')))
        const winner = tries.findIndex(({ status }) => status === 'fulfilled')
        assert.equal((await storage.people.byId('p1'))?.name, `writer ${winner}`)
      })

      it('refuses to skip a version or to update somebody unknown', async () => {
        await storage.people.insert(person('p1'))
        await assert.rejects(storage.people.update(person('p1', { version: 3 })), fails('conflict'))
        await assert.rejects(storage.people.update(person('p1', { version: 1 })), fails('conflict'))
        await assert.rejects(storage.people.update(person('p9', { version: 2 })), fails('conflict'))
      })
    })

    describe('artefacts', () => {
      it('finds an artefact by kind and id, by uid and by user code', async () => {
        const row = { payload: '{"𬎆":"\\u0001\'\\""}', grant: 'g', uid: 'u', userCode: 'c', expiresAt: soon() }
        await storage.artifacts.put('Session', 'a', row)
        assert.deepEqual(await storage.artifacts.get('Session', 'a'), { id: 'a', ...row })
        assert.deepEqual(await storage.artifacts.byUid('Session', 'u'), { id: 'a', ...row })
        assert.deepEqual(await storage.artifacts.byUserCode('Session', 'c'), { id: 'a', ...row })
        assert.equal(await storage.artifacts.get('Grant', 'a'), undefined)
        assert.equal(await storage.artifacts.byUid('Grant', 'u'), undefined)
        assert.equal(await storage.artifacts.byUserCode('Grant', 'c'), undefined)
      })

      it('replaces the whole row on a second put', async () => {
        await storage.artifacts.put('Session', 'a', { payload: '1', grant: 'g', uid: 'u', expiresAt: soon() })
        const second = { payload: '2', uid: 'v', expiresAt: soon() }
        await storage.artifacts.put('Session', 'a', second)
        assert.deepEqual(await storage.artifacts.get('Session', 'a'), { id: 'a', ...second })
        assert.equal(await storage.artifacts.byUid('Session', 'u'), undefined)
        await storage.artifacts.removeByGrant('g')
        assert.deepEqual(await storage.artifacts.get('Session', 'a'), { id: 'a', ...second })
      })

      it('gives nothing that has expired, before any sweep', async () => {
        const expiresAt = Date.now() + 300
        await storage.artifacts.put('Code', 'a', { payload: 'x', uid: 'u', userCode: 'c', expiresAt })
        await sleep(350)
        assert.equal(await storage.artifacts.get('Code', 'a'), undefined)
        assert.equal(await storage.artifacts.byUid('Code', 'u'), undefined)
        assert.equal(await storage.artifacts.byUserCode('Code', 'c'), undefined)
        await storage.artifacts.put('Code', 'a', { payload: 'y', expiresAt: soon() })
        assert.equal((await storage.artifacts.get('Code', 'a'))?.payload, 'y')
      })

      it('passes over an expired artefact that shares a uid with a living one', async () => {
        await storage.artifacts.put('Session', 'old', { payload: 'old', uid: 'u', expiresAt: Date.now() - 1 })
        await storage.artifacts.put('Session', 'new', { payload: 'new', uid: 'u', expiresAt: soon() })
        assert.equal((await storage.artifacts.byUid('Session', 'u'))?.payload, 'new')
      })

      for (const racers of [16, 200])
        it(`lets exactly one of ${racers} concurrent callers spend each of 100 artefacts`, async () => {
          const expiresAt = soon()
          const wins = await Promise.all(
            many(100 * racers, async (n) =>
              (await storage.artifacts.spend('Code', `c${n % 100}`, expiresAt)) ? n % 100 : -1,
            ),
          )
          assert.deepEqual(
            wins.filter((n) => n >= 0).sort((a, b) => a - b),
            many(100, (n) => n),
          )
          assert.equal(await storage.artifacts.spend('Code', 'c0', expiresAt), false)
          assert.equal(await storage.artifacts.spend('Other', 'c0', expiresAt), true)
        }).timeout(60_000)

      it('says when an artefact was spent', async () => {
        await storage.artifacts.put('Code', 'a', { payload: 'x', uid: 'u', userCode: 'c', expiresAt: soon() })
        assert.equal((await storage.artifacts.get('Code', 'a'))?.spentAt, undefined)
        const before = Date.now()
        await storage.artifacts.spend('Code', 'a', soon())
        const spentAt = (await storage.artifacts.get('Code', 'a'))?.spentAt ?? 0
        assert.ok(spentAt >= before && spentAt <= Date.now())
        assert.equal((await storage.artifacts.byUid('Code', 'u'))?.spentAt, spentAt)
        assert.equal((await storage.artifacts.byUserCode('Code', 'c'))?.spentAt, spentAt)
      })

      it('revives nothing that is spent, however the artefact is removed or rewritten', async () => {
        const row = { payload: 'x', grant: 'g', expiresAt: soon() }
        await storage.artifacts.put('Code', 'a', row)
        await storage.artifacts.spend('Code', 'a', row.expiresAt)
        await storage.artifacts.remove('Code', 'a')
        assert.equal(await storage.artifacts.spend('Code', 'a', row.expiresAt), false)
        await storage.artifacts.put('Code', 'a', row)
        assert.ok((await storage.artifacts.get('Code', 'a'))?.spentAt)
        await storage.artifacts.removeByGrant('g')
        await storage.artifacts.put('Code', 'a', row)
        assert.equal(await storage.artifacts.spend('Code', 'a', row.expiresAt), false)
      })

      it('forgets a mark once it has expired, and spends nothing whose time is past', async () => {
        assert.equal(await storage.artifacts.spend('Jti', 'j', Date.now() + 300), true)
        await sleep(350)
        assert.equal(await storage.artifacts.spend('Jti', 'j', soon()), true)
        assert.equal(await storage.artifacts.spend('Jti', 'j', soon()), false)
        const late = Date.now() - 1
        assert.deepEqual(
          await Promise.all(many(4, () => storage.artifacts.spend('Jti', 'late', late))),
          many(4, () => false),
        )
      })

      it('removes one artefact, or all of a grant whatever their kind', async () => {
        for (const [kind, id, grant] of [
          ['Code', 'a', 'g'],
          ['Token', 'b', 'g'],
          ['Token', 'c', 'h'],
        ] as const)
          await storage.artifacts.put(kind, id, { payload: id, grant, expiresAt: soon() })
        await storage.artifacts.remove('Token', 'a')
        assert.ok(await storage.artifacts.get('Code', 'a'))
        await storage.artifacts.removeByGrant('g')
        assert.equal(await storage.artifacts.get('Code', 'a'), undefined)
        assert.equal(await storage.artifacts.get('Token', 'b'), undefined)
        await storage.artifacts.remove('Token', 'c')
        assert.equal(await storage.artifacts.get('Token', 'c'), undefined)
        await storage.artifacts.remove('Token', 'c')
      })
    })

    describe('counters', () => {
      it('adds up within a window and opens a new one after it', async () => {
        assert.deepEqual(await storage.counters.add('k', 2, at, 100), { points: 2, expiresAt: at + 100 })
        assert.deepEqual(await storage.counters.add('k', 3, at + 99, 100), { points: 5, expiresAt: at + 100 })
        assert.deepEqual(await storage.counters.get('k', at + 99), { points: 5, expiresAt: at + 100 })
        assert.equal(await storage.counters.get('k', at + 100), undefined)
        assert.deepEqual(await storage.counters.add('k', 1, at + 100, 50), { points: 1, expiresAt: at + 150 })
      })

      it('restarts a window on demand and removes it', async () => {
        await storage.counters.add('k', 5, at, 100)
        assert.deepEqual(await storage.counters.add('k', 1, at + 10, 100, true), { points: 1, expiresAt: at + 110 })
        assert.equal(await storage.counters.remove('k'), true)
        assert.equal(await storage.counters.remove('k'), false)
        assert.equal(await storage.counters.get('k', at), undefined)
      })

      it('loses none of 200 parallel additions and gives each its own sum', async () => {
        const sums = await Promise.all(many(200, () => storage.counters.add('k', 1, at, minute)))
        assert.deepEqual(
          sums.map(({ points }) => points).sort((a, b) => a - b),
          many(200, (n) => n + 1),
        )
      })
    })

    it('keeps applications and replaces them by id', async () => {
      const row = { id: 'b', body: '{"name":"办事大厅"}', mac: 'm', updatedAt: at }
      await storage.applications.put(row)
      await storage.applications.put({ ...row, id: 'a' })
      await storage.applications.put({ ...row, mac: 'n', updatedAt: at + 1 })
      assert.deepEqual(await storage.applications.get('b'), { ...row, mac: 'n', updatedAt: at + 1 })
      assert.deepEqual((await storage.applications.list()).map(({ id }) => id).sort(), ['a', 'b'])
      assert.equal(await storage.applications.get('c'), undefined)
    })

    describe('deliveries', () => {
      it('takes what is due, earliest first, and hides it until the lease ends', async () => {
        await storage.deliveries.enqueue([delivery('late', at + 2), delivery('early', at), delivery('future', at + 90)])
        const taken = await storage.deliveries.take(at + 10, 10, at + 50)
        assert.deepEqual(taken, [
          { ...delivery('early', at), attempts: 0 },
          { ...delivery('late', at + 2), attempts: 0 },
        ])
        assert.deepEqual(await storage.deliveries.take(at + 49, 10, at + 99), [])
        assert.deepEqual((await storage.deliveries.take(at + 50, 10, at + 99)).map(({ id }) => id).sort(), [
          'early',
          'late',
        ])
      })

      it('counts attempts, gives up for good and forgets what is done', async () => {
        await storage.deliveries.enqueue(['done', 'retried', 'buried'].map((id) => delivery(id, at)))
        await storage.deliveries.take(at, 3, at + 50)
        await storage.deliveries.done('done')
        await storage.deliveries.retry('retried', at + 20, '连接被拒绝')
        await storage.deliveries.bury('buried', 'gone')
        await storage.deliveries.retry('buried', at + 20, 'too late')
        assert.deepEqual(await storage.deliveries.counts(), { waiting: 1, buried: 1 })
        assert.deepEqual(await storage.deliveries.take(at + 19, 10, at + 99), [])
        assert.deepEqual(
          (await storage.deliveries.take(at + minute, 10, at + 99)).map(({ id, attempts }) => [id, attempts]),
          [['retried', 1]],
        )
      })

      it('hands no delivery to two of 20 parallel takers', async () => {
        await storage.deliveries.enqueue(many(100, (n) => delivery(`d${n}`, at)))
        const taken = (await Promise.all(many(20, () => storage.deliveries.take(at, 7, at + minute)))).flat()
        assert.equal(taken.length, 100)
        assert.equal(new Set(taken.map(({ id }) => id)).size, 100)
      })

      it('enqueues all or nothing', async () => {
        await storage.deliveries.enqueue([delivery('a', at)])
        await assert.rejects(storage.deliveries.enqueue([delivery('b', at), delivery('a', at)]), fails('conflict'))
        assert.deepEqual(await storage.deliveries.counts(), { waiting: 1, buried: 0 })
      })
    })

    describe('audit', () => {
      it('reads back the rows of each node in order, byte for byte', async () => {
        const body = '{"name":"𬎆","note":"\\u0000 é e\u0301 \\n"}'
        const rows = many(5, (n) => auditRow('n1', n + 1, n === 2 ? { body, reference: 'ref' } : {}))
        await storage.audit.append(rows)
        await storage.audit.append([auditRow('n2', 1, { reference: 'ref' })])
        assert.deepEqual(await storage.audit.read('n1', 0, 10), rows)
        assert.deepEqual(await storage.audit.read('n1', 2, 2), rows.slice(2, 4))
        assert.deepEqual(await storage.audit.last('n1'), rows[4])
        assert.equal(await storage.audit.last('n3'), undefined)
        assert.deepEqual([...(await storage.audit.nodes())].sort(), ['n1', 'n2'])
        const shared = (await storage.audit.byReference('ref', 10)).map(({ node, seq }) => `${node} ${seq}`).sort()
        assert.deepEqual(shared, ['n1 3', 'n2 1'])
        assert.equal((await storage.audit.byReference('ref', 1)).length, 1)
        assert.deepEqual(await storage.audit.byReference('none', 10), [])
      })

      it('knows no nodes before the first row', async () => {
        assert.deepEqual(await storage.audit.nodes(), [])
      })

      it('refuses a gap, a duplicate and a start other than 1, and then appends nothing', async () => {
        await storage.audit.append([auditRow('n1', 1), auditRow('n1', 2)])
        for (const rows of [
          [auditRow('n1', 4)],
          [auditRow('n1', 2)],
          [auditRow('n1', 3), auditRow('n1', 5)],
          [auditRow('n1', 3), auditRow('n1', 3)],
          [auditRow('n1', 3), auditRow('n2', 2)],
          [auditRow('n2', 0)],
        ])
          await assert.rejects(storage.audit.append(rows), fails('conflict'))
        assert.equal((await storage.audit.last('n1'))?.seq, 2)
        assert.deepEqual(await storage.audit.nodes(), ['n1'])
      })

      it('lets exactly one of 20 racing writers have a sequence number', async () => {
        const tries = await Promise.allSettled(
          many(20, (n) => storage.audit.append([auditRow('n1', 1, { hash: `${n}` })])),
        )
        assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
        assert.equal((await storage.audit.read('n1', 0, 10)).length, 1)
      })

      it('keeps checkpoints, once each', async () => {
        const checkpoint = (seq: number) => ({ node: 'n1', seq, at, jws: `jws ${seq}` })
        for (const seq of [2, 4, 6]) await storage.audit.putCheckpoint(checkpoint(seq))
        await assert.rejects(storage.audit.putCheckpoint({ ...checkpoint(4), jws: 'forged' }), fails('conflict'))
        assert.deepEqual(await storage.audit.lastCheckpoint('n1'), checkpoint(6))
        assert.equal(await storage.audit.lastCheckpoint('n2'), undefined)
        assert.deepEqual(await storage.audit.checkpoints('n1', 2, 10), [checkpoint(4), checkpoint(6)])
        assert.deepEqual(await storage.audit.checkpoints('n1', 0, 1), [checkpoint(2)])
      })
    })

    describe('data keys', () => {
      it('keeps the first key and gives it to every later writer', async () => {
        const given = await Promise.all(many(20, (n) => storage.dataKeys.add({ id: 'k', wrapped: `key ${n}` })))
        const stands = await storage.dataKeys.get('k')
        assert.ok(stands && !('expiresAt' in stands))
        assert.deepEqual(
          given,
          many(20, () => stands),
        )
        assert.equal(await storage.dataKeys.get('other'), undefined)
      })

      it('gives no expired key, before any sweep, and lets a new one take its place', async () => {
        const expiresAt = Date.now() + 300
        await storage.dataKeys.add({ id: 'k', wrapped: 'old', expiresAt })
        assert.deepEqual(await storage.dataKeys.get('k'), { id: 'k', wrapped: 'old', expiresAt })
        await sleep(350)
        assert.equal(await storage.dataKeys.get('k'), undefined)
        assert.equal((await storage.dataKeys.add({ id: 'k', wrapped: 'new' })).wrapped, 'new')
        assert.equal((await storage.dataKeys.get('k'))?.wrapped, 'new')
      })
    })

    it('sweeps in bounded batches, everything expired and nothing else', async () => {
      const now = Date.now()
      const later = now + 60 * minute
      await Promise.all([
        ...many(5, (n) => storage.artifacts.put('Code', `gone${n}`, { payload: 'x', expiresAt: now + minute })),
        ...many(5, (n) => storage.artifacts.spend('Code', `gone${n}`, now + minute)),
        ...many(5, (n) => storage.counters.add(`gone${n}`, 1, now, minute)),
        ...many(5, (n) => storage.dataKeys.add({ id: `gone${n}`, wrapped: 'x', expiresAt: now + minute })),
        storage.artifacts.put('Code', 'stays', { payload: 'x', expiresAt: later }),
        storage.artifacts.spend('Code', 'stays', later),
        storage.counters.add('stays', 1, now, 60 * minute),
        storage.dataKeys.add({ id: 'stays', wrapped: 'x', expiresAt: later }),
        storage.dataKeys.add({ id: 'for ever', wrapped: 'x' }),
        storage.people.insert(person('p1')),
        storage.deliveries.enqueue([delivery('d', now)]),
        storage.audit.append([auditRow('n1', 1)]),
      ])
      const batches = []
      for (let gone = -1; gone !== 0;) batches.push((gone = await storage.sweep(now + minute, 3)))
      assert.equal(
        batches.reduce((sum, n) => sum + n, 0),
        20,
      )
      assert.ok(batches.every((n) => n <= 3))
      assert.equal(await storage.artifacts.get('Code', 'gone0'), undefined)
      assert.equal(await storage.artifacts.spend('Code', 'gone0', later), true)
      assert.equal(await storage.counters.get('gone0', now), undefined)
      assert.equal(await storage.dataKeys.get('gone0'), undefined)
      assert.ok((await storage.artifacts.get('Code', 'stays'))?.spentAt)
      assert.ok(await storage.counters.get('stays', now))
      assert.ok(await storage.dataKeys.get('stays'))
      assert.ok(await storage.dataKeys.get('for ever'))
      assert.ok(await storage.people.byId('p1'))
      assert.deepEqual(await storage.deliveries.counts(), { waiting: 1, buried: 0 })
      assert.equal((await storage.audit.last('n1'))?.seq, 1)
    })

    it('finishes what was asked for before it closes, and refuses what comes after', async () => {
      const pending = many(300, (n) => storage.counters.add('k', 1, at, minute).then(({ points }) => points === n + 1))
      await storage.close()
      assert.ok((await Promise.all(pending)).every(Boolean))
      await assert.rejects(storage.counters.add('k', 1, at, minute), fails('storage_unavailable'))
      await assert.rejects(storage.people.byId('p1'), fails('storage_unavailable'))
      await storage.close()
    })

    const { reopen } = options
    if (reopen)
      it('keeps everything over a restart', async () => {
        const whole = person('p1', { name: '𬎆', phones: [phone('1')] })
        const row = { payload: '龘', expiresAt: soon() }
        await storage.people.insert(whole)
        await storage.artifacts.put('Code', 'a', row)
        await storage.artifacts.spend('Code', 'a', row.expiresAt)
        await storage.counters.add('k', 3, at, minute)
        await storage.applications.put({ id: 'app', body: '{}', mac: 'm', updatedAt: at })
        await storage.deliveries.enqueue([delivery('d', at)])
        await storage.audit.append([auditRow('n1', 1)])
        await storage.audit.putCheckpoint({ node: 'n1', seq: 1, at, jws: 'j' })
        await storage.dataKeys.add({ id: 'k', wrapped: 'w' })
        storage = await reopen(storage)
        assert.deepEqual(await storage.people.byPhone(indexes('1')), [whole])
        assert.equal((await storage.artifacts.get('Code', 'a'))?.payload, '龘')
        assert.equal(await storage.artifacts.spend('Code', 'a', row.expiresAt), false)
        assert.equal((await storage.counters.add('k', 1, at, minute)).points, 4)
        assert.equal((await storage.applications.list()).length, 1)
        assert.equal((await storage.deliveries.take(at, 5, at + 1)).length, 1)
        assert.equal((await storage.audit.last('n1'))?.seq, 1)
        assert.equal((await storage.audit.lastCheckpoint('n1'))?.jws, 'j')
        assert.equal((await storage.dataKeys.get('k'))?.wrapped, 'w')
      })
  })
}
