/**
 * Puts a backup in the place of the store (DESIGN D4, D6, D11). Everything is done on a copy beside the store, which is
 * swapped in whole at the end. Nothing that opens a door comes back: no session, code, token or attempt; what was spent
 * stays spent, and what was erased, ended or withdrawn since the backup is so again.
 */
import { copyFileSync, existsSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Mac } from '#src/crypto/mac.ts'
import { isAppError } from '#src/errors.ts'
import type { PersonMac } from '../person-mac.ts'
import { lastingKinds, type AuditReading, type AuditTrail, type DataKeyRow, type Json } from '../storage.ts'
import type { StoredPerson } from '../storage.ts'
import { createAuditReading, createAuditTrail } from './audit.ts'
import { checkIntegrity, readManifest, storeIn, verifyFile, type Manifest } from './backup.ts'
import { connectReadOnly, locate, openForWriting, reader, type Reader } from './connection.ts'
import { createEndings } from './endings.ts'
import { unavailable } from './fault.ts'
import { ledgerOf, readLedger } from './ledger.ts'
import { lock } from './lock.ts'
import { migrate, schemaVersion } from './migrations.ts'
import { createDependences } from './people.ts'
import { createPersonRows } from './person-rows.ts'
import { createPrivately, syncDirectory, syncFile } from './private-file.ts'
import { repeatEndings } from './repeat.ts'
import { completeSwap, decideSwap } from './swap.ts'

/** A few rows that the keys at hand must open. */
export interface Sample {
  readonly dataKey?: DataKeyRow
  readonly person?: StoredPerson
  /** The sets of index versions that rows have (`indexSetsOf`): each must hold one whose key is here. */
  readonly indexSets: readonly string[]
}

export interface Proof {
  /** Under a key that is backed up elsewhere. */
  readonly mac: Mac
  /** Over people's rows; those that the ledger changes get a new one, if theirs was right. */
  readonly personMac: PersonMac
  /** @throws AppError where the keys at hand do not open the rows */
  tryKeys(sample: Sample): Promise<void>
}

export interface RestoreOptions extends Proof {
  /** A store that is there is kept aside and not refused. */
  readonly replace: boolean
  /** The ledger to repeat: a path, beside the store, or none at all. */
  readonly ledger: { readonly path: string } | 'beside' | 'none'
  /** Brings the audit trail up to what is known elsewhere, and gives facts for its record of the restore. */
  carry(to: AuditTrail, from: AuditReading | undefined): Promise<{ readonly [fact: string]: Json }>
  readonly now: number
}

export interface Restored {
  readonly manifest: Manifest
  /** Endings since the backup that were repeated. */
  readonly repeated: number
  /** Where the store that was there is kept. */
  readonly aside?: string
  /** Why nothing could be taken over from the store that was there. */
  readonly unreadable?: string
}

function sampleOf(db: Reader): Omit<Sample, 'indexSets'> {
  const dataKey = db.prepare<DataKeyRow>('SELECT id, wrapped FROM data_keys ORDER BY expires_at IS NOT NULL LIMIT 1')
  const someone = db.prepare<{ id: string }>("SELECT id FROM people WHERE status <> 'erased' LIMIT 1").get()
  const key = dataKey.get()
  const person = someone && createPersonRows(db).byId(someone.id)
  return { ...(key ? { dataKey: key } : {}), ...(person ? { person } : {}) }
}

/** Is this backup whole, and do the keys at hand fit it? */
async function prove(db: Reader, directory: string, { tryKeys, mac }: Proof): Promise<void> {
  checkIntegrity(db, storeIn(directory))
  await tryKeys({ ...sampleOf(db), indexSets: await createDependences(db).dependences('indexes') })
  await readManifest(directory).verify(mac)
}

/** Works on a copy of the backup at `path`, which is removed where the work fails. */
async function onCopy<T>(directory: string, path: string, work: (db: DatabaseSync) => Promise<T>): Promise<T> {
  const remove = () => ['', '-journal', '-wal', '-shm'].forEach((part) => rmSync(path + part, { force: true }))
  let db: DatabaseSync | undefined
  try {
    const { manifest } = readManifest(directory)
    remove()
    createPrivately(path)
    copyFileSync(storeIn(directory), path)
    await verifyFile(path, manifest)
    db = openForWriting(path)
    // The copy is thrown away where anything fails, and forced to the disk as a whole where nothing does.
    db.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY')
    const result = await work(db)
    db.close()
    syncFile(path)
    return result
  } catch (error) {
    if (db?.isOpen) db.close()
    remove()
    throw isAppError(error) ? error : unavailable(`the backup in ${directory} cannot be put in place`, error)
  }
}

/** Would this backup be restored? @throws AppError saying what is wrong with it */
export async function checkBackup(directory: string, proof: Proof): Promise<Manifest> {
  const { manifest } = readManifest(directory)
  await verifyFile(storeIn(directory), manifest)
  const db = connectReadOnly(storeIn(directory))
  try {
    await prove(db, directory, proof)
    return manifest
  } catch (error) {
    throw isAppError(error) ? error : unavailable(`the backup in ${directory} cannot be read`, error)
  } finally {
    await db.close()
  }
}

async function repeatLedger(db: DatabaseSync, ledger: string | undefined, mac: PersonMac): Promise<number> {
  if (ledger === undefined) return 0
  const rows = reader(db)
  const acts = readLedger(ledger, createEndings(rows).mark())
  await repeatEndings(rows, acts, mac)
  return acts.length
}

/** Limits and marks count what was tried and spent since the backup; retention keys open the records carried over. */
const takeOver = `
  INSERT INTO counters SELECT key, points, expires_at FROM old.counters WHERE true
    ON CONFLICT (key) DO UPDATE SET points = max(points, excluded.points), expires_at = max(expires_at, excluded.expires_at);
  INSERT OR IGNORE INTO spent SELECT kind, id, spent_at, expires_at FROM old.spent;
  INSERT OR IGNORE INTO data_keys SELECT id, wrapped, expires_at FROM old.data_keys WHERE expires_at IS NOT NULL
`

/** Takes from the store that is being replaced what it alone knows; gives why it could not. */
async function carryFrom(db: DatabaseSync, file: string, carry: (from?: AuditReading) => Promise<void>) {
  if (!existsSync(file)) {
    await carry()
    return undefined
  }
  let old: Reader | undefined
  try {
    old = connectReadOnly(file)
    db.prepare('ATTACH ? AS old').run(`${pathToFileURL(file)}?mode=ro`)
    db.exec(takeOver)
    db.exec('DETACH old')
  } catch (error) {
    await old?.close()
    await carry()
    return error instanceof Error ? error.message : String(error)
  }
  try {
    await carry(createAuditReading(old))
  } finally {
    await old.close()
  }
  return undefined
}

/** Makes `given` the ledger beside the store; one that was there is kept. */
function installLedger(given: string | undefined, file: string, now: number): void {
  const beside = ledgerOf(file)
  const isThere = existsSync(beside)
  if (given !== undefined && isThere && realpathSync(given) === realpathSync(beside)) return
  const copy = `${beside}.preparing`
  if (given !== undefined) {
    rmSync(copy, { force: true })
    createPrivately(copy)
    copyFileSync(given, copy)
    syncFile(copy)
  }
  if (isThere) renameSync(beside, `${beside}.replaced-${new Date(now).toISOString().replace(/[-:]/g, '')}`)
  if (given !== undefined) renameSync(copy, beside)
  syncDirectory(dirname(file))
}

function lockAgainstServer(file: string): () => void {
  try {
    return lock(file)
  } catch (error) {
    throw unavailable('stop the server, then restore again', error)
  }
}

/**
 * Restores the backup of a directory to a file.
 * @throws AppError `storage_unavailable`, `sealed_value_invalid` or `audit_broken`; the store is then as it was
 */
export async function restoreStore(name: string, directory: string, options: RestoreOptions): Promise<Restored> {
  const { replace, now } = options
  const file = locate(name)
  const release = lockAgainstServer(file)
  try {
    completeSwap(file)
    if (existsSync(file) && !replace)
      throw unavailable(`${file} is there; add --replace to keep it aside and put the backup in its place`)
    const ledger =
      options.ledger === 'none' ? undefined : options.ledger === 'beside' ? ledgerOf(file) : options.ledger.path
    const prepared = `${file}.preparing`
    const { manifest } = readManifest(directory)
    let repeated = 0
    const unreadable = await onCopy(directory, prepared, async (db) => {
      const rows = reader(db)
      schemaVersion(db)
      await prove(rows, directory, options)
      migrate(db)
      db.exec(`DELETE FROM artifacts WHERE kind NOT IN (${lastingKinds.map((kind) => `'${kind}'`).join(', ')})`)
      repeated = await repeatLedger(db, ledger, options.personMac)
      const trail = createAuditTrail({ ...rows, write: rows.read, enter: () => {} })
      return carryFrom(db, file, async (from) => {
        const carried = await options.carry(trail, from)
        const facts = { backupAt: manifest.at, ledger: ledger !== undefined, repeated, ...carried }
        db.prepare('INSERT INTO restores (at, facts) VALUES (?, ?)').run(now, JSON.stringify(facts))
      })
    })
    installLedger(ledger, file, now)
    decideSwap(prepared, file)
    const aside = completeSwap(file)
    return {
      manifest,
      repeated,
      ...(aside === undefined ? {} : { aside }),
      ...(unreadable === undefined ? {} : { unreadable }),
    }
  } finally {
    release()
  }
}
