/** The embedded driver of the Storage port, on `node:sqlite` (DESIGN D4): one process, one file, no service to run. */
import type { PersonMac } from '../person-mac.ts'
import type { AuditReading, DataKeys, PeopleCounting, Store } from '../storage.ts'
import { createApplications } from './applications.ts'
import { createArtifacts } from './artifacts.ts'
import { createAuditReading, createAuditTrail } from './audit.ts'
import { connect, connectReadOnly } from './connection.ts'
import { createCounters } from './counters.ts'
import { createDataKeyList, createDataKeys } from './data-keys.ts'
import { createDeliveries } from './deliveries.ts'
import { createDependences, createPeople } from './people.ts'
import { createRestores } from './restores.ts'
import { createSweep } from './sweep.ts'

/** @throws AppError `storage_unavailable` where the file is held by another process, has a newer schema or fails */
export async function openSqlite(file: string, clock: () => number, mac?: PersonMac): Promise<Store> {
  const db = await connect(file, clock, mac)
  return {
    people: createPeople(db),
    artifacts: createArtifacts(db, clock),
    counters: createCounters(db),
    applications: createApplications(db),
    deliveries: createDeliveries(db),
    audit: createAuditTrail(db),
    dataKeys: createDataKeys(db, clock),
    restores: createRestores(db),
    sweep: createSweep(db),
    close: db.close,
  }
}

/** The audit trail of a file, for the verifier: writes nothing, and may run beside the server. */
export function openSqliteAudit(file: string): AuditReading & { close(): Promise<void> } {
  const db = connectReadOnly(file)
  return { ...createAuditReading(db), close: db.close }
}

/** What hangs on which key, for the operator: writes nothing, and may run beside the server. */
export interface KeyedRows {
  readonly people: PeopleCounting
  readonly dataKeys: Pick<DataKeys, 'list'>
  close(): Promise<void>
}

/** @throws AppError `storage_unavailable` */
export function openSqliteKeyedRows(file: string, clock: () => number): KeyedRows {
  const db = connectReadOnly(file, 'newest')
  return { people: createDependences(db), dataKeys: createDataKeyList(db, clock), close: db.close }
}
