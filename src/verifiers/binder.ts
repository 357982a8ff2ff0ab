/**
 * The MAC by which a verifier binds what it keeps and what it gave out: over its own name and every part, so that none
 * can be exchanged, and nothing of one verifier counts at another.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Mac } from '#src/crypto/mac.ts'
import type { Json } from '#src/storage/storage.ts'

/** The newest key first: it binds; all of them check, so that what was begun outlives the change of a key. */
export type Macs = () => readonly [Mac, ...Mac[]]

export interface Binder {
  /** @returns base64url */
  bind(...parts: readonly Json[]): Promise<string>
  /** Was this given out for exactly these parts, under any of the keys? */
  holds(given: string, ...parts: readonly Json[]): Promise<boolean>
}

export function createBinder(name: string, macs: Macs): Binder {
  const bound = async (mac: Mac, parts: readonly Json[]): Promise<string> =>
    (await mac(JSON.stringify([`yihao ${name}`, ...parts]))).toString('base64url')

  return {
    bind: (...parts) => bound(macs()[0], parts),
    async holds(given, ...parts) {
      // As texts: base64url that is decoded ignores what it does not know.
      const text = Buffer.from(given)
      const due = await Promise.all(macs().map(async (mac) => Buffer.from(await bound(mac, parts))))
      // Each is compared, whichever is right.
      return due.filter((one) => one.length === text.length && timingSafeEqual(one, text)).length > 0
    },
  }
}
