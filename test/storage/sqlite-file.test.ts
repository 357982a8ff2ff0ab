/** The file behind the SQLite driver: who may open it, its schema, its guards and its query plans. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isAppError } from '#src/errors.ts'
import { openAuditReader, openKeyedRows, openStorage } from '#src/storage/open.ts'
import { migrate, migrations } from '#src/storage/sqlite/migrations.ts'

const writer = join(import.meta.dirname, 'child-writer.ts')
const row = (seq: number) => ({ node: 'n', seq, at: seq, reference: 'ref', body: '{}', hash: 'h' })
const refused = (pattern: RegExp) => (error: unknown) =>
  isAppError(error, 'storage_unavailable') && pattern.test(error.detail ?? '')

describe('the SQLite file', () => {
  let directory: string
  let file: string
  const open = () => openStorage({ kind: 'sqlite', file })

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'yihao-file-'))
    file = join(directory, 'data', 'city.db')
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('is for its owner only, with everything beside it', async () => {
    const storage = await open()
    await storage.audit.append([row(1)])
    const mode = (path: string) => statSync(path).mode & 0o777
    assert.equal(mode(join(directory, 'data')), 0o700)
    const names = readdirSync(join(directory, 'data'))
    assert.deepEqual(names.sort(), ['city.db', 'city.db-shm', 'city.db-wal', 'city.db.ledger', 'city.db.lock'])
    for (const name of names) assert.equal(mode(join(directory, 'data', name)), 0o600, name)
    await storage.close()
    assert.deepEqual(readdirSync(join(directory, 'data')).sort(), ['city.db', 'city.db.ledger', 'city.db.lock'])
  })

  describe('held by one process', () => {
    async function child(): Promise<{ line: string; kill: () => Promise<unknown> }> {
      const started = spawn(process.execPath, [writer, file, 'idle'], { stdio: ['ignore', 'pipe', 'inherit'] })
      const closed = once(started, 'close')
      const [line] = (await once(started.stdout.setEncoding('utf8'), 'data')) as [string]
      return { line, kill: () => (started.kill('SIGKILL'), closed) }
    }

    it('refuses a second process at once, and is free the moment the first is killed', async () => {
      const first = await child()
      assert.equal(first.line, 'open\n')
      let shortest = Infinity
      for (let tries = 0; tries < 10 && shortest >= 200; tries += 1) {
        const start = performance.now()
        await assert.rejects(open(), refused(/in use by another process/))
        shortest = Math.min(shortest, performance.now() - start)
      }
      assert.ok(shortest < 200)
      await first.kill()
      await (await open()).close()
    }).timeout(10_000)

    it('refuses a second opening in the same process without loosening the first, by whatever name', async () => {
      const storage = await open()
      await assert.rejects(open(), refused(/in use/))
      await symlink(file, join(directory, 'alias.db'))
      await assert.rejects(openStorage({ kind: 'sqlite', file: join(directory, 'alias.db') }), refused(/in use/))
      const { line, kill } = await child()
      await kill()
      assert.match(line, /^refused storage_unavailable .*in use/)
      await storage.audit.append([row(1)])
      await storage.close()
    }).timeout(10_000)

    it('lets the audit trail be read while the server writes, and after it stopped', async () => {
      const storage = await open()
      await storage.audit.append([row(1)])
      const reader = await openAuditReader(file)
      assert.deepEqual(await reader.read('n', 0, 9), [row(1)])
      await storage.audit.append([row(2)])
      await storage.audit.putCheckpoint({ node: 'n', seq: 2, at: 2, jws: 'j' })
      assert.deepEqual(await reader.byReference('ref', 9), [row(1), row(2)])
      assert.equal((await reader.lastCheckpoint('n'))?.seq, 2)
      await storage.close()
      assert.deepEqual(await reader.nodes(), ['n'])
      await reader.close()
      await assert.rejects(reader.nodes(), refused(/closed/))

      const late = await openAuditReader(file)
      assert.deepEqual(await late.last('n'), row(2))
      await late.close()
    })

    it('reads the trail from another process than the one that writes it, also after kill -9', async () => {
      const server = spawn(process.execPath, [writer, file, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
      let said = ''
      server.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
      while (!said.includes('audit 30\n')) await once(server.stdout, 'data')
      const reader = await openAuditReader(file)
      assert.ok((await reader.read('node', 0, 1000)).length >= 30)
      const closed = once(server, 'close')
      server.kill('SIGKILL')
      await closed
      assert.ok(((await reader.last('node'))?.seq ?? 0) >= 30)
      await reader.close()
      const late = await openAuditReader(file)
      assert.ok(((await late.last('node'))?.seq ?? 0) >= 30)
      await late.close()
    }).timeout(10_000)
  })

  it('says so where there is nothing to read', async () => {
    await assert.rejects(openAuditReader(file), refused(/cannot open/))
    await writeFile(join(directory, 'text.db'), 'not a database, but long enough to be taken for one'.repeat(100))
    await assert.rejects(openAuditReader(join(directory, 'text.db')), refused(/not a database/))
    await assert.rejects(openStorage({ kind: 'sqlite', file: join(directory, 'text.db') }), refused(/not a database/))
    await assert.rejects(
      openStorage({ kind: 'sqlite', file: join(directory, 'text.db', 'city.db') }),
      refused(/cannot open/),
    )
  })

  describe('schema', () => {
    it('is brought from version 0 to the newest, and opened again as it is', async () => {
      await (await open()).close()
      const db = new DatabaseSync(file)
      assert.equal(db.prepare('PRAGMA user_version').get()?.['user_version'], migrations.length)
      db.close()
      await (await open()).close()
    })

    it('runs only the steps that are missing, all of them or none', () => {
      const db = new DatabaseSync(':memory:')
      const version = () => db.prepare('PRAGMA user_version').get()?.['user_version']
      const steps = ['CREATE TABLE a (x) ', 'CREATE TABLE b (x)', 'INSERT INTO b VALUES (7)']
      migrate(db, steps.slice(0, 1))
      assert.equal(version(), 1)
      assert.throws(() => migrate(db, [...steps, 'CREATE TABLE b (x)']))
      assert.equal(version(), 1)
      assert.deepEqual(
        db
          .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
          .all()
          .map((r) => r['name']),
        ['a'],
      )
      migrate(db, steps)
      assert.equal(version(), 3)
      assert.equal(db.prepare('SELECT x FROM b').get()?.['x'], 7)
    })

    it('of before the first release is taken over where it holds nobody, and refused where it does', async () => {
      const older = (fill: string) => {
        const path = join(directory, `older${fill.length}.db`)
        const db = new DatabaseSync(path)
        migrate(db, migrations.slice(0, 2))
        db.exec(fill)
        db.close()
        return openStorage({ kind: 'sqlite', file: path })
      }
      await (await older('')).close()
      await assert.rejects(
        older("INSERT INTO people VALUES ('p', 'k', NULL, 1, 'active', 1, 1)"),
        refused(/people of before the first release, which are not taken over: name a new file/),
      )
    })

    it('that is older says what hangs on which key only after the server brought it up to date', async () => {
      const path = join(directory, 'older.db')
      const db = new DatabaseSync(path)
      migrate(db, migrations.slice(0, 2))
      db.close()
      await assert.rejects(openKeyedRows(path), refused(/start the server, which brings it up to date/))
      await (await openStorage({ kind: 'sqlite', file: path })).close()
      await (await openKeyedRows(path)).close()
    })

    it('of a newer program is refused, and left alone', async () => {
      await (await open()).close()
      const db = new DatabaseSync(file)
      db.exec('PRAGMA user_version = 99')
      db.close()
      await assert.rejects(open(), refused(/schema 99.*newer program/))
      await assert.rejects(openAuditReader(file), refused(/schema 99.*newer program/))
      const again = new DatabaseSync(file)
      assert.equal(again.prepare('PRAGMA user_version').get()?.['user_version'], 99)
      again.close()
    })

    it('of another program is refused', async () => {
      await (await open()).close()
      const foreign = join(directory, 'foreign.db')
      const db = new DatabaseSync(foreign)
      db.exec('CREATE TABLE people (name TEXT)')
      db.close()
      await assert.rejects(openStorage({ kind: 'sqlite', file: foreign }), refused(/another program/))
    })
  })

  it('refuses changes by hand to the audit trail, the checkpoints and the owners of documents', async () => {
    const storage = await open()
    await storage.audit.append([row(1), row(2)])
    await storage.audit.putCheckpoint({ node: 'n', seq: 2, at: 2, jws: 'j' })
    const document = {
      id: 'd',
      kind: 'resident',
      indexes: ['1.i'],
      number: 's',
      reserve: 'r',
      status: 'proven',
      from: 1,
    } as const
    const person = {
      dataKey: 'k',
      phones: [],
      proofing: 2,
      status: 'active',
      createdAt: 1,
      version: 1,
      mac: 'm',
    } as const
    await storage.people.insert({ ...person, id: 'p1', documents: [document] })
    await storage.people.insert({ ...person, id: 'p2', documents: [] })
    await storage.close()
    const db = new DatabaseSync(file)
    for (const sql of [
      "UPDATE audit SET body = 'forged' WHERE seq = 1",
      'DELETE FROM audit WHERE seq = 2',
      'DELETE FROM audit',
      "INSERT OR REPLACE INTO audit VALUES ('n', 2, 2, NULL, 'forged', 'h')",
      "INSERT INTO audit VALUES ('n', 4, 2, NULL, 'gap', 'h')",
      "UPDATE checkpoints SET jws = 'forged'",
      'DELETE FROM checkpoints',
      "INSERT OR REPLACE INTO checkpoints VALUES ('n', 2, 2, 'forged')",
      'DELETE FROM documents',
      "UPDATE documents SET person = 'p2'",
      "UPDATE documents SET id = 'e'",
      "UPDATE document_indexes SET idx = '1.j'",
      'DELETE FROM document_indexes',
      "DELETE FROM people WHERE id = 'p1'",
    ])
      assert.throws(() => db.exec(sql), /append-only|follow|forward|reserved|FOREIGN KEY/, sql)
    db.close()
  })

  it('keeps no trace of a destroyed key once it is swept or replaced', async () => {
    const storage = await open()
    const person = {
      id: 'p',
      documents: [],
      phones: [],
      proofing: 2,
      status: 'active',
      createdAt: 1,
      mac: 'm',
    } as const
    await storage.dataKeys.add({ id: 'k', wrapped: 'first secret '.repeat(9), expiresAt: 1 })
    await storage.people.insert({ ...person, dataKey: 'second secret '.repeat(9), version: 1 })
    await storage.close()
    const traces = () => ['first secret', 'second secret'].filter((trace) => readFileSync(file).includes(trace))
    assert.deepEqual(traces(), ['first secret', 'second secret'])
    const again = await open()
    await again.sweep(2, 10)
    await again.people.update({ ...person, dataKey: 'none', version: 2 })
    await again.close()
    assert.deepEqual(traces(), [])
  })

  it('finds everything through an index, so that no request grows dearer with the tables', async () => {
    const statements = new Set<string>()
    const prepare = DatabaseSync.prototype.prepare
    DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql: string) {
      statements.add(sql)
      return prepare.call(this, sql)
    }
    try {
      await (await open()).close()
    } finally {
      DatabaseSync.prototype.prepare = prepare
    }
    const db = new DatabaseSync(file)
    const queries = [...statements].filter((sql) => /^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)/.test(sql))
    const scans = queries.flatMap((sql) =>
      prepare
        .call(db, `EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map((step) => String(step['detail']))
        .filter((detail) => detail.startsWith('SCAN') && !/CONSTANT ROW|names|VIRTUAL TABLE/.test(detail)),
    )
    db.close()
    assert.ok(queries.length > 30)
    assert.deepEqual(scans.sort(), [
      'SCAN applications USING INDEX sqlite_autoindex_applications_1',
      'SCAN sqlite_schema',
    ])
  })
})
