/** From the storage section of the configuration to the driver behind the ports (DESIGN D4). */
import type { Mac } from '#src/crypto/mac.ts'
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
  readonly now?: () => number
  /** Told once of each person whose row was changed outside. */
  readonly onTampered: (id: string) => void
}

/**
 * Opens the store as the rooms see it, with people's rows protected.
 * @throws AppError `storage_unavailable`
 */
export async function openProtectedStorage(
  config: StorageConfig,
  { rowMac, now, onTampered }: Protection,
): Promise<Storage> {
  const mac = createPersonMac(rowMac)
  return protectPeople(await openStorage(config, now, mac), { mac, onTampered })
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
