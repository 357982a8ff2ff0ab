/** Counters of the throttle: one atomic statement opens, adds to or restarts a window. */
import type { Count, Counters } from '../storage.ts'
import type { Connection } from './connection.ts'

export function createCounters(db: Connection): Counters {
  // ?1 key, ?2 points, ?3 now, ?4 end of a new window, ?5 restart
  const add = db.prepare<Count>(
    `INSERT INTO counters (key, points, expires_at) VALUES (?1, ?2, ?4)
     ON CONFLICT (key) DO UPDATE SET
       points = CASE WHEN ?5 OR expires_at <= ?3 THEN ?2 ELSE points + ?2 END,
       expires_at = CASE WHEN ?5 OR expires_at <= ?3 THEN ?4 ELSE expires_at END
     RETURNING points, expires_at AS expiresAt`,
  )
  const get = db.prepare<Count>('SELECT points, expires_at AS expiresAt FROM counters WHERE key = ? AND expires_at > ?')
  const remove = db.prepare('DELETE FROM counters WHERE key = ?')

  return {
    add: (key, points, now, windowMs, restart = false) =>
      db.write(() => add.get(key, points, now, now + windowMs, restart ? 1 : 0) as Count),
    get: (key, now) => db.read(() => get.get(key, now)),
    remove: (key) => db.write(() => remove.run(key) === 1),
  }
}
