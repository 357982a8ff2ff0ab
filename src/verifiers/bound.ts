/**
 * What a verifier keeps between leaving and coming back, bound by a MAC to attempt, channel and time, so that nothing in
 * it can be exchanged; and what it may be refused for before anybody is asked.
 */
import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Mac } from '#src/crypto/mac.ts'
import type { Begun, Claim, Outcome } from './verifier.ts'

export type Macs = () => readonly [Mac, ...Mac[]]
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
  const macOf = (mac: Mac, { attempt, channel, began, expiresAt, own }: z.infer<typeof factsSchema>) =>
    mac(JSON.stringify([`yihao ${name}`, attempt, channel, began, expiresAt, Object.entries(own).sort()]))

  return {
    async bind({ attempt, channel, now }, own) {
      const facts = { attempt, channel, began: now, expiresAt: now + validity * 1000, own: { ...own } }
      const mac = await macOf(macs()[0], facts)
      return { keep: { ...facts, mac: mac.toString('base64url') }, expiresAt: facts.expiresAt }
    },

    async open(claim, keep) {
      const kept = keepSchema.safeParse(keep).data
      if (!kept || kept.attempt !== claim.attempt || kept.channel !== claim.channel)
        return { ok: false, reason: 'foreign' }
      const given = Buffer.from(kept.mac, 'base64url')
      const due = await Promise.all(macs().map((mac) => macOf(mac, kept)))
      if (!due.some((one) => one.length === given.length && timingSafeEqual(one, given)))
        return { ok: false, reason: 'foreign' }
      if (claim.now >= kept.expiresAt) return { ok: false, reason: 'expired' }
      return { own: kept.own, began: kept.began, expiresAt: kept.expiresAt }
    },
  }
}
