/** Wrapped data keys that belong to no person. The first writer's key stands until it expires. */
import type { DataKeyRow, DataKeys } from '../storage.ts'
import type { Connection, Reader } from './connection.ts'

export function createDataKeyList(db: Reader, clock: () => number): Pick<DataKeys, 'list'> {
  const list = db.prepare<DataKeyRow>(
    `SELECT id, wrapped, expires_at AS expiresAt FROM data_keys
     WHERE id > '' AND (expires_at IS NULL OR expires_at > ?) ORDER BY id`,
  )
  return { list: () => db.read(() => list.all(clock())) }
}

export function createDataKeys(db: Connection, clock: () => number): DataKeys {
  const get = db.prepare<DataKeyRow>(
    `SELECT id, wrapped, expires_at AS expiresAt FROM data_keys
     WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)`,
  )
  const add = db.prepare(
    `INSERT INTO data_keys (id, wrapped, expires_at) VALUES (?1, ?2, ?3)
     ON CONFLICT (id) DO UPDATE SET wrapped = ?2, expires_at = ?3 WHERE expires_at <= ?4`,
  )
  const replace = db.prepare(
    `UPDATE data_keys SET wrapped = ? WHERE id = ? AND wrapped = ? AND (expires_at IS NULL OR expires_at > ?)`,
  )

  return {
    ...createDataKeyList(db, clock),
    get: (id) => db.read(() => get.get(id, clock())),
    add: (row) =>
      db.write(() => {
        const now = clock()
        return add.run(row.id, row.wrapped, row.expiresAt, now) === 1 ? row : (get.get(row.id, now) ?? row)
      }),
    replace: (id, before, wrapped) => db.write(() => replace.run(wrapped, id, before, clock()) === 1),
  }
}
