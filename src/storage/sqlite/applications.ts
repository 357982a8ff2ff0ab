/** Applications (relying parties): their record as it is sealed with its HMAC. */
import type { ApplicationRow, Applications } from '../storage.ts'
import type { Connection } from './connection.ts'

export function createApplications(db: Connection): Applications {
  const columns = 'id, body, mac, updated_at AS updatedAt'
  const list = db.prepare<ApplicationRow>(`SELECT ${columns} FROM applications ORDER BY id`)
  const get = db.prepare<ApplicationRow>(`SELECT ${columns} FROM applications WHERE id = ?`)
  const put = db.prepare(
    `INSERT INTO applications (id, body, mac, updated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET body = excluded.body, mac = excluded.mac, updated_at = excluded.updated_at`,
  )

  return {
    list: () => db.read(() => list.all()),
    get: (id) => db.read(() => get.get(id)),
    put: (row) =>
      db.write(() => {
        put.run(row.id, row.body, row.mac, row.updatedAt)
      }),
  }
}
