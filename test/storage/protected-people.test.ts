/** Whoever may write to the database, but has no key, raises nobody: each changed row counts as absent. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isAppError } from '#src/errors.ts'
import { createDirectory, type Directory } from '#src/login/directory.ts'
import { createPersonMac } from '#src/storage/person-mac.ts'
import type { PersonRow } from '#src/storage/storage.ts'
import { member } from '../support/login-rooms.ts'
import { openSealedStore, rowMac, sealerKeys, type SealedStore } from '../support/sealing.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const tampered = (error: unknown) => isAppError(error, 'row_tampered')

describe('the rows of people', () => {
  const newDirectory = temporaryDirectories()
  let file: string
  let rooms: SealedStore
  let directory: Directory
  let db: DatabaseSync
  let yan: string
  let he: string

  const opened = async (key: string, proven: boolean) => {
    const { kind, number, name, phone = '' } = member(key)
    const status = proven ? 'proven' : 'claimed'
    const document = { kind, number, status } as const
    return (await directory.open({ name, document, phone, proven, proofing: proven ? 2 : 1 })).id
  }

  beforeEach(async () => {
    file = join(newDirectory(), 'city.db')
    rooms = await openSealedStore(file)
    directory = createDirectory({ storage: rooms.storage, ...rooms.sealing })
    yan = await opened('yan', true)
    he = await opened('he', false)
    db = new DatabaseSync(file)
  })
  afterEach(async () => {
    db.close()
    await rooms.storage.close()
  })

  const raised: Readonly<Record<string, string>> = {
    'a proofing that was raised': 'UPDATE people SET proofing = 3 WHERE id = $he',
    'a phone that was said to be proven': 'UPDATE phones SET proven = 1 WHERE person = $he',
    'a phone that was confirmed today': 'UPDATE phones SET valid_from = valid_from + 1 WHERE person = $he',
    'a document that was said to be proven': "UPDATE documents SET status = 'proven' WHERE person = $he",
    'a version that was set back': 'UPDATE people SET version = 0 WHERE id = $he',
    'a wrapped key that was exchanged':
      'UPDATE people SET data_key = (SELECT data_key FROM people WHERE id = $yan) WHERE id = $he',
    'a name that was exchanged': 'UPDATE people SET name = (SELECT name FROM people WHERE id = $yan) WHERE id = $he',
    'a name that was taken away': 'UPDATE people SET name = NULL WHERE id = $he',
    'a MAC that was exchanged': 'UPDATE people SET mac = (SELECT mac FROM people WHERE id = $yan) WHERE id = $he',
    'a MAC that was taken away': "UPDATE people SET mac = '' WHERE id = $he",
    'a phone that was taken from somebody': 'UPDATE phones SET person = $he, position = 1 WHERE person = $yan',
    'a phone that was copied': `INSERT INTO phones SELECT 'copy', $he, 1, number, proven, valid_from FROM phones
       WHERE person = $yan; INSERT INTO phone_indexes VALUES ('1.x', 'copy')`,
    'a phone index that leads to somebody else': `INSERT INTO phone_indexes SELECT i.idx, p.id FROM phones p,
       phone_indexes i JOIN phones y ON y.id = i.phone WHERE p.person = $he AND y.person = $yan`,
    'a document that was copied': `INSERT INTO documents SELECT 'copy', kind, $he, 1, number, reserve, status,
       valid_from, valid_to FROM documents WHERE person = $yan; INSERT INTO document_indexes VALUES ('passport', '1.x', 'copy')`,
    'a document index that leads to somebody else':
      "INSERT INTO document_indexes SELECT kind, '1.x', id FROM documents WHERE person = $he",
    'an end that was written in': 'UPDATE documents SET valid_to = 1 WHERE person = $he',
    'an erasure that was written by hand': "UPDATE people SET status = 'erased', mac = '' WHERE id = $he",
  }

  for (const [what, sql] of Object.entries(raised)) {
    it(`count as absent with ${what}`, async () => {
      const { number, kind, phone = '' } = member('he')
      assert.ok(await directory.find(he), 'as it was, it is there')
      db.exec(sql.replaceAll('$he', `'${he}'`).replaceAll('$yan', `'${yan}'`))
      assert.equal(await directory.find(he), undefined)
      assert.equal(await directory.byId(he), undefined)
      await assert.rejects(directory.byDocument(kind, number), tampered)
      assert.deepEqual(await directory.byPhone(phone), [])
      await assert.rejects(directory.confirmPhone(he, phone), (error) => isAppError(error, 'conflict'))
      assert.ok(rooms.tampered.includes(he))
      assert.equal(rooms.tampered.filter((id) => id === he).length, 1, 'the alarm is raised once')
    })
  }

  it('count as absent, with an alarm, where nothing leads to a document or a phone any more', async () => {
    db.exec(`DELETE FROM phone_indexes WHERE phone IN (SELECT id FROM phones WHERE person = '${he}');
      DROP TRIGGER document_indexes_leave_one;
      DELETE FROM document_indexes WHERE document IN (SELECT id FROM documents WHERE person = '${yan}')`)
    for (const id of [he, yan]) assert.equal(await directory.find(id), undefined)
    assert.deepEqual(rooms.tampered, [he, yan])
  })

  it('are not opened with index keys that do not find them, by which their numbers would be free', async () => {
    await rooms.storage.close()
    await assert.rejects(
      openSealedStore(file, () => sealerKeys([1], [2])),
      (error) => isAppError(error, 'key_invalid') && /found by an index key that is not here/.test(error.detail ?? ''),
    )
    rooms = await openSealedStore(file, () => sealerKeys([1], [2, 1]))
    assert.equal((await rooms.storage.people.byId(yan))?.id, yan)
  })

  it('give nobody the number of an account that counts as absent', async () => {
    db.exec(`UPDATE people SET proofing = 4 WHERE id = '${yan}'`)
    await assert.rejects(opened('yan', true), (error) => isAppError(error, 'conflict'))
  })

  it('stand again when they are as they were', async () => {
    db.exec(`UPDATE people SET proofing = 4 WHERE id = '${yan}'`)
    assert.equal(await directory.find(yan), undefined)
    db.exec(`UPDATE people SET proofing = 2 WHERE id = '${yan}'`)
    assert.equal((await directory.find(yan))?.proofing, 2)
  })

  it('let nobody rise from the erased', async () => {
    await rooms.storage.people.erase(yan)
    assert.equal((await directory.find(yan))?.status, 'erased')
    const { data_key, mac } = db.prepare('SELECT data_key, mac FROM people WHERE id = ?').get(he) as Record<
      string,
      string
    >
    for (const change of [
      "status = 'active'",
      'proofing = 2',
      `data_key = '${data_key}'`,
      `mac = '${mac}'`,
      `status = 'active', data_key = '${data_key}', mac = '${mac}'`,
    ]) {
      db.exec(`SAVEPOINT forged; UPDATE people SET ${change} WHERE id = '${yan}'; RELEASE forged`)
      assert.equal(await directory.find(yan), undefined, change)
      db.exec(`UPDATE people SET status = 'erased', proofing = 1, data_key = '', mac = '' WHERE id = '${yan}'`)
      assert.ok(await directory.find(yan))
    }
  })

  it('are as right after each change of their own as before it', async () => {
    const { kind, number, name } = member('he')
    const changes: (() => Promise<unknown>)[] = [
      () => directory.rename(he, name),
      () => directory.bindProven(he, { name, document: { kind, number }, phone: '+8619900000071', proofing: 2 }),
      () => directory.confirmPhone(he, '+8619900000071'),
      () => directory.endDocument(he, { kind, number }, 'replaced', '690101198001011005'),
      () => directory.endPhone(he, '+8619900000071'),
      () => directory.suspend(he),
      () => rooms.storage.people.erase(he),
    ]
    for (const change of changes) {
      await change()
      assert.ok(await directory.byId(he))
    }
    assert.deepEqual(rooms.tampered, [])
  })

  it('have a MAC over every member: none can be changed in the port’s own terms', async () => {
    const row = (await rooms.storage.people.byId(yan)) as PersonRow
    const { of } = createPersonMac(rowMac)
    const texts = new Set<string>([await of(row)])
    const altered = <Value>(value: Value): unknown =>
      typeof value === 'number' ? value + 1 : typeof value === 'boolean' ? !value : `${String(value)}x`
    let members = 0
    const check = async (forged: PersonRow) => {
      members += 1
      texts.add(await of(forged))
      assert.equal(texts.size, members + 1)
    }
    for (const [name, value] of Object.entries(row))
      if (!Array.isArray(value)) await check({ ...row, [name]: altered(value) })
    for (const list of ['documents', 'phones'] as const) {
      const part = row[list][0] ?? assert.fail()
      for (const [name, value] of Object.entries(part)) {
        const forged = Array.isArray(value) ? [...(value as string[]), '9.x'] : altered(value)
        await check({ ...row, [list]: [{ ...part, [name]: forged }] })
      }
      await check({ ...row, [list]: [part, part] })
      await check({ ...row, [list]: [] })
    }
    assert.ok(members >= 20)
  })
})
