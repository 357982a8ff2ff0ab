/**
 * The camera's pictures while a comparison is under way: taken one after another, the newest kept until the next is
 * there, each wiped when it has had its use.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { TakePicture } from './camera.ts'

export interface Taken {
  /** When it was asked for, in milliseconds. */
  readonly at: number
  /** The caller's, to wipe. */
  readonly bytes: Uint8Array
}

export interface Feed {
  /** The first picture asked for after that moment; undefined where the camera gives none in time. */
  after(moment: number): Promise<Taken | undefined>
  close(): Promise<void>
}

interface Options {
  readonly take: TakePicture
  /** Each picture as it comes; wiped when this comes back. */
  readonly onPicture?: (bytes: Uint8Array) => void
  readonly everyMs?: number
  /** How long the camera may give no picture. */
  readonly patienceMs?: number
  readonly now?: () => number
}

export function openFeed({ take, onPicture, everyMs = 120, patienceMs = 3_000, now = Date.now }: Options): Feed {
  const ended = new AbortController()
  let newest: Taken | undefined
  let heard: (() => void) | undefined

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      const at = now()
      const bytes = await take(ended.signal)
      if (bytes && !ended.signal.aborted) {
        newest?.bytes.fill(0)
        newest = { at, bytes }
        onPicture?.(bytes)
        heard?.()
      } else bytes?.fill(0)
      await pause(everyMs, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  }
  const running = run()

  return {
    async after(moment) {
      const over = new AbortController()
      const patience = pause(patienceMs, 'late', { signal: AbortSignal.any([over.signal, ended.signal]) }).catch(
        () => 'late',
      )
      try {
        for (;;) {
          if (newest && newest.at > moment) return { at: newest.at, bytes: Uint8Array.from(newest.bytes) }
          const next = new Promise<'heard'>((done) => (heard = () => done('heard')))
          if ((await Promise.race([next, patience])) === 'late') return undefined
        }
      } finally {
        heard = undefined
        over.abort()
      }
    },
    async close() {
      ended.abort()
      await running
      newest?.bytes.fill(0)
      newest = undefined
    },
  }
}
