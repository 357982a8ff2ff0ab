/**
 * Puts a restored database in the place of the store, which is kept aside. The rename to `<store>.incoming` decides;
 * whoever opens the store next completes what was decided. So a kill at any moment leaves the old store or the new one,
 * and never the write-ahead log of one beside the other.
 */
import { existsSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory } from './private-file.ts'

const incomingOf = (store: string): string => `${store}.incoming`

/** True between the decision and its completion: the store that is there is no longer the store. */
export const isSwapping = (store: string): boolean => existsSync(incomingOf(store))

/** From here on the prepared file, whole and on the disk, is the store. */
export function decideSwap(prepared: string, store: string): void {
  renameSync(prepared, incomingOf(store))
  syncDirectory(dirname(store))
}

/** Completes a swap, if one was decided; the lock of the store must be held. Gives where the old store is kept. */
export function completeSwap(store: string): string | undefined {
  const incoming = incomingOf(store)
  const decided = statSync(incoming, { throwIfNoEntry: false })
  if (!decided) return undefined
  // The name comes from the decision, so that two halves of one completion put everything in one place.
  const aside = `${store}.replaced-${decided.mtime.toISOString().replace(/[-:]/g, '')}`
  for (const part of ['-shm', '-wal', '']) if (existsSync(store + part)) renameSync(store + part, aside + part)
  syncDirectory(dirname(store))
  renameSync(incoming, store)
  syncDirectory(dirname(store))
  return existsSync(aside) ? aside : undefined
}
