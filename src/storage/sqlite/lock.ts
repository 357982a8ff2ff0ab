/**
 * One server per database file, without standing in the way of readers (DESIGN D4).
 *
 * The lock is an exclusive transaction that never ends, on an empty database of its own, `<file>.lock`. SQLite holds it
 * as an fcntl record lock: the kernel gives it back however the process dies, kill -9 and power cuts included, so there
 * is no stale lock and no process id to guess about, and the file left behind means nothing. It is never removed:
 * removing it would let two processes lock two files of one name.
 */
import { DatabaseSync } from 'node:sqlite'
import { createPrivately } from './private-file.ts'
import { isFault, toAppError, unavailable } from './fault.ts'

/**
 * Takes the lock and gives the function that releases it.
 * @throws AppError `storage_unavailable` at once where another process (or this one) holds it
 */
export function lock(file: string): () => void {
  const path = `${file}.lock`
  createPrivately(path)
  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw isFault(error)
      ? unavailable(
          `${file} is in use by another process (it holds ${path}); one server runs on one SQLite file`,
          error,
        )
      : toAppError(error)
  }
  return () => db.close()
}
