/** From the storage section of the configuration to the driver behind the ports (DESIGN D4). */
import { openSqlite, openSqliteAudit } from './sqlite/sqlite.ts'
import type { AuditReading, Storage } from './storage.ts'

export interface StorageConfig {
  readonly kind: 'sqlite'
  /** Path of the database; `:memory:` keeps nothing (tests). */
  readonly file: string
}

export type AuditReader = AuditReading & { close(): Promise<void> }

/**
 * Opens the store, creating and migrating it where needed.
 * @throws AppError `storage_unavailable`; its detail says why
 */
export async function openStorage(config: StorageConfig, clock: () => number = Date.now): Promise<Storage> {
  return openSqlite(config.file, clock)
}

/**
 * Opens the audit trail of a SQLite file for reading only, also while the server runs on it.
 * @throws AppError `storage_unavailable`
 */
export async function openAuditReader(file: string): Promise<AuditReader> {
  return openSqliteAudit(file)
}
