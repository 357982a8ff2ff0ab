/** A key shared with one peer, as a file of its own: base64url, at least 32 bytes, readable by nobody else. */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { AppError } from '#src/errors.ts'
import type { SignedPeer } from './signed-http.ts'

/** @throws AppError `key_invalid` naming the file and what to do */
export function readSharedKey(file: string): Buffer {
  const refuse = (detail: string, cause?: unknown): never => {
    throw new AppError('key_invalid', { detail: `${file}: ${detail}`, cause })
  }
  let text = ''
  try {
    if ((statSync(file).mode & 0o077) !== 0) refuse('can be read by others; run: chmod 600 on it')
    text = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    refuse('cannot be read', cause)
  }
  // Hex passes for base64url, and would be another key than the peer's.
  if (/^[0-9a-f]+$/i.test(text)) refuse('is hex; it must be base64url, of at least 32 random bytes (keys/README.md)')
  if (!/^[\w-]{43,}$/.test(text)) refuse('must hold at least 32 random bytes, base64url')
  return Buffer.from(text, 'base64url')
}

/** A peer as the settings name it. @param timeout seconds */
export function peerFrom(settings: { url: string; keyFile: string; timeout: number }): Omit<SignedPeer, 'retries'> {
  return { url: settings.url, key: readSharedKey(resolve(settings.keyFile)), timeoutMs: settings.timeout * 1000 }
}
