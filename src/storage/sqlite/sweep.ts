/** Removes what has expired, a bounded number of rows per call, through the indexes on `expires_at`. */
import type { Storage } from '../storage.ts'
import type { Connection } from './connection.ts'

export function createSweep(db: Connection): Storage['sweep'] {
  // Artefacts go before marks: were the mark to go first and the clock set back, a spent artefact would live again.
  const removals = [
    ['artifacts', 'rowid'],
    ['spent', 'kind, id'],
    ['counters', 'key'],
    ['data_keys', 'id'],
  ].map(([table, key]) =>
    db.prepare(`DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE expires_at <= ? LIMIT ?)`),
  )

  return (now, limit) => db.write(() => removals.reduce((gone, remove) => gone + remove.run(now, limit - gone), 0))
}
