/**
 * Files that hold keys: readable by their owner only, and written whole or not at all, whatever kills the process.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  type Stats,
} from 'node:fs'
import { dirname } from 'node:path'
import { AppError } from '#src/errors.ts'

export const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code

/** @throws AppError `key_invalid` naming the file and what to do; `missing` says so where it is not there */
export function readOwnerFile(file: string, missing: string): string {
  const refuse = (detail: string, cause?: unknown): never => {
    throw new AppError('key_invalid', { detail: `${file}: ${detail}`, cause })
  }
  try {
    if ((statSync(file).mode & 0o077) !== 0) refuse('can be read by others; run: chmod 600 on it')
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    return codeOf(cause) === 'ENOENT'
      ? refuse(missing)
      : refuse('cannot be read; let it belong to the user the server runs as', cause)
  }
}

type Owner = Pick<Stats, 'uid' | 'gid'>

export function onDisk(path: string, owner?: Owner): void {
  // Never through a link that somebody put in its place meanwhile: the owner may be given away.
  const file = openSync(path, owner ? constants.O_RDONLY | constants.O_NOFOLLOW : 'r')
  if (owner) fchownSync(file, owner.uid, owner.gid)
  fsyncSync(file)
  closeSync(file)
}

/** Written beside and forced to the disk before it takes the name: a crash leaves what was there, or the whole of it. */
function writeBeside(file: string, text: string, take: (beside: string) => void, owner?: Owner): void {
  const beside = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.new`
  try {
    writeFileSync(beside, text, { mode: 0o600, flag: 'wx' })
    onDisk(beside, owner)
    take(beside)
  } finally {
    rmSync(beside, { force: true })
    onDisk(dirname(file))
  }
}

/** False where the file is there: of two processes that start at once one makes it and the other finds it. */
export function makeOwnerFile(file: string, text: string): boolean {
  try {
    writeBeside(file, text, (beside) => linkSync(beside, file))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Of a link, the file it leads to. Replaced by root it stays that of its owner, who could not read it otherwise. */
export function replaceOwnerFile(file: string, text: string): void {
  const place = realpathSync(file)
  const owner = process.getuid?.() === 0 ? statSync(place) : undefined
  writeBeside(place, text, (beside) => renameSync(beside, place), owner)
}
