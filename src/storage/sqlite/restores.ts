/** Restores that are to be put on record; written by `restore.ts`, read by the server at its next start. */
import type { RestoreRow, Restores } from '../storage.ts'
import type { Connection } from './connection.ts'

export function createRestores(db: Connection): Restores {
  const unrecorded = db.prepare<RestoreRow>('SELECT at, facts FROM restores WHERE at > 0 ORDER BY at')
  const recorded = db.prepare('DELETE FROM restores WHERE at = ?')

  return {
    unrecorded: () => db.read(() => unrecorded.all()),
    recorded: (at) =>
      db.write(() => {
        recorded.run(at)
      }),
  }
}
