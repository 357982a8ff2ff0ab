/** A secret in a file of its own that nobody else can read: a key shared with a peer, a password a carrier gave. */
import { readFileSync, statSync } from 'node:fs'
import { AppError } from '#src/errors.ts'

export function secretRefusal(file: string, detail: string, cause?: unknown): AppError {
  return new AppError('key_invalid', { detail: `${file}: ${detail}`, cause })
}

/** The one line of the file. @throws AppError `key_invalid` naming the file and what to do */
export function readSecret(file: string): string {
  let mode: number
  let text: string
  try {
    mode = statSync(file).mode
    text = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw secretRefusal(file, 'cannot be read', cause)
  }
  if ((mode & 0o077) !== 0) throw secretRefusal(file, 'can be read by others; run: chmod 600 on it')
  if (text === '' || /[\r\n]/.test(text)) throw secretRefusal(file, 'must hold one line, the secret and nothing else')
  return text
}
