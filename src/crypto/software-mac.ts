/** The `Mac` of a key held in this process's memory. */
import { createSecretKey } from 'node:crypto'
import { hmacSm3 } from 'jose'
import type { Mac } from './mac.ts'

/** @param key at least 32 bytes */
export function createSoftwareMac(key: Uint8Array): Mac {
  const secret = createSecretKey(key)
  return async (text) => hmacSm3(secret, text)
}
