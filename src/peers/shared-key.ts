/** A key shared with one peer, as a file of its own: base64url, at least 32 bytes, readable by nobody else. */
import { resolve } from 'node:path'
import { readSecret, secretRefusal } from './secret-file.ts'
import type { SignedPeer } from './signed-http.ts'

/** @throws AppError `key_invalid` naming the file and what to do */
export function readSharedKey(file: string): Buffer {
  const text = readSecret(file)
  // Hex passes for base64url, and would be another key than the peer's.
  if (/^[0-9a-f]+$/i.test(text))
    throw secretRefusal(file, 'is hex; it must be base64url, of at least 32 random bytes (keys/README.md)')
  if (!/^[\w-]{43,}$/.test(text)) throw secretRefusal(file, 'must hold at least 32 random bytes, base64url')
  return Buffer.from(text, 'base64url')
}

/** A peer as the settings name it. @param timeout seconds */
export function peerFrom(settings: { url: string; keyFile: string; timeout: number }): Omit<SignedPeer, 'retries'> {
  return { url: settings.url, key: readSharedKey(resolve(settings.keyFile)), timeoutMs: settings.timeout * 1000 }
}
