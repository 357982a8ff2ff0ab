/**
 * The one connection of a server to its SQLite file: durable (WAL, `synchronous=FULL`), held by one process, and with
 * typed statements in which an absent value is `undefined`, as in the port.
 */
import { existsSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DatabaseSync } from 'node:sqlite'
import type { SQLOutputValue } from 'node:sqlite'
import { isAppError } from '#src/errors.ts'
import type { AppError } from '#src/errors.ts'
import type { PersonMac } from '../person-mac.ts'
import { createEndings } from './endings.ts'
import { toAppError, unavailable } from './fault.ts'
import { createGroupCommit } from './group-commit.ts'
import type { GroupCommit } from './group-commit.ts'
import { ledgerOf, openLedger } from './ledger.ts'
import type { Act, Ledger } from './ledger.ts'
import { lock } from './lock.ts'
import { migrate, migrations, schemaVersion } from './migrations.ts'
import { createPrivately } from './private-file.ts'
import { repeatEndings } from './repeat.ts'
import { completeSwap, isSwapping } from './swap.ts'

type Value = string | number | undefined

export interface Statement<Row> {
  get(...values: readonly Value[]): Row | undefined
  all(...values: readonly Value[]): Row[]
  /** Gives the number of rows changed. */
  run(...values: readonly Value[]): number
}

export interface Reader {
  prepare<Row>(sql: string): Statement<Row>
  /** Runs a read at once, with its failures as AppErrors. */
  read<T>(op: () => T): Promise<T>
  close(): Promise<void>
}

export interface Connection extends Reader {
  write: GroupCommit['write']
  /** Enters acts in the ledger, as the last step of a write: it is on the disk before the write is acknowledged. */
  enter(acts: readonly Act[]): void
}

/** How long a statement waits for an outside tool that holds the file; the event loop stands still meanwhile. */
const timeout = 500

/**
 * Opens (and creates, 0600 in a directory 0700) the database for writing. `:memory:` keeps nothing.
 * @param mac of people's rows, for those that the ledger changes
 * @throws AppError `storage_unavailable` where another process has it, the schema is newer or the disk refuses
 */
export async function connect(name: string, clock: () => number = Date.now, mac?: PersonMac): Promise<Connection> {
  let release = () => {}
  let db: DatabaseSync | undefined
  try {
    const file = name === ':memory:' ? name : locate(name)
    if (file !== ':memory:') {
      release = lock(file)
      completeSwap(file)
      createPrivately(file)
    }
    db = openForWriting(file)
    db.exec('PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864')
    migrate(db)
    return connection(db, file === ':memory:' ? undefined : await catchUp(db, ledgerOf(file), clock, mac), release)
  } catch (error) {
    db?.close()
    release()
    throw openingFailed(name, error)
  }
}

/** secure_delete: a destroyed data key must not survive in a free page; it is what erasure rests on (DESIGN D6). */
export function openForWriting(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout })
  try {
    db.exec(`
      PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
      PRAGMA trusted_schema = OFF
    `)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Opens the ledger and carries out what the database has not seen of it. */
async function catchUp(db: DatabaseSync, path: string, clock: () => number, mac?: PersonMac): Promise<Ledger> {
  const rows = reader(db)
  const ledger = openLedger(path, createEndings(rows).mark(), clock)
  if (ledger.missed.length === 0) return ledger
  try {
    db.exec('BEGIN IMMEDIATE')
    await repeatEndings(rows, ledger.missed, mac)
    db.exec('COMMIT')
    return ledger
  } catch (error) {
    ledger.close()
    throw error
  }
}

/**
 * Opens a database for reading only: beside a running server, after it stopped, or a copy on a read-only medium.
 * @param wants `known`: any schema this program can bring up to date; `newest`: what the server has brought up to date
 * @throws AppError `storage_unavailable`
 */
export function connectReadOnly(file: string, wants: 'known' | 'newest' = 'known'): Reader {
  let db: DatabaseSync | undefined
  try {
    if (isSwapping(file))
      throw unavailable(`a restore of ${file} was decided and then interrupted; start the server, which completes it`)
    db = openReadOnly(file)
    if (schemaVersion(db) < migrations.length && wants === 'newest')
      throw unavailable('its schema is older than this program; start the server, which brings it up to date')
    return reader(db)
  } catch (error) {
    db?.close()
    throw openingFailed(file, error)
  }
}

function openReadOnly(file: string): DatabaseSync {
  const open = (path: string | URL): DatabaseSync => {
    const db = new DatabaseSync(path, { readOnly: true, timeout })
    try {
      db.exec('SELECT 1 FROM sqlite_schema')
      return db
    } catch (error) {
      db.close()
      throw error
    }
  }
  try {
    return open(file)
  } catch (error) {
    // A WAL database needs its -shm even to be read; where none can be made and no -wal waits, the file alone is whole.
    if (!existsSync(file) || statSync(`${file}-wal`, { throwIfNoEntry: false })?.size) throw error
    return open(new URL('?immutable=1', pathToFileURL(file)))
  }
}

/** Typed reads on an open database. */
export function reader(db: DatabaseSync): Reader {
  return {
    prepare: (sql) => statement(db, sql),
    async read(op) {
      try {
        return op()
      } catch (error) {
        throw db.isOpen ? toAppError(error) : unavailable('the SQLite store is closed', error)
      }
    },
    async close() {
      if (db.isOpen) db.close()
    },
  }
}

function connection(db: DatabaseSync, ledger: Ledger | undefined, release: () => void): Connection {
  const group = createGroupCommit(db)
  const endings = createEndings(reader(db))
  return {
    ...reader(db),
    write: group.write,
    enter(acts) {
      if (ledger && acts.length > 0) endings.setMark(ledger.enter(acts))
    },
    async close() {
      if (!db.isOpen) return
      group.drain()
      try {
        db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      } catch {
        // A full disk leaves the WAL where it is, and the next opening reads it: nothing is lost.
      }
      db.close()
      ledger?.close()
      release()
    },
  }
}

function statement<Row>(db: DatabaseSync, sql: string): Statement<Row> {
  const prepared = db.prepare(sql)
  const bind = (values: readonly Value[]) => values.map((value) => value ?? null)
  return {
    get(...values) {
      const row = prepared.get(...bind(values))
      return row && present<Row>(row)
    },
    all: (...values) => prepared.all(...bind(values)).map((row) => present<Row>(row)),
    run: (...values) => Number(prepared.run(...bind(values)).changes),
  }
}

/** A plain object without the NULL columns; the SELECT names its columns as the port names its fields. */
function present<Row>(row: Record<string, SQLOutputValue>): Row {
  const plain: Record<string, SQLOutputValue> = {}
  for (const key in row) if (row[key] !== null) plain[key] = row[key] as SQLOutputValue
  return plain as Row
}

/** The real path, so that two names of one file meet at one lock. */
export function locate(name: string): string {
  const file = resolve(name)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  return existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file))
}

const openingFailed = (file: string, error: unknown): AppError =>
  isAppError(error) ? error : unavailable(`cannot open ${file}`, error)
