/** A full disk: the whole batch is refused, nothing of it stands, and writing goes on when there is space again. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isAppError } from '#src/errors.ts'
import { openAuditReader, openStorage } from '#src/storage/open.ts'
import { createGroupCommit } from '#src/storage/sqlite/group-commit.ts'
import type { Storage } from '#src/storage/storage.ts'

const refused = (result: PromiseSettledResult<unknown>) =>
  result.status === 'rejected' && isAppError(result.reason, 'storage_unavailable')

describe('sqlite on a full disk', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'yihao-full-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('refuses every op of the batch in which the database is full, and goes on after', async () => {
    const db = new DatabaseSync(join(directory, 'small.db'))
    db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER PRIMARY KEY, filling TEXT) STRICT')
    const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count'])
    db.exec(`PRAGMA max_page_count = ${pages + 4}`)
    const insert = db.prepare('INSERT INTO t VALUES (?, ?)')
    const count = () => db.prepare('SELECT count(*) AS n FROM t').get()?.['n']
    const { write } = createGroupCommit(db)

    await write(() => insert.run(1, 'small'))
    const batch = [2, 3, 4, 5].map((n) => write(() => insert.run(n, 'x'.repeat(8000))))
    const later = write(() => insert.run(6, 'small'))
    assert.ok((await Promise.allSettled([...batch, later])).every(refused))
    assert.equal(count(), 1)

    await write(() => insert.run(6, 'small'))
    db.exec(`PRAGMA max_page_count = ${pages + 100}`)
    await Promise.all([2, 3, 4, 5].map((n) => write(() => insert.run(n, 'x'.repeat(8000)))))
    assert.equal(count(), 6)
    db.close()
  })

  it('gives up the whole batch when the store fails under one op, and goes on with the next', async () => {
    const db = new DatabaseSync(join(directory, 'broken.db'))
    db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT')
    const insert = db.prepare('INSERT INTO t VALUES (?)')
    const { write } = createGroupCommit(db)
    const broken = () => {
      throw Object.assign(new Error('disk I/O error'), { errcode: 10 })
    }
    const batch = [write(() => insert.run(1)), write(broken), write(() => insert.run(2))]
    assert.ok((await Promise.allSettled(batch)).every(refused))
    await write(() => insert.run(3))
    assert.deepEqual(
      db
        .prepare('SELECT n FROM t')
        .all()
        .map((row) => row['n']),
      [3],
    )
    db.close()
  })

  describe('a file system of 2 MB', () => {
    let mount: string
    let storage: Storage | undefined
    beforeEach(function () {
      mount = join(directory, 'disk')
      try {
        execFileSync('mkdir', [mount])
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount], { stdio: 'ignore' })
      } catch {
        console.log('      skipped: a full disk needs the right to mount one (run as root)')
        this.skip()
      }
    })
    afterEach(async () => {
      await storage?.close()
      storage = undefined
      if (existsSync(mount)) execFileSync('umount', ['-l', mount])
    })

    it('refuses whole batches, keeps what stood, and recovers without a restart', async () => {
      const file = join(mount, 'full.db')
      const ballast = join(mount, 'ballast')
      const expiresAt = Date.now() + 3_600_000
      storage = await openStorage({ kind: 'sqlite', file })
      await writeFile(ballast, Buffer.alloc(1_000_000))
      const store = storage
      const put = (batch: number) =>
        Promise.allSettled(
          Array.from({ length: 20 }, (_, n) =>
            store.artifacts.put('Code', `${batch}.${n}`, { payload: `${n}`.repeat(3000), expiresAt }),
          ),
        )
      const stands = async (batch: number) =>
        (await Promise.all(Array.from({ length: 20 }, (_, n) => store.artifacts.get('Code', `${batch}.${n}`)))).filter(
          Boolean,
        ).length

      let batch = 0
      for (; batch < 100; batch += 1) {
        const results = await put(batch)
        if (results.every(({ status }) => status === 'fulfilled')) continue
        assert.ok(results.every(refused), 'a batch is refused as a whole')
        break
      }
      assert.ok(batch > 0 && batch < 100, 'the disk filled up')
      assert.equal(await stands(batch), 0)
      assert.equal(await stands(batch - 1), 20)
      assert.ok((await put(batch)).every(refused), 'and it stays refused')

      await rm(ballast)
      assert.ok(
        (await put(batch)).every(({ status }) => status === 'fulfilled'),
        'space is back',
      )

      await store.close()
      storage = await openStorage({ kind: 'sqlite', file })
      for (let n = 0; n <= batch; n += 1)
        assert.ok(await storage.artifacts.get('Code', `${n}.19`), `batch ${n} is there after a restart`)
    })

    it('still verifies a copy of the trail on a read-only medium', async () => {
      const source = join(directory, 'source.db')
      const original = await openStorage({ kind: 'sqlite', file: source })
      await original.audit.append([{ node: 'n', seq: 1, at: 1, body: '{}', hash: 'h' }])
      await original.close()
      await copyFile(source, join(mount, 'copy.db'))
      execFileSync('mount', ['-o', 'remount,ro', mount])
      const reader = await openAuditReader(join(mount, 'copy.db'))
      assert.equal((await reader.last('n'))?.hash, 'h')
      await reader.close()
      await assert.rejects(openStorage({ kind: 'sqlite', file: join(mount, 'copy.db') }), (error) =>
        isAppError(error, 'storage_unavailable'),
      )
    })
  })
})
