/**
 * Durable deliveries: what must reach somebody else is first stored, then sent, and sent again with growing pauses
 * until it arrives or its time is up; it survives a crash, so a receiver may see it twice (at least once, same id).
 */
import { randomUUID } from 'node:crypto'
import type { Delivery, Json, Storage } from '#src/storage/storage.ts'

export type Handler = (delivery: { readonly id: string; readonly payload: Json }) => Promise<void>

export interface Outbox {
  /** Stores deliveries and has them sent soon; resolves once they are durable. */
  enqueue(kind: string, payloads: readonly Json[]): Promise<void>
  /** Says who sends deliveries of a kind; a handler that throws is tried again. */
  handle(kind: string, handler: Handler): void
  start(): void
  /** Sends what is due now, once. */
  drain(): Promise<void>
  /** Finishes what is being sent and takes nothing more. */
  close(): Promise<void>
}

interface Dependencies {
  readonly storage: Pick<Storage, 'deliveries'>
  readonly giveUpAfterMs: number
  readonly now?: () => number
  readonly onFault?: (kind: string, error: unknown, buried: boolean) => void
}

const batch = 20
const leaseMs = 30_000
const pollMs = 1_000

/** Pauses between attempts; the last one repeats. */
const pausesMs = [1_000, 5_000, 30_000, 120_000, 600_000, 1_800_000]

export function pauseAfter(attempts: number): number {
  return pausesMs[Math.min(attempts, pausesMs.length - 1)] as number
}

export function createOutbox(deps: Dependencies): Outbox {
  const { storage, now = Date.now } = deps
  const handlers = new Map<string, Handler>()
  let running: Promise<void> | undefined
  let again = false
  let closing = false
  let timer: NodeJS.Timeout | undefined

  /** Sends one delivery and notes how it went; a store that fails leaves it to come due when its lease ends. */
  const send = async ({ id, kind, payload, attempts }: Delivery): Promise<void> => {
    let since = -Infinity
    try {
      const stored = JSON.parse(payload) as { readonly body: Json; readonly since: number }
      since = stored.since
      const handler = handlers.get(kind)
      if (!handler) throw new Error(`nobody sends ${kind}`)
      await handler({ id, payload: stored.body })
      await storage.deliveries.done(id)
    } catch (error) {
      const buried = now() - since >= deps.giveUpAfterMs
      const text = error instanceof Error ? error.message : 'unknown'
      deps.onFault?.(kind, error, buried)
      if (buried) await storage.deliveries.bury(id, text)
      else await storage.deliveries.retry(id, now() + pauseAfter(attempts), text)
    }
  }

  const sendAll = async (): Promise<void> => {
    while (!closing) {
      const due = await storage.deliveries.take(now(), batch, now() + leaseMs)
      if (due.length === 0) return
      const sent = await Promise.allSettled(due.map(send))
      const failed = sent.find((one) => one.status === 'rejected')
      if (failed) throw failed.reason
    }
  }

  /** One sweep at a time; a call during a sweep makes another follow it. */
  const drain = (): Promise<void> => {
    if (running) {
      again = true
      return running
    }
    running = (async () => {
      do {
        again = false
        await sendAll()
      } while (again && !closing)
    })().finally(() => (running = undefined))
    return running
  }

  const inBackground = () => void drain().catch((error: unknown) => deps.onFault?.('outbox', error, false))

  return {
    async enqueue(kind, payloads) {
      if (payloads.length === 0) return
      const since = now()
      await storage.deliveries.enqueue(
        payloads.map((body) => ({ id: randomUUID(), kind, payload: JSON.stringify({ body, since }), dueAt: since })),
      )
      if (timer) inBackground()
    },
    handle: (kind, handler) => void handlers.set(kind, handler),
    start() {
      timer = setInterval(inBackground, pollMs)
      timer.unref()
      inBackground()
    },
    drain,
    async close() {
      closing = true
      clearInterval(timer)
      timer = undefined
      await running?.catch(() => undefined)
    },
  }
}
