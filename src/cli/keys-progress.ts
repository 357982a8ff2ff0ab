/** What the store says of old keys, read beside the server: how much hangs on each, and whether one may go. */
import { numberOf } from '../crypto/key-entry.ts'
import type { StillUnder } from '../crypto/key-change.ts'
import { indexProgress, stillUnder, wrappingProgress, type Counted } from '../storage/key-progress.ts'
import { openKeyedRows } from '../storage/open.ts'
import type { Edge } from './edge.ts'

async function reading<Result>(file: string, read: (rows: Counted) => Promise<Result>): Promise<Result> {
  const rows = await openKeyedRows(file)
  try {
    return await read(rows)
  } finally {
    await rows.close()
  }
}

/** `npm run keys -- progress`. @throws AppError `storage_unavailable` where the store of this file cannot be read */
export async function printProgress(file: string, edge: Edge): Promise<number> {
  await reading(file, async (rows) => {
    for (const { key, people, dataKeys } of await wrappingProgress(rows))
      edge.out(`wrapping  ${key}: ${people} people, ${dataKeys} keys of the store`)
    for (const { version, people, only } of await indexProgress(rows))
      edge.out(`index     version ${version}: finds ${people} people, ${only} of them by nothing else`)
  })
  return 0
}

/** The proof that `retire` asks for. @throws AppError `storage_unavailable` where the store cannot be read */
export const rowsStillUnder =
  (file: string): StillUnder =>
  (key) =>
    reading(file, (rows) => stillUnder(rows, key.use === 'index' ? { index: numberOf(key) } : { wrapping: key.kid }))
