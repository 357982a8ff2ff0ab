/**
 * Durable deliveries of the outbox. A lease is the due time moved to its end: a worker that dies leaves nothing to
 * clean up, its deliveries simply come due again.
 */
import type { Deliveries, Delivery } from '../storage.ts'
import type { Connection } from './connection.ts'

export function createDeliveries(db: Connection): Deliveries {
  const insert = db.prepare('INSERT INTO deliveries (id, kind, payload, due_at) VALUES (?, ?, ?, ?)')
  const due = db.prepare<Delivery>(
    `SELECT id, kind, payload, attempts, due_at AS dueAt FROM deliveries
     WHERE buried = 0 AND due_at <= ? ORDER BY due_at, rowid LIMIT ?`,
  )
  const lease = db.prepare('UPDATE deliveries SET due_at = ? WHERE id = ?')
  const done = db.prepare('DELETE FROM deliveries WHERE id = ?')
  const retry = db.prepare(
    'UPDATE deliveries SET attempts = attempts + 1, due_at = ?, error = ? WHERE id = ? AND buried = 0',
  )
  const bury = db.prepare('UPDATE deliveries SET buried = 1, error = ? WHERE id = ?')
  const count = db.prepare<{ n: number }>('SELECT count(*) AS n FROM deliveries WHERE buried = ?')
  const counted = (buried: number) => count.get(buried)?.n ?? 0

  return {
    enqueue: (deliveries) =>
      db.write(() => {
        for (const { id, kind, payload, dueAt } of deliveries) insert.run(id, kind, payload, dueAt)
      }),
    take: (now, limit, leaseUntil) =>
      db.write(() => {
        const taken = due.all(now, limit)
        for (const { id } of taken) lease.run(leaseUntil, id)
        return taken
      }),
    done: (id) =>
      db.write(() => {
        done.run(id)
      }),
    retry: (id, dueAt, error) =>
      db.write(() => {
        retry.run(dueAt, error, id)
      }),
    bury: (id, error) =>
      db.write(() => {
        bury.run(error, id)
      }),
    counts: () => db.read(() => ({ waiting: counted(0), buried: counted(1) })),
  }
}
