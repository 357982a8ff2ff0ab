/** Wrapped data keys that belong to no person. The first writer's key stands until it expires. */
import type { DataKeyRow, DataKeys } from '../storage.ts'
import type { Connection } from './connection.ts'

export function createDataKeys(db: Connection, clock: () => number): DataKeys {
  const get = db.prepare<DataKeyRow>(
    `SELECT id, wrapped, expires_at AS expiresAt FROM data_keys
     WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)`,
  )
  const add = db.prepare(
    `INSERT INTO data_keys (id, wrapped, expires_at) VALUES (?1, ?2, ?3)
     ON CONFLICT (id) DO UPDATE SET wrapped = ?2, expires_at = ?3 WHERE expires_at <= ?4`,
  )

  return {
    get: (id) => db.read(() => get.get(id, clock())),
    add: (row) =>
      db.write(() => {
        const now = clock()
        return add.run(row.id, row.wrapped, row.expiresAt, now) === 1 ? row : (get.get(row.id, now) ?? row)
      }),
  }
}
