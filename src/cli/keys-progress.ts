/** `npm run keys -- progress`: how many rows hang on which wrapping key and index version, read beside the server. */
import { indexProgress, wrappingProgress } from '../storage/key-progress.ts'
import { openKeyedRows } from '../storage/open.ts'
import type { Edge } from './edge.ts'

/** @throws AppError `storage_unavailable` where the store of this file cannot be read */
export async function printProgress(file: string, edge: Edge): Promise<void> {
  const rows = await openKeyedRows(file)
  try {
    for (const { key, people, dataKeys } of await wrappingProgress(rows))
      edge.out(`wrapping  ${key}: ${people} people, ${dataKeys} keys of the store`)
    for (const { version, people, only } of await indexProgress(rows))
      edge.out(`index     version ${version}: finds ${people} people, ${only} of them by nothing else`)
  } finally {
    await rows.close()
  }
}
