/** Backup and restore of a SQLite store: whole at any moment, and nothing comes back that should not. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { sm3 } from 'jose'
import { AppError, isAppError } from '#src/errors.ts'
import { openAuditReader, openStorage } from '#src/storage/open.ts'
import { createPersonMac } from '#src/storage/person-mac.ts'
import { backUp, sm3OfFile, type Manifest } from '#src/storage/sqlite/backup.ts'
import { checkBackup, restoreStore, type RestoreOptions } from '#src/storage/sqlite/restore.ts'
import { decideSwap } from '#src/storage/sqlite/swap.ts'
import type { Store, StoredPerson } from '#src/storage/storage.ts'
import { auditRow, delivery, person, phone } from '../contracts/storage-rows.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const refused = (pattern: RegExp) => (error: unknown) =>
  isAppError(error, 'storage_unavailable') && pattern.test(error.detail ?? '')
const mac = async (text: string) => sm3(`a key ${text}`)
const soon = Date.now() + 3_600_000

describe('backup of a SQLite store', () => {
  const newDirectory = temporaryDirectories()
  let directory: string
  let file: string
  let backup: string
  const open = () => openStorage({ kind: 'sqlite', file })
  const options = (more: Partial<RestoreOptions> = {}): RestoreOptions => ({
    mac,
    personMac: createPersonMac(mac),
    tryKeys: async () => {},
    replace: true,
    ledger: 'beside',
    carry: async () => ({}),
    now: Date.now(),
    ...more,
  })
  const restore = (more: Partial<RestoreOptions> = {}) => restoreStore(file, backup, options(more))

  beforeEach(() => {
    directory = newDirectory()
    file = join(directory, 'data', 'city.db')
    backup = join(directory, 'backup')
  })

  async function filled(fill: (storage: Store) => Promise<unknown>): Promise<void> {
    const storage = await open()
    await fill(storage)
    await storage.close()
  }

  /** A store, its backup, and what came later; closed. */
  async function lived(): Promise<void> {
    await filled(async ({ people, artifacts, counters, deliveries, dataKeys, audit }) => {
      await people.insert(person('before', { phones: [phone('1')] }))
      await people.insert(person('erased later'))
      for (const kind of ['Session', 'AuthorizationCode', 'RefreshToken', 'Attempt', 'Notice', 'Passkey', 'Release'])
        await artifacts.put(kind, 'a', { payload: kind, expiresAt: soon })
      await artifacts.spend('AuthorizationCode', 'spent before', soon)
      await counters.add('tries', 2, Date.now(), 3_600_000)
      await deliveries.enqueue([delivery('waiting', 1)])
      await dataKeys.add({ id: 'artifacts', wrapped: 'w' })
      await audit.append([auditRow('n', 1)])
    })
    await backUp(file, backup, mac, Date.now())
    await filled(async ({ people, artifacts, counters, dataKeys }) => {
      await people.insert(person('after'))
      await people.erase('erased later')
      await artifacts.spend('ReplayDetection', 'spent after', soon)
      await counters.add('tries', 3, Date.now(), 3_600_000)
      await dataKeys.add({ id: 'audit:2026-02', wrapped: 'newer', expiresAt: soon })
    })
  }

  it('is one moment of a store that another process is writing to, for its owner only', async () => {
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'child-writer.ts'), file, '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    writer.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    const reached = async (mark: string) => {
      while (!said.includes(mark)) await once(writer.stdout, 'data')
    }
    await reached('audit 300\n')
    const manifest = await backUp(file, backup, mac, Date.now())
    const lines = said.length
    await reached(`audit ${(manifest.audit[0]?.seq ?? 0) + 300}\n`)
    assert.ok(said.length > lines, 'the writer went on')
    const closed = once(writer, 'close')
    writer.kill('SIGKILL')
    await closed

    assert.deepEqual(readdirSync(backup).sort(), ['manifest.json', 'store.db'])
    for (const name of readdirSync(backup)) assert.equal(statSync(join(backup, name)).mode & 0o777, 0o600)
    assert.equal(statSync(backup).mode & 0o777, 0o700)
    const copy = await openAuditReader(join(backup, 'store.db'))
    const rows = await copy.read('node', 0, 1_000_000)
    await copy.close()
    assert.ok(rows.length >= 300 && rows.every(({ seq }, index) => seq === index + 1))
    assert.deepEqual(manifest.audit, [{ node: 'node', seq: rows.length, hash: rows.at(-1)?.hash }])
    assert.equal(manifest.file.sm3, await sm3OfFile(join(backup, 'store.db')))
    await checkBackup(backup, options())
  })

  it('goes into a new or empty directory only, and needs a store', async () => {
    await assert.rejects(backUp(file, backup, mac, 1), refused(/cannot open/))
    rmSync(backup, { recursive: true })
    await filled(async () => {})
    await backUp(file, backup, mac, 1)
    await assert.rejects(backUp(file, backup, mac, 1), refused(/not empty/))
  })

  describe('restored', () => {
    it('keeps people, notices, releases, applications and deliveries, and drops all that opens a door', async () => {
      await lived()
      await restore()
      const storage = await open()
      assert.deepEqual(await storage.people.byId('before'), person('before', { phones: [phone('1')] }))
      for (const kind of ['Session', 'AuthorizationCode', 'RefreshToken', 'Attempt'])
        assert.equal(await storage.artifacts.get(kind, 'a'), undefined, kind)
      for (const kind of ['Notice', 'Passkey', 'Release'])
        assert.equal((await storage.artifacts.get(kind, 'a'))?.payload, kind, kind)
      assert.deepEqual(await storage.deliveries.counts(), { waiting: 1, buried: 0 })
      await storage.close()
    })

    it('takes over what was spent, counted and erased since, and the keys of newer records', async () => {
      await lived()
      const { repeated, aside } = await restore()
      assert.equal(repeated, 1)
      const storage = await open()
      assert.equal(await storage.artifacts.spend('AuthorizationCode', 'spent before', soon), false)
      assert.equal(await storage.artifacts.spend('ReplayDetection', 'spent after', soon), false)
      assert.equal((await storage.counters.get('tries', Date.now()))?.points, 5)
      assert.equal((await storage.dataKeys.get('audit:2026-02'))?.wrapped, 'newer')
      assert.equal((await storage.people.byId('erased later'))?.status, 'erased')
      assert.equal(await storage.people.byId('after'), undefined)
      await storage.close()
      const old = new DatabaseSync(aside ?? '')
      assert.ok(old.prepare("SELECT 1 FROM people WHERE id = 'after'").get(), 'the old store is kept')
      old.close()
    })

    it('gives the rows that the ledger changed a right MAC, unless they had none', async () => {
      const macs = createPersonMac(mac)
      const signed = async (row: StoredPerson) => ({ ...row, mac: await macs.of(row) })
      const phones = (id: string) => [phone('1', id), phone('2', id)]
      await filled(async ({ people }) => {
        await people.insert(await signed(person('right', { phones: phones('right') })))
        await people.insert(person('forged', { phones: phones('forged') }))
      })
      await backUp(file, backup, mac, Date.now())
      await filled(async ({ people }) => {
        for (const id of ['right', 'forged'])
          await people.update(await signed(person(id, { phones: phones(id).slice(1), version: 2 })))
      })
      assert.equal((await restore()).repeated, 2)
      await filled(async ({ people }) => {
        for (const [id, holds] of [
          ['right', true],
          ['forged', false],
        ] as const) {
          const row = (await people.byId(id)) ?? assert.fail()
          assert.deepEqual(row.phones, phones(id).slice(1))
          assert.equal(await macs.holds(row), holds, id)
        }
      })
    })

    it('is to be put on record once', async () => {
      await lived()
      const now = Date.now()
      await restore({ now, carry: async () => ({ carried: 7 }) })
      const storage = await open()
      const [row, ...more] = await storage.restores.unrecorded()
      assert.deepEqual([row?.at, more.length], [now, 0])
      assert.partialDeepStrictEqual(JSON.parse(row?.facts ?? ''), { carried: 7, repeated: 1, ledger: true })
      await storage.restores.recorded(now)
      assert.deepEqual(await storage.restores.unrecorded(), [])
      await storage.close()
    })

    it('comes back on another machine with the ledger that was kept elsewhere, or without one if one says so', async () => {
      await lived()
      const kept = join(directory, 'ledger')
      copyFileSync(`${file}.ledger`, kept)
      rmSync(join(directory, 'data'), { recursive: true })
      await assert.rejects(restore(), refused(/there is no ledger .*--ledger FILE.*--without-ledger/))
      await restore({ ledger: 'none' })
      const without = await open()
      assert.equal((await without.people.byId('erased later'))?.status, 'active')
      await without.close()
      await restore({ ledger: { path: kept } })
      const storage = await open()
      assert.equal((await storage.people.byId('erased later'))?.status, 'erased')
      await storage.people.erase('before')
      await storage.close()
      await restore()
      const again = await open()
      assert.equal((await again.people.byId('before'))?.status, 'erased', 'the ledger goes on')
      await again.close()
    })

    it('takes nothing over from a store that cannot be read, and keeps it all the same', async () => {
      await lived()
      writeFileSync(file, 'no database any more '.repeat(1000))
      let from: unknown = 'not asked'
      const { unreadable, aside } = await restore({ carry: async (_, old) => ((from = old), {}) })
      assert.match(unreadable ?? '', /not a database/)
      assert.equal(from, undefined)
      assert.match(readFileSync(aside ?? '', 'utf8'), /^no database any more/)
      await filled(async ({ people }) => assert.ok(await people.byId('before')))
    })
  })

  describe('refused', () => {
    const stays = async () => {
      await filled(async ({ people }) => assert.ok(await people.byId('after'), 'the store is as it was'))
      assert.ok(!readdirSync(join(directory, 'data')).some((name) => /preparing|incoming|replaced/.test(name)))
    }
    beforeEach(lived)
    afterEach(stays)

    /** Changes the backup as somebody would who knows the format but not the keys. */
    function tamper(change: (db: DatabaseSync) => void) {
      const copy = join(backup, 'store.db')
      const db = new DatabaseSync(copy)
      change(db)
      if (db.isOpen) db.close()
      return async () => {
        const path = join(backup, 'manifest.json')
        const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
        const file = { ...manifest.file, sm3: await sm3OfFile(copy), bytes: statSync(copy).size }
        writeFileSync(path, JSON.stringify({ ...manifest, file }))
      }
    }
    const both = async (pattern: RegExp) => {
      await assert.rejects(checkBackup(backup, options()), refused(pattern))
      await assert.rejects(restore(), refused(pattern))
    }

    it('where a byte of it changed', async () => {
      const copy = join(backup, 'store.db')
      const bytes = readFileSync(copy)
      bytes[bytes.length - 100] = (bytes[bytes.length - 100] as number) ^ 1
      writeFileSync(copy, bytes)
      await both(/not what was backed up/)
    })

    it('where it is not finished, or of something else', async () => {
      rmSync(join(backup, 'store.db'))
      await assert.rejects(checkBackup(backup, options()), refused(/cannot be read/))
      await assert.rejects(restore(), refused(/cannot be put in place/))
      writeFileSync(join(backup, 'manifest.json'), '{"format":"tar"}')
      await both(/damaged or of another program/)
      rmSync(join(backup, 'manifest.json'))
      await both(/no finished backup/)
    })

    it('where it was altered together with its manifest', async () => {
      const forge = tamper((db) => db.exec("UPDATE people SET proofing = 4 WHERE id = 'before'"))
      await forge()
      await both(/altered, or made with other keys/)
    })

    it('where its pages do not hold together', async () => {
      const pageSize = 4096
      const forge = tamper((db) => {
        db.close()
        const copy = join(backup, 'store.db')
        const bytes = readFileSync(copy)
        writeFileSync(copy, bytes.fill(0xff, 3 * pageSize, 6 * pageSize))
      })
      await forge()
      await both(/is a damaged database/)
    })

    it('where a newer program made it', async () => {
      const forge = tamper((db) => db.exec('PRAGMA user_version = 99'))
      await forge()
      await both(/schema 99.*run the newer program/)
    })

    it('where the keys at hand do not open it', async () => {
      const samples: unknown[] = []
      const tryKeys: RestoreOptions['tryKeys'] = async (sample) => {
        samples.push(sample)
        throw new AppError('key_invalid')
      }
      await assert.rejects(restore({ tryKeys }), (error) => isAppError(error, 'key_invalid'))
      const { number, kind, indexes } = person('before').documents[0] ?? {}
      assert.partialDeepStrictEqual(samples[0], {
        dataKey: { id: 'artifacts', wrapped: 'w' },
        person: { id: 'before', dataKey: '1.k1.key of before', documents: [{ number, kind, indexes }] },
      })
    })

    it('where a store is there that is not to be replaced, or is in use', async () => {
      await assert.rejects(restore({ replace: false }), refused(/is there; add --replace/))
      const running = await open()
      await assert.rejects(restore(), refused(/stop the server, then restore again/))
      await running.close()
    })

    it('where the ledger is damaged or of another store', async () => {
      const good = readFileSync(`${file}.ledger`, 'utf8')
      writeFileSync(`${file}.ledger`, good.replace('person.erased', 'person.suspended'))
      await assert.rejects(restore(), refused(/missing or was changed/))
      writeFileSync(`${file}.ledger`, good)
      const other = join(directory, 'other.db')
      await (await openStorage({ kind: 'sqlite', file: other })).close()
      await assert.rejects(restore({ ledger: { path: `${other}.ledger` } }), refused(/another store/))
    })
  })

  describe('killed in the middle', () => {
    /** `after` lives in the old store only; the new one knows that it was restored. */
    async function whichStore(): Promise<'old' | 'new'> {
      const storage = await open()
      const isOld = (await storage.people.byId('after')) !== undefined
      assert.equal((await storage.restores.unrecorded()).length, isOld ? 0 : 1)
      assert.equal((await storage.artifacts.get('Session', 'a')) !== undefined, isOld)
      assert.ok(await storage.people.byId('before'))
      await storage.close()
      const db = new DatabaseSync(file)
      assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
      db.close()
      return isOld ? 'old' : 'new'
    }

    it('leaves the old store or the new one, at whatever moment', async () => {
      await lived()
      // A store that was itself killed, with its write-ahead log beside it.
      const server = spawn(process.execPath, [join(import.meta.dirname, 'child-writer.ts'), file, '0'])
      await once(server.stdout, 'data')
      const gone = once(server, 'close')
      server.kill('SIGKILL')
      await gone
      const parts = ['', '-wal', '-shm', '.ledger'].filter((part) => existsSync(file + part))
      assert.ok(parts.includes('-wal'))
      const image = join(directory, 'image')
      for (const part of parts) copyFileSync(file + part, image + part)

      const seen = new Set<string>()
      let longest = 40
      for (let round = 0; round < 24; round += 1) {
        for (const name of readdirSync(join(directory, 'data'))) rmSync(join(directory, 'data', name))
        for (const part of parts) copyFileSync(image + part, file + part)
        const child = spawn(process.execPath, [join(import.meta.dirname, 'child-restorer.ts'), file, backup])
        const closed = once(child, 'close')
        await once(child.stdout, 'data')
        const begun = performance.now()
        const done = round === 0
        if (!done) {
          await sleep(Math.random() * longest)
          child.kill('SIGKILL')
        }
        await closed
        if (done) longest = performance.now() - begun
        seen.add(await whichStore())
      }
      assert.deepEqual([...seen].sort(), ['new', 'old'], 'the kills came too early or too late to mean anything')
    }).timeout(120_000)

    it('completes what was decided, with the log of the old store out of the way', async () => {
      await lived()
      const prepared = `${file}.preparing`
      copyFileSync(join(backup, 'store.db'), prepared)
      writeFileSync(`${file}-wal`, 'the log of the old store')
      decideSwap(prepared, file)
      await assert.rejects(
        openAuditReader(file),
        refused(/a restore .* was decided and then interrupted; start the server/),
      )
      await filled(async ({ people }) => {
        assert.equal(await people.byId('after'), undefined)
        assert.equal((await people.byId('erased later'))?.status, 'erased', 'and the ledger is repeated')
      })
      const names = readdirSync(join(directory, 'data'))
      const aside = names.find((name) => /^city\.db\.replaced-[^-]*$/.test(name)) ?? ''
      assert.equal(readFileSync(join(directory, 'data', `${aside}-wal`), 'utf8'), 'the log of the old store')
      assert.ok(!names.includes('city.db.incoming'))
    })
  })
})
