/** The ledger of endings beside a SQLite store: what a copy of the database does not know, it is told again. */
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAppError } from '#src/errors.ts'
import { openStorage } from '#src/storage/open.ts'
import { openLedger, readLedger } from '#src/storage/sqlite/ledger.ts'
import type { Store } from '#src/storage/storage.ts'
import { at, document, person, phone } from '../contracts/storage-rows.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const refused = (pattern: RegExp) => (error: unknown) =>
  isAppError(error, 'storage_unavailable') && pattern.test(error.detail ?? '')

describe('the ledger of endings', () => {
  const directory = temporaryDirectories()
  let file: string
  let ledger: string
  let storage: Store
  const open = async () => (storage = await openStorage({ kind: 'sqlite', file }))
  const whole = person('p1', { phones: [phone('1'), phone('2')], documents: [document('a'), document('b')] })
  const notice = { payload: 'x', expiresAt: Date.now() + 3_600_000 }

  beforeEach(async () => {
    file = join(directory(), 'city.db')
    ledger = `${file}.ledger`
    await open()
    await storage.people.insert(whole)
    await storage.people.insert(person('p2'))
    for (const id of ['n1', 'n2', 'n3']) await storage.artifacts.put('Notice', id, notice)
  })
  afterEach(() => storage.close())

  const kinds = () =>
    readFileSync(ledger, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind)

  /** Each kind of ending once; a fresh word on a notice takes the old one back. */
  async function endEverything(): Promise<void> {
    await storage.people.update({
      ...whole,
      status: 'suspended',
      phones: [phone('2')],
      documents: [document('a', { status: 'replaced', to: at }), document('b')],
      version: 2,
    })
    await storage.people.erase('p2')
    await storage.artifacts.remove('Notice', 'n1')
    await storage.artifacts.put('Notice', 'n2', notice)
  }
  const all = ['person.suspended', 'phone.ended', 'document.replaced', 'person.erased']

  it('has each ending on the disk before it is acknowledged, and says nothing of whom it concerns', async () => {
    await endEverything()
    assert.deepEqual(kinds(), ['begun', ...all, 'notice.withdrawn', 'notice.withdrawn'])
    assert.equal(statSync(ledger).mode & 0o777, 0o600)
    const text = readFileSync(ledger, 'utf8')
    for (const index of ['"a"', '"1"', 'sealed', 'key of']) assert.ok(!text.includes(index), index)
  })

  it('is not written by what ends nothing, and not by what is refused', async () => {
    await storage.people.update({ ...whole, name: 'n', phones: [...whole.phones, phone('3')], version: 2 })
    await assert.rejects(storage.people.update({ ...whole, phones: [], version: 2 }))
    await assert.rejects(storage.people.erase('p9'))
    await storage.artifacts.put('Session', 's', notice)
    await storage.artifacts.remove('Session', 's')
    await storage.artifacts.remove('Notice', 'never')
    assert.deepEqual(kinds(), ['begun'])
  })

  it('tells an old copy of the database everything again, as often as one likes', async () => {
    await storage.close()
    copyFileSync(file, `${file}.old`)
    await open()
    await endEverything()
    for (const _ of [1, 2]) {
      await storage.close()
      copyFileSync(`${file}.old`, file)
      await open()
      const row = await storage.people.byId('p1')
      assert.equal(row?.status, 'suspended')
      assert.deepEqual(
        row.phones.map(({ id }) => id),
        [phone('2').id],
      )
      assert.deepEqual(
        row.documents.map(({ status }) => status),
        ['replaced', 'proven'],
      )
      assert.equal((await storage.people.byId('p2'))?.status, 'erased')
      assert.equal(await storage.artifacts.get('Notice', 'n1'), undefined)
      assert.equal(await storage.artifacts.get('Notice', 'n2'), undefined, 'he is asked anew')
      assert.ok(await storage.artifacts.get('Notice', 'n3'))
    }
  })

  it('lowers the proofing of whoever is left without a proven document, as the void did', async () => {
    await storage.people.insert(person('p3', { documents: [document('c'), document('d', { status: 'claimed' })] }))
    await storage.close()
    copyFileSync(file, `${file}.old`)
    await open()
    const [first, second] = [document('a', { status: 'void', to: at }), document('b', { status: 'void', to: at })]
    await storage.people.update({ ...whole, documents: [first, document('b')], version: 2 })
    const moved = [document('c', { status: 'replaced', to: at }), document('d', { status: 'claimed' })]
    await storage.people.update(person('p3', { documents: moved, proofing: 1, version: 2 }))
    const proofings = async () => {
      await storage.close()
      copyFileSync(`${file}.old`, file)
      await open()
      return Promise.all(['p1', 'p2', 'p3'].map(async (id) => (await storage.people.byId(id))?.proofing))
    }
    assert.deepEqual(await proofings(), [2, 2, 1])
    const row = await storage.people.byId('p1')
    assert.ok(row)
    await storage.people.update({ ...row, documents: [first, second], proofing: 1, version: row.version + 1 })
    assert.deepEqual(await proofings(), [1, 2, 1])
  })

  it('ends with the last word: who was reinstated is so again', async () => {
    await storage.close()
    copyFileSync(file, `${file}.old`)
    await open()
    await storage.people.update({ ...whole, status: 'suspended', version: 2 })
    await storage.people.update({ ...whole, status: 'active', version: 3 })
    await storage.close()
    copyFileSync(`${file}.old`, file)
    await open()
    assert.equal((await storage.people.byId('p1'))?.status, 'active')
  })

  it('carries out at the next start what stood in it when the server died before the commit', async () => {
    await storage.close()
    copyFileSync(file, `${file}.old`)
    await open()
    await storage.people.erase('p2')
    await storage.close()
    copyFileSync(`${file}.old`, file)
    writeFileSync(ledger, `${readFileSync(ledger, 'utf8')}{"seq":2,"kind":"${'torn'.repeat(200)}`)
    await open()
    assert.equal((await storage.people.byId('p2'))?.status, 'erased')
    await storage.people.erase('p1')
    assert.deepEqual(kinds(), ['begun', 'person.erased', 'person.erased'], 'the torn line is gone')
  })

  it('is refused where it was changed, belongs to another store, or cannot be written', async () => {
    await storage.close()
    copyFileSync(file, `${file}.old`)
    await open()
    await storage.people.erase('p2')
    await storage.close()
    const good = readFileSync(ledger, 'utf8')
    copyFileSync(`${file}.old`, file)
    writeFileSync(ledger, good.replace('"p2"', '"p1"'))
    await assert.rejects(open(), refused(/entry 1 is missing or was changed/))
    writeFileSync(ledger, good.replace('"kind"', 'kind'))
    await assert.rejects(open(), refused(/is damaged/))
    writeFileSync(ledger, good.replace(/"hash":"./, '"hash":"-'))
    await assert.rejects(open(), refused(/another store/))
    rmSync(ledger)
    symlinkSync('/dev/full', ledger)
    await assert.rejects(open(), refused(/cannot be written/))
    rmSync(ledger)
    writeFileSync(ledger, good)
    await open()
    assert.equal((await storage.people.byId('p2'))?.status, 'erased')
  })

  it('does not let a store begin empty where one was lost', async () => {
    await storage.close()
    rmSync(file)
    await assert.rejects(open(), refused(/another store/))
    writeFileSync(ledger, '')
    await open()
    assert.equal(await storage.people.byId('p1'), undefined)
  })

  it('begins anew where it was lost, and says so to whoever needs what is gone', async () => {
    await storage.people.erase('p2')
    await storage.close()
    rmSync(ledger)
    await open()
    await storage.people.erase('p1')
    const [first, second] = readFileSync(ledger, 'utf8').trim().split('\n')
    assert.match(first ?? '', /"seq":1,.*"kind":"begun"/)
    assert.throws(() => readLedger(ledger, { seq: 0, hash: 'x' }), refused(/does not reach back to entry 0/))
    const mark = JSON.parse(first ?? '') as { seq: number; hash: string }
    assert.deepEqual(
      readLedger(ledger, mark).map(({ hash }) => hash),
      [(JSON.parse(second ?? '') as { hash: string }).hash],
    )
  })

  it('is read from its end, however long it is', () => {
    const path = join(directory(), 'long.ledger')
    const start = { seq: 0, hash: 'start' }
    const long = openLedger(path, start, () => at)
    const marks = [start]
    for (let n = 0; n < 40; n += 1)
      marks.push(long.enter(Array.from({ length: 50 }, (_, k) => ({ kind: 'phone.ended', subject: `p${n}.${k}` }))))
    long.close()
    assert.ok(statSync(path).size > 3 * 65_536)
    for (const [n, mark] of marks.entries()) {
      const entries = readLedger(path, mark)
      assert.equal(entries.length, (40 - n) * 50)
      if (n < 40) assert.equal(entries[0]?.subject, `p${n}.0`)
    }
    const reopened = openLedger(path, marks[39] ?? start, () => at)
    assert.equal(reopened.missed.length, 50)
    reopened.close()
  })
})
