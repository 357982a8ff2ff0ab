/**
 * What a verifier keeps between leaving and coming back, bound by a MAC to attempt, channel and time, so that nothing in
 * it can be exchanged; and what it may be refused for before anybody is asked.
 */
import { z } from 'zod'
import { createBinder, type Macs } from './binder.ts'
import type { Begun, Claim, Outcome } from './verifier.ts'

type Own = Readonly<Record<string, string>>

export interface Bound {
  readonly own: Own
  readonly began: number
  readonly expiresAt: number
}

export interface Binding {
  bind(claim: Claim, own: Own): Promise<Pick<Begun, 'keep' | 'expiresAt'>>
  /** What was bound under this claim, or why it counts for nothing now. */
  open(claim: Claim, keep: unknown): Promise<Bound | Exclude<Outcome, { readonly ok: true }>>
}

const factsSchema = z.object({
  attempt: z.string(),
  channel: z.string(),
  began: z.number(),
  expiresAt: z.number(),
  own: z.record(z.string(), z.string()),
})
const keepSchema = factsSchema.extend({ mac: z.string() })

/** @param macs the first binds, all of them check; @param validity seconds */
export function createBinding(name: string, { macs, validity }: { macs: Macs; validity: number }): Binding {
  const binder = createBinder(name, macs)
  const partsOf = ({ attempt, channel, began, expiresAt, own }: z.infer<typeof factsSchema>) =>
    [attempt, channel, began, expiresAt, Object.entries(own).sort()] as const

  return {
    async bind({ attempt, channel, now }, own) {
      const facts = { attempt, channel, began: now, expiresAt: now + validity * 1000, own: { ...own } }
      return { keep: { ...facts, mac: await binder.bind(...partsOf(facts)) }, expiresAt: facts.expiresAt }
    },

    async open(claim, keep) {
      const kept = keepSchema.safeParse(keep).data
      if (!kept || kept.attempt !== claim.attempt || kept.channel !== claim.channel)
        return { ok: false, reason: 'foreign' }
      if (!(await binder.holds(kept.mac, ...partsOf(kept)))) return { ok: false, reason: 'foreign' }
      if (claim.now >= kept.expiresAt) return { ok: false, reason: 'expired' }
      return { own: kept.own, began: kept.began, expiresAt: kept.expiresAt }
    },
  }
}
