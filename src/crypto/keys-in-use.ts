/**
 * The keys that the rooms use: those of the ring, but a change only once the audit trail tells of it (DESIGN D11). What
 * cannot be recorded is not taken up, and tried again.
 */
import type { KeyDescription, KeyRing, Keys } from './keys.ts'

export interface KeysInUse<Content> {
  current(): Content
  /** Called after each change; `current` gives the new keys then. */
  onChange(listener: () => void): void
  /**
   * Puts on record what changed before the start, then follows the ring.
   * @throws what `record` throws, at the start
   */
  follow(following: Following): Promise<void>
  /** Resolves once what the ring holds by now is in use, or could not be recorded. */
  settled(): Promise<void>
  close(): Promise<void>
}

interface Following {
  /** Resolves once what is new about the keys is on record. */
  readonly record: (described: readonly KeyDescription[]) => Promise<void>
  readonly onFault: (error: unknown) => void
}

const againAfterMs = 2_000

export function keysInUse<Content extends Pick<Keys, 'described'>>(ring: KeyRing<Content>): KeysInUse<Content> {
  const listeners: (() => void)[] = []
  let keys = ring.current()
  let taking: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  return {
    current: () => keys,
    onChange: (listener) => void listeners.push(listener),
    async follow({ record, onFault }) {
      await record(keys.described)
      let told = keys

      const take = async (): Promise<void> => {
        const fresh = ring.current()
        if (fresh === told || closed) return
        if (fresh !== keys) await record(fresh.described)
        keys = fresh
        for (const listener of listeners) listener()
        // A listener that failed is called again: an engine left with the old keys would sign with what is retired.
        told = fresh
      }
      /** One at a time, and each takes up the newest keys. */
      const takeNext = (): void => {
        taking = taking.then(take).catch((error: unknown) => {
          onFault(error)
          clearTimeout(timer)
          timer = setTimeout(takeNext, againAfterMs)
          timer.unref()
        })
      }
      ring.onChange(takeNext)
      // What changed while the start was put on record.
      takeNext()
    },
    settled: () => taking,
    async close() {
      closed = true
      await taking
      clearTimeout(timer)
      await ring.close()
    },
  }
}
