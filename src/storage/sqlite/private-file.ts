/** Creates a file that only its owner may read, before SQLite opens it (GB/T 39786: data at rest). */
import { closeSync, openSync } from 'node:fs'

/**
 * Leaves a file that exists untouched. It must not even be opened: closing any descriptor of a file drops every
 * record lock the process holds on it (fcntl(2)), SQLite's included.
 */
export function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
