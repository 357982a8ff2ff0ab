/** The embedded driver of the Storage port, on `node:sqlite` (DESIGN D4): one process, one file, no service to run. */
import type { AuditReading, Storage } from '../storage.ts'
import { createApplications } from './applications.ts'
import { createArtifacts } from './artifacts.ts'
import { createAuditReading, createAuditTrail } from './audit.ts'
import { connect, connectReadOnly } from './connection.ts'
import { createCounters } from './counters.ts'
import { createDataKeys } from './data-keys.ts'
import { createDeliveries } from './deliveries.ts'
import { createPeople } from './people.ts'
import { createRestores } from './restores.ts'
import { createSweep } from './sweep.ts'

/** @throws AppError `storage_unavailable` where the file is held by another process, has a newer schema or fails */
export function openSqlite(file: string, clock: () => number): Storage {
  const db = connect(file, clock)
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
