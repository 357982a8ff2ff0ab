/** Puts a restore on record: the first record after it says from when the store is and what was carried over. */
import type { Storage } from '#src/storage/storage.ts'
import type { AuditEvent, Recorder } from './recorder.ts'

/** To be awaited before the server records or answers anything else. @throws AppError `audit_broken` */
export async function recordRestores({ restores }: Pick<Storage, 'restores'>, recorder: Recorder): Promise<void> {
  for (const { at, facts } of await restores.unrecorded()) {
    await recorder.record({ type: 'store.restored', outcome: 'ok', facts: JSON.parse(facts) as AuditEvent['facts'] })
    await restores.recorded(at)
  }
}
