import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAppError } from '#src/errors.ts'
import type { Directory } from '#src/login/directory.ts'
import { member, openLoginRooms, type LoginRooms } from '../support/login-rooms.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const person = (key: string, over: Partial<Parameters<Directory['open']>[0]> = {}) => {
  const { kind, number, name, phone = '' } = member(key)
  return {
    name,
    document: { kind, number, status: 'proven' as const },
    phone,
    proven: true,
    proofing: 2 as const,
    ...over,
  }
}
const claim = (key: string, phone: string) =>
  person(key, { phone, proven: false, proofing: 1, document: { ...person(key).document, status: 'claimed' } })
const proof = (key: string, phone = member(key).phone ?? '', name = member(key).name) => {
  const { kind, number } = member(key)
  return { name, document: { kind, number }, phone, proofing: 2 as const }
}
const strangersPhone = '+8619900000099'

describe('the directory of citizens', () => {
  let rooms: LoginRooms
  let directory: Directory
  beforeEach(async () => {
    rooms = await openLoginRooms()
    directory = rooms.directory
  })
  afterEach(() => rooms.close())

  it('finds whom it opened by id, phone and document, in the open on this side', async () => {
    const opened = await directory.open(person('yan'))
    const { number, name, phone } = member('yan')
    assert.equal(opened.name, name)
    assert.deepEqual(await directory.byId(opened.id), opened)
    assert.deepEqual(await directory.byPhone(phone ?? ''), [opened])
    assert.deepEqual(await directory.byDocument('resident-id-card', number), opened)
    assert.deepEqual(
      opened.documents.map(({ number: seen, status }) => [seen, status]),
      [[number, 'proven']],
    )
  })

  it('knows nobody by what nobody has, nor by the same number as another kind of document', async () => {
    await directory.open(person('yan'))
    assert.equal(await directory.byId('nobody'), undefined)
    assert.deepEqual(await directory.byPhone(strangersPhone), [])
    assert.equal(await directory.byDocument('passport', member('yan').number), undefined)
    assert.equal(await directory.byDocument('resident-id-card', member('xian').number), undefined)
  })

  it('gives everybody who shares a phone, oldest account first', async () => {
    const he = await directory.open(person('he'))
    rooms.clock.advance(1_000)
    const xu = await directory.open(person('xu'))
    assert.deepEqual(
      (await directory.byPhone(member('he').phone ?? '')).map(({ id }) => id),
      [he.id, xu.id],
    )
  })

  it('opens one account when two open the same document at once; the other conflicts', async () => {
    const results = await Promise.allSettled(Array.from({ length: 16 }, () => directory.open(person('yan'))))
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const result of results) {
      if (result.status === 'rejected') assert.ok(isAppError(result.reason, 'conflict'))
    }
    assert.equal((await directory.byPhone(member('yan').phone ?? '')).length, 1)
  })

  it('proves a claim by the own phone, and ends the claimant’s', async () => {
    const claimed = await directory.open(claim('yan', strangersPhone))
    const { citizen: proven } = await directory.bindProven(claimed.id, proof('yan'))
    assert.equal(proven.id, claimed.id)
    assert.equal(proven.proofing, 2)
    assert.equal(proven.documents[0]?.status, 'proven')
    assert.deepEqual(
      proven.phones.map(({ number, proven: own }) => [number, own]),
      [[member('yan').phone, true]],
    )
    assert.deepEqual(await directory.byPhone(strangersPhone), [])
    assert.deepEqual(await directory.byId(claimed.id), proven)
  })

  it('raises the proofing and never lowers it, and keeps phones that are proven', async () => {
    const opened = await directory.open(person('yan', { proofing: 3 }))
    const { citizen: bound } = await directory.bindProven(opened.id, proof('yan', '+8619900000055'))
    assert.equal(bound.proofing, 3)
    assert.deepEqual(
      bound.phones.map(({ number }) => number),
      [member('yan').phone, '+8619900000055'],
    )
    assert.equal((await directory.bindProven(opened.id, { ...proof('yan'), proofing: 4 })).citizen.proofing, 4)
  })

  it('binds a phone once, however often it is proven, also at once', async () => {
    const opened = await directory.open(claim('yan', strangersPhone))
    await Promise.all(Array.from({ length: 16 }, () => directory.bindProven(opened.id, proof('yan'))))
    assert.deepEqual(
      (await directory.byId(opened.id))?.phones.map(({ number }) => number),
      [member('yan').phone],
    )
  })

  it('loses none of two phones that are proven at once', async () => {
    const opened = await directory.open(person('yan'))
    const phones = ['+8619900000051', '+8619900000052', '+8619900000053']
    await Promise.all(phones.map((phone) => directory.bindProven(opened.id, proof('yan', phone))))
    const bound = (await directory.byId(opened.id))?.phones.map(({ number }) => number)
    assert.deepEqual(bound?.toSorted(), [member('yan').phone, ...phones].toSorted())
  })

  it('takes over a new name, and leaves one that is only written differently as it was', async () => {
    const renamed = await directory.open(person('renamed', { name: member('renamed').formerNames[0] }))
    assert.equal((await directory.bindProven(renamed.id, proof('renamed'))).citizen.name, member('renamed').name)
    const maria = await directory.open(person('maria'))
    const { citizen: same } = await directory.bindProven(maria.id, proof('maria', undefined, 'maria garcia lopez'))
    assert.equal(same.name, member('maria').name)
  })

  it('renews and ends the binding of one phone of one person', async () => {
    const [he, xu] = [await directory.open(person('he')), await directory.open(person('xu'))]
    const phone = member('he').phone ?? ''
    rooms.clock.advance(86_400_000)
    const renewed = await directory.confirmPhone(he.id, phone)
    assert.ok((renewed.phones[0]?.from ?? 0) - (he.phones[0]?.from ?? 0) >= 86_400_000)
    await directory.endPhone(he.id, phone)
    await directory.endPhone(he.id, phone)
    assert.deepEqual(
      (await directory.byPhone(phone)).map(({ id, phones }) => [id, phones[0]?.from]),
      [[xu.id, xu.phones[0]?.from]],
    )
    assert.equal((await directory.byId(he.id))?.proofing, 2)
  })

  it('does not prove a claim by renewing its phone', async () => {
    const claimed = await directory.open(claim('yan', strangersPhone))
    rooms.clock.advance(1_000)
    assert.deepEqual((await directory.confirmPhone(claimed.id, strangersPhone)).phones, claimed.phones)
  })

  it('conflicts over a person who is gone', async () => {
    const conflict = (error: unknown) => isAppError(error, 'conflict')
    await assert.rejects(directory.bindProven('nobody', proof('yan')), conflict)
    await assert.rejects(directory.endPhone('nobody', strangersPhone), conflict)
  })
})

describe('the directory on disk', () => {
  const newDirectory = temporaryDirectories()

  it('holds nothing of a person in the open: no name, no number, no phone, in no file', async () => {
    const file = join(newDirectory(), 'yihao.db')
    const rooms = await openLoginRooms(file)
    const { name, number, phone = '' } = member('yan')
    const opened = await rooms.directory.open(person('yan'))
    await rooms.directory.bindProven(opened.id, proof('yan', '+8619900000055'))
    await rooms.throttle.take('send-pause', await rooms.directory.phoneKey(phone))
    await rooms.throttle.take('register-number', await rooms.directory.documentKey('resident-id-card', number))

    const search = (suffixes: readonly string[]): void => {
      const bytes = Buffer.concat(
        suffixes.map((suffix) => `${file}${suffix}`).flatMap((path) => (existsSync(path) ? [readFileSync(path)] : [])),
      )
      assert.ok(bytes.includes(opened.id), 'the row itself is there, or the search would prove nothing')
      const open = [name, number, number.slice(6, 14), phone, phone.slice(3), '+8619900000055', '19900000055']
      for (const text of open)
        for (const encoding of ['utf8', 'utf16le'] as const)
          assert.ok(!bytes.includes(Buffer.from(text, encoding)), `${text} as ${encoding}`)
      for (const text of [name, number, phone]) {
        for (const form of ['base64', 'base64url', 'hex'] as const)
          assert.ok(!bytes.includes(Buffer.from(text).toString(form).replace(/=+$/, '')), `${text} as ${form}`)
      }
    }
    assert.ok(existsSync(`${file}-wal`), 'the write-ahead log is in use')
    search(['', '-wal', '-shm'])
    await rooms.close()
    search([''])
  })

  it('refuses rows that somebody exchanged', async () => {
    const rooms = await openLoginRooms(join(newDirectory(), 'yihao.db'))
    const { people } = rooms.storage
    const yan = await rooms.directory.open(person('yan'))
    const xian = await rooms.directory.open(person('xian'))
    const rows = [await people.byId(yan.id), await people.byId(xian.id)]
    assert.ok(rows[0] && rows[1])
    // xian's row with yan's sealed name; then with yan's key as well: the seal is bound to the person.
    for (const stolen of [{ name: rows[0].name }, { name: rows[0].name, dataKey: rows[0].dataKey }]) {
      const version = ((await people.byId(xian.id))?.version ?? 0) + 1
      await people.update({ ...rows[1], ...stolen, version })
      await assert.rejects(rooms.directory.byId(xian.id), (error) => isAppError(error, 'sealed_value_invalid'))
    }
    await rooms.close()
  })
})
