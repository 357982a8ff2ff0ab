/** Removes expired rows in small batches off the request path (DESIGN, Performance); a full batch is followed at once. */
import type { Storage } from './storage.ts'

const everyMs = 2_000
const batch = 500
const pauseMs = 50

/** Sweeps until the returned function is called. */
export function sweepInBackground(
  storage: Pick<Storage, 'sweep'>,
  now: () => number,
  onFault: (error: unknown) => void,
): () => void {
  let timer: NodeJS.Timeout
  const later = (ms: number): void => {
    timer = setTimeout(() => void sweep(), ms)
    timer.unref()
  }
  const sweep = async (): Promise<void> => {
    const removed = await storage.sweep(now(), batch).catch(onFault)
    later(removed === batch ? pauseMs : everyMs)
  }
  later(everyMs)
  return () => clearTimeout(timer)
}
