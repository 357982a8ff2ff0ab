/**
 * Who may speak to the key daemon, and who may pretend to be it: whoever gets at the socket. Its directory says so: only
 * its owner may put a socket there, nobody outside its group may enter, and the group only where its mode lets it.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { AppError } from '#src/errors.ts'

/** What the kernel takes as the address of a socket (`sun_path`, Linux), without the closing zero. */
const longestPath = 107

/**
 * @returns the mode that the socket may have: 0600, or 0660 where the group may enter the directory
 * @throws AppError `config_invalid` saying what to do, `key_unavailable` where there is no directory yet
 */
export function socketMode(path: string): 0o600 | 0o660 {
  if (Buffer.byteLength(path) > longestPath)
    throw new AppError('config_invalid', { detail: `keys.daemon.socket: ${path} is too long for a socket's address` })
  const directory = dirname(path)
  const found = statSync(directory, { throwIfNoEntry: false })
  if (!found) throw new AppError('key_unavailable', { detail: `there is no directory ${directory}` })
  if ((found.mode & 0o022) !== 0 || (found.mode & 0o007) !== 0)
    throw new AppError('config_invalid', {
      detail: `others get at ${directory}, where the key daemon's socket is; run: chmod 700 on it, or 750 for its group`,
    })
  return (found.mode & 0o070) === 0 ? 0o600 : 0o660
}
