/** What every driver of the Storage port must do while keys change: indexes of several versions, and rows made anew (DESIGN D6). */
import assert from 'node:assert/strict'
import { isAppError } from '#src/errors.ts'
import { stillUnder } from '#src/storage/key-progress.ts'
import type { Store } from '#src/storage/storage.ts'
import { document, indexes, person, phone } from './storage-rows.ts'

const conflicts = (error: unknown) => isAppError(error, 'conflict')
const many = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

export function keysContract(name: string, open: () => Promise<Store>): void {
  describe(`storage contract, keys: ${name}`, () => {
    let storage: Store
    beforeEach(async () => {
      storage = await open()
    })
    afterEach(() => storage.close())

    const both = (name: string) => ({ indexes: indexes(name, [1, 2]) })
    const whole = person('p1', {
      documents: [document('a'), document('b', { kind: 'passport', status: 'void' })],
      phones: [phone('1')],
      name: 'sealed name',
    })
    const renewedRow = person('p1', {
      ...whole,
      dataKey: '1.k2.key of p1',
      documents: whole.documents.map((row) => ({ ...row, ...both(row.kind === 'passport' ? 'b' : 'a') })),
      phones: [{ ...phone('1'), ...both('1') }],
      mac: 'another mac',
      version: 2,
    })

    describe('indexes of several versions', () => {
      it('find a person by any of them, a document as well as a phone', async () => {
        const two = person('p1', { documents: [document('a', both('a'))], phones: [{ ...phone('1'), ...both('1') }] })
        await storage.people.insert(two)
        for (const versions of [[1], [2], [2, 1], [3, 2], [3, 1]]) {
          assert.deepEqual(await storage.people.byDocument('resident', indexes('a', versions)), two)
          assert.deepEqual(await storage.people.byPhone(indexes('1', versions)), [two])
        }
        assert.equal(await storage.people.byDocument('resident', indexes('a', [3])), undefined)
        assert.deepEqual(await storage.people.byPhone(indexes('1', [3])), [])
        assert.equal(await storage.people.byDocument('resident', []), undefined)
      })

      it('let nobody have a document twice whose writers share a version', async () => {
        for (const [first, second] of [
          [[1], [1, 2]],
          [
            [1, 2],
            [2, 3],
          ],
          [[1, 2], [1]],
        ] as const) {
          const name = `${first}-${second}`.replaceAll(',', '')
          const of = (id: string, versions: readonly number[]) =>
            person(id, { documents: [document(name, { id, indexes: indexes(name, versions) })] })
          await storage.people.insert(of(`first ${name}`, first))
          await assert.rejects(storage.people.insert(of(`second ${name}`, second)), conflicts)
          assert.equal(await storage.people.byId(`second ${name}`), undefined)
        }
      })

      it('let exactly one of 50 racing writers have it, of whom half have not seen the newer key', async () => {
        const tries = await Promise.allSettled(
          many(50, (n) => {
            const row = document('one', { id: `${n}`, indexes: indexes('one', n % 2 ? [1] : [1, 2]) })
            return storage.people.insert(person(`p${n}`, { documents: [row] }))
          }),
        )
        assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
        assert.ok(tries.every((t) => t.status === 'fulfilled' || conflicts(t.reason)))
      })

      it('go when an update drops them, but never the last of a document', async () => {
        await storage.people.insert(person('p1', { documents: [document('a', both('a'))] }))
        const only = (...versions: number[]) => [document('a', { indexes: indexes('a', versions) })]
        await storage.people.update(person('p1', { documents: only(2), version: 2 }))
        assert.equal(await storage.people.byDocument('resident', indexes('a', [1])), undefined)
        await assert.rejects(storage.people.update(person('p1', { documents: only(), version: 3 })), conflicts)
        assert.equal((await storage.people.byDocument('resident', indexes('a', [2])))?.version, 2)
      })
    })

    describe('renew', () => {
      it('takes the data key, the indexes and the MAC, and nothing else', async () => {
        await storage.people.insert(whole)
        const changed = { ...renewedRow, name: 'another name', proofing: 4, status: 'suspended' as const }
        assert.equal(await storage.people.renew(changed), true)
        assert.deepEqual(await storage.people.byId('p1'), renewedRow)
        assert.deepEqual(await storage.people.byDocument('passport', indexes('b', [2])), renewedRow)
        assert.deepEqual(await storage.people.byPhone(indexes('1', [2])), [renewedRow])
      })

      it('gives way to whoever changed the row meanwhile, and is no second time', async () => {
        await storage.people.insert(whole)
        const results = await Promise.all([
          ...many(10, () => storage.people.renew(renewedRow)),
          storage.people.update({ ...whole, name: 'late', version: 2 }).then(
            () => true,
            () => false,
          ),
          ...many(10, () => storage.people.renew(renewedRow)),
        ])
        assert.equal(results.filter(Boolean).length, 1)
        assert.deepEqual(await storage.people.byId('p1'), renewedRow)
        assert.equal(await storage.people.renew({ ...renewedRow, version: 1 }), false)
        assert.equal(await storage.people.renew(person('nobody', { version: 2 })), false)
      })

      it('takes no index that is somebody else’s, and writes nothing then', async () => {
        await storage.people.insert(whole)
        await storage.people.insert(person('p2', { documents: [document('a', { id: 'his', indexes: ['2.a'] })] }))
        await assert.rejects(storage.people.renew(renewedRow), conflicts)
        assert.deepEqual(await storage.people.byId('p1'), whole)
      })

      it('renews the indexes of an erased person, who stays erased', async () => {
        await storage.people.insert(whole)
        await storage.people.erase('p1')
        const erased = (await storage.people.byId('p1')) ?? assert.fail()
        const documents = erased.documents.map((row, at) => ({ ...row, indexes: indexes(at === 0 ? 'a' : 'b', [2]) }))
        assert.equal(await storage.people.renew({ ...erased, documents, version: erased.version + 1 }), true)
        const after = await storage.people.byDocument('resident', indexes('a', [2]))
        assert.deepEqual([after?.status, after?.dataKey, after?.documents], ['erased', '', documents])
        await assert.rejects(
          storage.people.insert(person('p2', { documents: [document('a', { id: 'his', indexes: ['2.a'] })] })),
          conflicts,
        )
      })
    })

    describe('what rows hang on', () => {
      const all = async (on: 'wrapping' | 'indexes') => [...(await storage.people.dependences(on))].sort()

      it('is told once each, and followed through every change', async () => {
        assert.deepEqual(await all('wrapping'), [])
        await Promise.all(many(5, (n) => storage.people.insert(person(`p${n}`))))
        assert.deepEqual([await all('wrapping'), await all('indexes')], [['k1'], ['1']])
        const row = person('p1', {
          dataKey: '1.k2.x',
          documents: [document('doc of p1', both('doc of p1'))],
          version: 2,
        })
        await storage.people.renew(row)
        assert.deepEqual(
          [await all('wrapping'), await all('indexes')],
          [
            ['k1', 'k2'],
            ['1', '2+1'],
          ],
        )
        await storage.people.update({ ...row, phones: [phone('1')], version: 3 })
        assert.deepEqual(await all('indexes'), ['1', '1|2+1'])
        await storage.people.erase('p1')
        assert.deepEqual(await all('wrapping'), ['k1'], 'an erased person hangs on no wrapping key')
      })

      it('gives whose they are in order, piece by piece', async () => {
        await Promise.all(many(7, (n) => storage.people.insert(person(`p${n}`))))
        await storage.people.renew(person('p3', { dataKey: '1.k2.x', version: 2 }))
        const pieces: (readonly string[])[] = []
        for (let after = ''; ;) {
          const ids = await storage.people.dependents('wrapping', 'k1', after, 4)
          if (ids.length === 0) break
          pieces.push(ids)
          after = ids.at(-1) ?? ''
        }
        assert.deepEqual(pieces, [
          ['p0', 'p1', 'p2', 'p4'],
          ['p5', 'p6'],
        ])
        assert.deepEqual(await storage.people.dependents('wrapping', 'k3', '', 4), [])
      })

      it('says how many would be lost without a key', async () => {
        await storage.people.insert(person('p1'))
        await storage.people.insert(person('p2', { documents: [document('b', both('b'))] }))
        await storage.dataKeys.add({ id: 'store', wrapped: '1.k1.x' })
        const under = (...keys: Parameters<typeof stillUnder>[1][]) =>
          Promise.all(keys.map((key) => stillUnder(storage, key)))
        assert.deepEqual(await under({ wrapping: 'k1' }, { wrapping: 'k2' }), [3, 0])
        assert.deepEqual(await under({ index: 1 }, { index: 2 }, { index: 3 }), [1, 0, 0])
      })
    })

    describe('data keys', () => {
      it('are listed while their time is not past', async () => {
        const expiresAt = Date.now() + 60_000
        await storage.dataKeys.add({ id: 'b', wrapped: '1.k1.b', expiresAt })
        await storage.dataKeys.add({ id: 'a', wrapped: '1.k1.a' })
        await storage.dataKeys.add({ id: 'gone', wrapped: '1.k1.c', expiresAt: Date.now() - 1 })
        assert.deepEqual(await storage.dataKeys.list(), [
          { id: 'a', wrapped: '1.k1.a' },
          { id: 'b', wrapped: '1.k1.b', expiresAt },
        ])
      })

      it('are put in the place of what was read, by one of many, and keep their time', async () => {
        const expiresAt = Date.now() + 60_000
        await storage.dataKeys.add({ id: 'k', wrapped: 'before', expiresAt })
        const won = await Promise.all(many(10, (n) => storage.dataKeys.replace('k', 'before', `after ${n}`)))
        assert.equal(won.filter(Boolean).length, 1)
        assert.deepEqual(await storage.dataKeys.get('k'), { id: 'k', wrapped: `after ${won.indexOf(true)}`, expiresAt })
        assert.equal(await storage.dataKeys.replace('other', 'before', 'x'), false)
      })

      it('are not revived once their time is past', async () => {
        await storage.dataKeys.add({ id: 'k', wrapped: 'before', expiresAt: Date.now() - 1 })
        assert.equal(await storage.dataKeys.replace('k', 'before', 'after'), false)
        assert.equal(await storage.dataKeys.get('k'), undefined)
      })
    })
  })
}
