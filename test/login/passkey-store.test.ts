/** Passkeys in the store: the port's contract, what the database shows of them, and what a restore brings back. */
import assert from 'node:assert/strict'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createPasskeyStore } from '#src/login/passkey-store.ts'
import { createSealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { passkey, passkeyStoreContract } from '../contracts/passkey-store.ts'
import { openSealedStore, sealerKeys } from '../support/sealing.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const keys = sealerKeys()

async function open(file: string, now: () => number = Date.now) {
  const { storage, vault } = await openSealedStore(file, () => keys, now)
  const artifacts = createSealedArtifacts({ artifacts: storage.artifacts, vault })
  return { storage, store: createPasskeyStore({ artifacts, now }) }
}

passkeyStoreContract('sealed artefacts over SQLite', async () => (await open(':memory:')).store)

describe('passkeys in the store', () => {
  const newDirectory = temporaryDirectories()
  let file: string
  beforeEach(() => void (file = join(newDirectory(), 'city.db')))

  it('shows the database nothing of whose they are or what they are', async () => {
    const { storage, store } = await open(file)
    const one = passkey()
    await store.add(one)
    await storage.close()
    const db = new DatabaseSync(file)
    const rows = JSON.stringify(db.prepare("SELECT * FROM artifacts WHERE kind = 'Passkey'").all())
    db.close()
    for (const value of [one.id, one.person, one.handle, one.publicKey, one.name]) assert.ok(!rows.includes(value))
  })

  it('gives nobody a passkey whose row was given to him in the database', async () => {
    const { storage, store } = await open(file)
    const [mine, theirs] = [passkey(), passkey()]
    for (const one of [mine, theirs]) await store.add(one)
    await storage.close()
    const db = new DatabaseSync(file)
    const account = db.prepare("SELECT account FROM artifacts WHERE kind = 'Passkey' ORDER BY rowid").all()[0]
    db.prepare("UPDATE artifacts SET account = ? WHERE kind = 'Passkey'").run(String(account?.['account']))
    db.close()
    const again = await open(file)
    await assert.rejects(again.store.of(mine.person))
    await assert.rejects(again.store.find(theirs.id))
    await again.storage.close()
  })

  it('does not take back one that was removed and whose row was put back in the database', async () => {
    const { storage, store } = await open(file)
    const one = passkey()
    await store.add(one)
    await storage.close()
    const change = (sql: string) => {
      const db = new DatabaseSync(file)
      db.exec(sql)
      db.close()
    }
    change("CREATE TABLE aside AS SELECT * FROM artifacts WHERE kind = 'Passkey'")
    const later = await open(file)
    await later.store.remove(one.id)
    await later.storage.close()
    change('INSERT INTO artifacts SELECT * FROM aside')
    const after = await open(file)
    assert.equal(await after.store.find(one.id), undefined)
    assert.deepEqual(await after.store.of(one.person), [])
    await after.storage.close()
  })

  it('forgets one that was not used for three years, and keeps one that was', async () => {
    let at = Date.now()
    const { storage, store } = await open(':memory:', () => at)
    const [idle, used] = [passkey(), passkey()]
    for (const one of [idle, used]) await store.add(one)
    at += 2 * 365 * 86_400_000
    await store.used(used, { counter: 1, synced: false, at })
    at += 2 * 365 * 86_400_000
    assert.equal(await store.find(idle.id), undefined)
    assert.ok(await store.find(used.id))
    assert.equal(await store.add({ ...idle }), false, 'its id is nobody else’s for all that')
    await storage.close()
  })

  it('does not bring back what was removed after the backup, and keeps what was not', async () => {
    const { storage, store } = await open(file)
    const [removed, kept] = [passkey(), passkey()]
    for (const one of [removed, kept]) await store.add(one)
    await storage.close()
    copyFileSync(file, `${file}.old`)
    const later = await open(file)
    await later.store.remove(removed.id)
    await later.store.used(kept, { counter: 1, synced: false, at: 1 })
    await later.store.rename(kept.id, '旧手机')
    await later.storage.close()
    for (const part of ['-wal', '-shm']) rmSync(file + part, { force: true })
    copyFileSync(`${file}.old`, file)
    const restored = await open(file)
    assert.equal(await restored.store.find(removed.id), undefined)
    assert.deepEqual(await restored.store.find(kept.id), kept)
    await restored.storage.close()
  })
})
