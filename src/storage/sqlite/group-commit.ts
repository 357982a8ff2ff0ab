/**
 * Group commit: what one turn of the event loop writes goes into one transaction and costs one fsync (DESIGN D4).
 * Reads on the same connection run between batches, so they see only what is committed.
 */
import type { DatabaseSync } from 'node:sqlite'
import { isFault, toAppError, unavailable } from './fault.ts'

/** Bounds how long a batch holds the event loop: about 10 ms. */
const batchSize = 256

export interface GroupCommit {
  /** Runs `op` in the next batch; resolves once it is durable. An op that throws undoes and rejects only itself. */
  write<T>(op: () => T): Promise<T>
  /** Commits what is queued and refuses what comes later. */
  drain(): void
}

interface Entry {
  /** Runs the op and gives what settles its promise after the commit. */
  readonly run: () => () => void
  readonly reject: (error: unknown) => void
}

export function createGroupCommit(db: DatabaseSync): GroupCommit {
  const [begin, commit, rollback, savepoint, release, undo] = [
    'BEGIN IMMEDIATE',
    'COMMIT',
    'ROLLBACK',
    'SAVEPOINT op',
    'RELEASE op',
    'ROLLBACK TO op',
  ].map((sql) => db.prepare(sql)) as [Prepared, Prepared, Prepared, Prepared, Prepared, Prepared]
  let queue: Entry[] = []
  let scheduled = false
  let closed = false

  function attempt(entry: Entry): () => void {
    savepoint.run()
    try {
      const settle = entry.run()
      release.run()
      return settle
    } catch (error) {
      // A failing store may have rolled everything back on its own: the batch cannot go on.
      if (isFault(error) || !db.isTransaction) throw error
      undo.run()
      release.run()
      return () => entry.reject(toAppError(error))
    }
  }

  function flush(): void {
    const batch = queue.splice(0, batchSize)
    try {
      begin.run()
      const settle = batch.map(attempt)
      commit.run()
      for (const done of settle) done()
    } catch (error) {
      try {
        if (db.isTransaction) rollback.run()
      } finally {
        const fault = unavailable('the SQLite store could not commit; nothing of the batch stands', error)
        for (const entry of batch) entry.reject(fault)
      }
    }
  }

  function turn(): void {
    scheduled = false
    if (queue.length > 0) flush()
    if (queue.length > 0) schedule()
  }

  function schedule(): void {
    if (!scheduled) setImmediate(turn)
    scheduled = true
  }

  return {
    write: (op) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(unavailable('the SQLite store is closed'))
        const run = () => {
          const value = op()
          return () => resolve(value)
        }
        queue.push({ run, reject })
        schedule()
      }),
    drain() {
      closed = true
      while (queue.length > 0) flush()
    },
  }
}

type Prepared = ReturnType<DatabaseSync['prepare']>
