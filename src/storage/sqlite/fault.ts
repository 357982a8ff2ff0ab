/**
 * Tells what a failure of SQLite means for us: a broken or busy store, a row that is already there, or a bug.
 * The numbers are SQLite's result codes (sqlite.org/rescode.html); `errcode` carries the extended one.
 */
import { AppError, isAppError } from '#src/errors.ts'

/** BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOLFS, NOTADB: the store, not the statement. */
const faults: ReadonlySet<number> = new Set([5, 6, 7, 8, 10, 11, 13, 14, 15, 22, 26])
/** UNIQUE, PRIMARYKEY and TRIGGER: our triggers refuse only what a rule of the port refuses. */
const conflicts: ReadonlySet<number> = new Set([2067, 1555, 1811])

const resultCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined

/** True where the store itself failed, so that nothing of the transaction may be relied on. */
export function isFault(error: unknown): boolean {
  const code = resultCode(error)
  return code !== undefined && faults.has(code & 0xff)
}

/** Any failure as an AppError: `storage_unavailable`, `conflict` or `internal`. */
export function toAppError(error: unknown): AppError {
  if (isAppError(error)) return error
  if (isFault(error)) return unavailable('the SQLite store failed', error)
  const code = resultCode(error)
  if (code !== undefined && conflicts.has(code)) return new AppError('conflict', { cause: error })
  return new AppError('internal', { detail: 'a statement of the SQLite store failed', cause: error })
}

/** The detail ends with the cause's own words: SQLite and the file system name files and columns there, never values. */
export function unavailable(detail: string, cause?: unknown): AppError {
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new AppError('storage_unavailable', { detail: detail + reason, cause })
}
