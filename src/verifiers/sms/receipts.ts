/** Receipts that do not come by themselves: asked for again and again, and taken where a carrier posts them. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Member } from './fail-over.ts'
import type { Receipt } from './gateway.ts'

interface Following {
  readonly everyMs: number
  readonly onReceipt: (receipt: Receipt) => Promise<void>
  readonly onFault: (gateway: string, error: unknown) => void
}

/** Pulls in turn from each gateway that can be asked. The function it gives stops, once what is under way has ended. */
export function pullReceipts(
  members: readonly Pick<Member, 'gateway'>[],
  { everyMs, onReceipt, onFault }: Following,
): () => Promise<void> {
  let pulling: Promise<void> | undefined

  const pullAll = async (): Promise<void> => {
    for (const { gateway } of members) {
      try {
        for (const receipt of (await gateway.pull?.()) ?? []) await onReceipt(receipt)
      } catch (error) {
        onFault(gateway.name, error)
      }
    }
    pulling = undefined
  }

  const timer = setInterval(() => void (pulling ??= pullAll()), everyMs)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await pulling
  }
}

/** Who takes reports for a gateway; undefined unless the key is the one that its carrier was told. */
export type ReportDesk = (gateway: string, key: string) => ((body: unknown) => Promise<void>) | undefined

const digest = (text: string) => createHash('sm3').update(text).digest()

/** @param keys by the gateway's name; what has none takes no reports */
export function createReportDesk(
  members: readonly Pick<Member, 'gateway'>[],
  keys: ReadonlyMap<string, string>,
  onReceipt: (receipt: Receipt) => Promise<void>,
): ReportDesk {
  return (name, key) => {
    const due = keys.get(name)
    const gateway = members.find((member) => member.gateway.name === name)?.gateway
    if (due === undefined || !timingSafeEqual(digest(key), digest(due))) return undefined
    return async (body) => {
      for (const receipt of gateway?.reported?.(body) ?? []) await onReceipt(receipt)
    }
  }
}
