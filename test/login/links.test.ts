/** Codes linked to accounts: what they open, what the database shows of them, and what a restore brings back. */
import assert from 'node:assert/strict'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createLinks } from '#src/login/links.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { openSealedStore, sealerKeys } from '../support/sealing.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const keys = sealerKeys()

async function open(file = ':memory:', now: () => number = Date.now) {
  const { storage, vault, sealing } = await openSealedStore(file, () => keys, now)
  const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault })
  return { storage, links: createLinks({ artifacts, pseudonym: sealing.pseudonym, now }) }
}

const code = { issuer: 'nation', code: 'c-1' }

describe('codes linked to accounts', () => {
  const newDirectory = temporaryDirectories()
  let file: string
  beforeEach(() => void (file = join(newDirectory(), 'city.db')))

  it('open one account each, of one issuer, at the level they were linked at', async () => {
    const { storage, links } = await open()
    await links.put(code, 'a', 2)
    const found = await links.find(code)
    assert.deepEqual([found?.person, found?.level, found?.issuer], ['a', 2, 'nation'])
    assert.equal(await links.find({ ...code, issuer: 'province' }), undefined)
    assert.equal(await links.find({ ...code, code: 'c-2' }), undefined)
    await links.put(code, 'b', 3)
    assert.equal((await links.find(code))?.person, 'b')
    assert.deepEqual(await links.of('a'), [])
    await storage.close()
  })

  it('end one by one, or all of an account', async () => {
    const { storage, links } = await open()
    for (const one of ['c-1', 'c-2', 'c-3']) await links.put({ ...code, code: one }, one === 'c-3' ? 'b' : 'a', 2)
    await links.remove((await links.find(code))?.id ?? '')
    assert.equal(await links.find(code), undefined)
    assert.equal((await links.of('a')).length, 1)
    await links.endAll('a')
    assert.deepEqual(await links.of('a'), [])
    assert.equal((await links.of('b')).length, 1)
    await storage.close()
  })

  it('are forgotten after three years without use', async () => {
    let at = Date.now()
    const { storage, links } = await open(':memory:', () => at)
    await links.put(code, 'a', 2)
    at += 2 * 365 * 86_400_000
    const link = await links.find(code)
    assert.ok(link)
    await links.touch(link)
    at += 2 * 365 * 86_400_000
    assert.equal((await links.find(code))?.at, link.at)
    at += 2 * 365 * 86_400_000
    assert.equal(await links.find(code), undefined)
    await storage.close()
  })

  it('show the database nothing of whose they are, and stay ended though their row is put back', async () => {
    const { storage, links } = await open(file)
    await links.put(code, 'person-a', 2)
    await storage.close()
    const change = (sql: string) => {
      const db = new DatabaseSync(file)
      const rows = sql.startsWith('SELECT') ? JSON.stringify(db.prepare(sql).all()) : (db.exec(sql), '')
      db.close()
      return rows
    }
    const rows = change("SELECT * FROM artifacts WHERE kind = 'Link'")
    for (const value of ['person-a', 'c-1', 'nation']) assert.ok(!rows.includes(value), value)
    change("CREATE TABLE aside AS SELECT * FROM artifacts WHERE kind = 'Link'")
    const later = await open(file)
    await later.links.remove((await later.links.find(code))?.id ?? '')
    await later.storage.close()
    change('INSERT INTO artifacts SELECT * FROM aside')
    const after = await open(file)
    assert.equal(await after.links.find(code), undefined)
    assert.deepEqual(await after.links.of('person-a'), [])
    await after.storage.close()
  })

  it('are not brought back by a restore once they were removed, and else are', async () => {
    const { storage, links } = await open(file)
    const other = { ...code, code: 'c-2' }
    for (const one of [code, other]) await links.put(one, 'a', 2)
    await storage.close()
    copyFileSync(file, `${file}.old`)
    const later = await open(file)
    await later.links.remove((await later.links.find(code))?.id ?? '')
    await later.storage.close()
    for (const part of ['-wal', '-shm']) rmSync(file + part, { force: true })
    copyFileSync(`${file}.old`, file)
    const restored = await open(file)
    assert.equal(await restored.links.find(code), undefined)
    assert.ok(await restored.links.find(other))
    await restored.storage.close()
  })
})
