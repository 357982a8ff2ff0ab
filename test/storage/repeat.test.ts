/** An older copy of the store is told what ended since: also over a change of keys, and signing no forged row. */
import assert from 'node:assert/strict'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SealerKeys } from '#src/crypto/sealer.ts'
import { createDirectory, type Directory } from '#src/login/directory.ts'
import { createRenewal } from '#src/login/renewal.ts'
import { openSealedStore, sealerKeys, type SealedStore } from '../support/sealing.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const [kind, name] = ['passport', '刘䶮'] as const
const [number, corrected] = ['E10000001', 'E10000002']
const [phone, otherPhone] = ['+8619900000001', '+8619900000002']

describe('the ledger, repeated on an older copy', () => {
  const newDirectory = temporaryDirectories()
  let file: string
  let keys: SealerKeys
  let rooms: SealedStore
  let directory: Directory
  let person: string

  const open = async () => {
    rooms = await openSealedStore(file, () => keys)
    directory = createDirectory({ storage: rooms.storage, ...rooms.sealing })
  }
  const copy = async () => {
    await rooms.storage.close()
    copyFileSync(file, `${file}.old`)
    await open()
  }
  /** @param change what somebody does to the copy before it is put in place */
  const putBack = async (change = '') => {
    await rooms.storage.close()
    for (const part of ['-wal', '-shm']) rmSync(file + part, { force: true })
    copyFileSync(`${file}.old`, file)
    const db = new DatabaseSync(file)
    if (change) db.exec(change)
    db.close()
    await open()
  }
  const renew = async (next: SealerKeys) => {
    keys = next
    const renewal = createRenewal({
      ...{ storage: rooms.storage, ...rooms.sealing, now: Date.now },
      recorder: { record: async () => undefined },
      onProgress: () => undefined,
      onFault: (error) => assert.fail(String(error)),
    })
    await renewal.wake()
    await renewal.stop()
  }

  beforeEach(async () => {
    file = join(newDirectory(), 'city.db')
    keys = sealerKeys()
    await open()
    const document = { kind, number, status: 'proven' } as const
    person = (await directory.open({ name, document, phone, proven: true, proofing: 2 })).id
    await directory.bindProven(person, { name, document: { kind, number }, phone: otherPhone, proofing: 2 })
  })
  afterEach(() => rooms.storage.close())

  it('leaves rows that are right, so that who was changed still stands', async () => {
    await copy()
    await directory.endPhone(person, phone)
    await directory.endDocument(person, { kind, number }, 'void')
    await putBack()
    const citizen = await directory.byId(person)
    assert.deepEqual(
      [citizen?.phones.map((one) => one.number), citizen?.documents[0]?.status, citizen?.proofing],
      [[otherPhone], 'void', 1],
    )
    assert.deepEqual(await directory.byPhone(phone), [])
    assert.deepEqual(rooms.tampered, [])
  })

  it('tells what ended after all was wrapped and indexed anew to a copy from before it', async () => {
    await copy()
    await renew(sealerKeys([2, 1], [2, 1]))
    await renew(sealerKeys([2, 1], [2]))
    await directory.endPhone(person, phone)
    await directory.endDocument(person, { kind, number }, 'replaced', corrected)
    keys = sealerKeys([2, 1], [2, 1])
    await putBack()
    const citizen = await directory.byDocument(kind, number)
    assert.deepEqual(
      [citizen?.id, citizen?.documents[0]?.status, citizen?.phones.map((one) => one.number)],
      [person, 'replaced', [otherPhone]],
    )
    await renew(keys)
    await renew(sealerKeys([2], [2]))
    assert.equal((await directory.byPhone(otherPhone))[0]?.id, person)
    assert.deepEqual(rooms.tampered, [])
  })

  it('calls no phone ended that is only proven again', async () => {
    await copy()
    for (let n = 0; n < 3; n += 1)
      await directory.bindProven(person, { name, document: { kind, number }, phone, proofing: 2 })
    assert.equal((await directory.byId(person))?.phones.length, 2)
    await putBack()
    assert.equal((await directory.byPhone(phone))[0]?.id, person)
  })

  it('signs no row that was changed before it', async () => {
    await copy()
    await directory.endPhone(person, phone)
    await putBack(`UPDATE people SET proofing = 4 WHERE id = '${person}'`)
    assert.equal(await directory.byId(person), undefined)
    assert.deepEqual(rooms.tampered, [person])
  })

  it('only takes away: who stood suspended stays so, whatever a line says of him later', async () => {
    const row = async (status: 'active' | 'suspended') => {
      const known = (await rooms.storage.people.byId(person)) ?? assert.fail()
      await rooms.storage.people.update({ ...known, status, version: known.version + 1 })
    }
    await row('suspended')
    await copy()
    await row('active')
    await putBack()
    assert.equal((await directory.byId(person))?.status, 'suspended')

    await row('active')
    await copy()
    await row('suspended')
    await row('active')
    await putBack()
    assert.equal((await directory.byId(person))?.status, 'active', 'whom it suspended it reinstates')
    await row('suspended')
    await putBack()
    assert.equal((await directory.byId(person))?.status, 'suspended')
    assert.deepEqual(rooms.tampered, [])
  })

  it('erases for good, whatever keys have come since', async () => {
    await copy()
    await renew(sealerKeys([2, 1], [2, 1]))
    await rooms.storage.people.erase(person)
    await putBack()
    assert.equal((await directory.byId(person))?.status, 'erased')
    await renew(keys)
    await renew(sealerKeys([2], [2]))
    assert.equal((await directory.byDocument(kind, number))?.id, person)
    assert.deepEqual(rooms.tampered, [])
  })
})
