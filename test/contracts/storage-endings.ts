/** What every driver of the Storage port must do when a person is erased (DESIGN D6; PIPL 47). */
import assert from 'node:assert/strict'
import { isAppError } from '#src/errors.ts'
import type { ErrorCode } from '#src/errors.ts'
import { hashed } from '#src/storage/sealed-artifacts.ts'
import type { Store } from '#src/storage/storage.ts'
import { document, indexes, person, phone } from './storage-rows.ts'

const fails = (code: ErrorCode) => (error: unknown) => isAppError(error, code)

export function endingsContract(name: string, open: () => Promise<Store>): void {
  describe(`storage contract, erasure: ${name}`, () => {
    let storage: Store
    const whole = person('p1', {
      name: 'sealed name',
      documents: [document('a'), document('b', { kind: 'passport', status: 'claimed' })],
      phones: [phone('1'), phone('shared', 'p1')],
      proofing: 3,
    })
    const expiresAt = Date.now() + 3_600_000

    beforeEach(async () => {
      storage = await open()
      await storage.people.insert(whole)
      await storage.people.insert(person('p2', { phones: [phone('shared')] }))
    })
    afterEach(() => storage.close())

    it('leaves of a person his id and the indexes of his documents', async () => {
      await storage.people.erase('p1')
      const { name: _, ...rest } = whole
      assert.deepEqual(await storage.people.byId('p1'), {
        ...rest,
        dataKey: '',
        mac: '',
        documents: whole.documents.map((row) => ({ ...row, number: '', status: 'void' })),
        phones: [],
        proofing: 1,
        status: 'erased',
        version: 2,
      })
    })

    it('lets nobody have his documents as fresh ones: they are found as his, and conflict for another', async () => {
      await storage.people.erase('p1')
      assert.equal((await storage.people.byDocument('resident', indexes('a')))?.status, 'erased')
      const fresh = (more: string) => person('p3', { documents: [document(more), document('a', { id: 'his' })] })
      await assert.rejects(storage.people.insert(fresh('c')), fails('conflict'))
      assert.equal(await storage.people.byDocument('resident', indexes('c')), undefined)
    })

    it('finds him by no phone, and those who shared it as before', async () => {
      await storage.people.erase('p1')
      assert.deepEqual(await storage.people.byPhone(indexes('1')), [])
      assert.deepEqual(
        (await storage.people.byPhone(indexes('shared'))).map(({ id }) => id),
        ['p2'],
      )
      assert.deepEqual(await storage.people.byId('p2'), person('p2', { phones: [phone('shared')] }))
    })

    it('ends the artefacts of his account and of nobody else', async () => {
      for (const id of ['p1', 'p2'])
        await storage.artifacts.put('Session', id, { payload: 'x', account: hashed(id), expiresAt })
      await storage.people.erase('p1')
      assert.equal(await storage.artifacts.get('Session', 'p1'), undefined)
      assert.ok(await storage.artifacts.get('Session', 'p2'))
    })

    it('is for good: nothing changes him any more, and twice is once', async () => {
      await storage.people.erase('p1')
      for (const version of [2, 3])
        await assert.rejects(storage.people.update({ ...whole, version }), fails('conflict'))
      await storage.people.erase('p1')
      assert.equal((await storage.people.byId('p1'))?.version, 2)
    })

    it('wins against changes that race it', async () => {
      const tries = [1, 2, 3, 4].map((n) => storage.people.update({ ...whole, name: `${n}`, version: n + 1 }))
      await Promise.allSettled([...tries.slice(0, 2), storage.people.erase('p1'), ...tries.slice(2)])
      const row = await storage.people.byId('p1')
      assert.deepEqual([row?.status, row?.dataKey, row?.name, row?.phones], ['erased', '', undefined, []])
    })

    it('is no status that a row could be written with, and nothing for an id that nobody has', async () => {
      await assert.rejects(storage.people.erase('p9'), fails('conflict'))
      await assert.rejects(storage.people.update({ ...whole, status: 'erased', version: 2 }), fails('internal'))
      await assert.rejects(storage.people.insert(person('p3', { status: 'erased' })), fails('internal'))
      assert.deepEqual(await storage.people.byId('p1'), whole)
    })

    it('knows of no restore in a store that never was', async () => {
      assert.deepEqual(await storage.restores.unrecorded(), [])
    })
  })
}
