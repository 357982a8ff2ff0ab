/** From the storage section of the configuration to the driver behind the ports (DESIGN D4). */
import type { Mac } from '#src/crypto/mac.ts'
import { AppError } from '#src/errors.ts'
import { isFound } from './index-sets.ts'
import { createPersonMac, type PersonMac } from './person-mac.ts'
import { protectPeople } from './protected-people.ts'
import { openSqlite, openSqliteAudit, openSqliteKeyedRows, type KeyedRows } from './sqlite/sqlite.ts'
import type { AuditReading, Storage, Store } from './storage.ts'

export interface StorageConfig {
  readonly kind: 'sqlite'
  /** Path of the database; `:memory:` keeps nothing (tests). */
  readonly file: string
}

export type AuditReader = AuditReading & { close(): Promise<void> }

/**
 * Opens the store, creating and migrating it where needed.
 * @param mac of people's rows: without it, a row that a crash left to be ended at the opening is refused from then on
 * @throws AppError `storage_unavailable`; its detail says why
 */
export async function openStorage(
  config: StorageConfig,
  clock: () => number = Date.now,
  mac?: PersonMac,
): Promise<Store> {
  return openSqlite(config.file, clock, mac)
}

interface Protection {
  /** Of rows that give rights. */
  readonly rowMac: Mac
  /** Those in force: nobody may be there whom they do not find, or his number would be free. */
  readonly indexVersions: readonly number[]
  readonly now?: () => number
  /** Told once of each person whose row was changed outside. */
  readonly onTampered: (id: string) => void
}

/**
 * Opens the store as the rooms see it, with people's rows protected.
 * @throws AppError `storage_unavailable`; `key_invalid` where people are found by index keys that are not in force
 */
export async function openProtectedStorage(
  config: StorageConfig,
  { rowMac, indexVersions, now, onTampered }: Protection,
): Promise<Storage> {
  const mac = createPersonMac(rowMac)
  const store = await openStorage(config, now, mac)
  if ((await store.people.dependences('indexes')).every((text) => isFound(text, indexVersions)))
    return protectPeople(store, { mac, onTampered })
  await store.close()
  throw new AppError('key_invalid', {
    detail: 'people in the store are found by an index key that is not here; put the keys back that belong to it',
  })
}

/**
 * Opens the audit trail of a SQLite file for reading only, also while the server runs on it.
 * @throws AppError `storage_unavailable`
 */
export async function openAuditReader(file: string): Promise<AuditReader> {
  return openSqliteAudit(file)
}

/**
 * Opens what says which rows hang on which key, for reading only, also while the server runs on it.
 * @throws AppError `storage_unavailable`
 */
export async function openKeyedRows(file: string, clock: () => number = Date.now): Promise<KeyedRows> {
  return openSqliteKeyedRows(file, clock)
}
