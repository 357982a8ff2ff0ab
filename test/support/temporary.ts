/** Directories that go when the test file is done. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Gives a way to make directories; all of them are removed after the suite that asked. */
export function temporaryDirectories(): () => string {
  const made: string[] = []
  after(() => made.forEach((directory) => rmSync(directory, { recursive: true, force: true })))
  return () => {
    const directory = mkdtempSync(join(tmpdir(), 'yihao-test-'))
    made.push(directory)
    return directory
  }
}
