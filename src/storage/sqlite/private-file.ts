/** Creates a file that only its owner may read, before SQLite opens it (GB/T 39786: data at rest). */
import { closeSync, fsyncSync, openSync } from 'node:fs'

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

/** Forces a file to the disk. Never the open database of this process: see above. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Forces the names in a directory to the disk: a rename is durable only then. */
export const syncDirectory = syncFile
