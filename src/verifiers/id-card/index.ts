/**
 * The verifier `id-card`: 刷身份证. A terminal reads the card and signs what it read, with the nonce of this attempt in
 * it; so a reading is good once, from the terminal it names, for the sign-in it was asked for. It says nothing of who
 * held the card: nobody attended, so it reaches L2 and no more (DESIGN D8).
 *
 * RFC 8176 has no identity card. It is a contactless smart card (ISO/IEC 14443), so `sc` is what it says; `hwk` would
 * claim proof that its holder has a key, and the key that signs here is the terminal's.
 *
 * Only a MAC of the nonce is kept, over attempt, channel and expiry as well, so that none of them can be exchanged.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { sm3 } from 'jose'
import { z } from 'zod'
import { createBinder, type Macs } from '../binder.ts'
import type { Claim, Outcome, Verifier } from '../verifier.ts'
import { holderOf } from './card.ts'
import { openReading, type Reading } from './reading.ts'
import { isCertificateOf, type Terminals } from './terminals.ts'

interface Dependencies {
  readonly terminals: Terminals
  /** Certificates, in PEM, that vouch for devices. */
  readonly roots: readonly string[]
  /** Where the terminal's agent answers, seen from the page. */
  readonly agent: string
  readonly macs: Macs
  /** Seconds that a nonce lives, that a reading may be old, and that a terminal's clock may be ahead. */
  readonly validity: number
  readonly maxAge: number
  readonly clockSkew: number
}

const boundSchema = z.object({
  attempt: z.string(),
  channel: z.string(),
  expiresAt: z.number(),
  reference: z.string(),
})
const keepSchema = boundSchema.extend({ mac: z.string() })

const name = 'id-card'
const amr: readonly string[] = ['sc']
const cap = 2

const refused = (detail: string): Outcome => ({ ok: false, reason: 'mismatch', detail })

/** What terminals know an attempt by: another name, since its own is the address of the sign-in. */
const nameOf = (attempt: string): string => sm3(Buffer.from(`yihao id-card attempt ${attempt}`)).toString('hex')

export function createIdCardVerifier(deps: Dependencies): Verifier {
  const { terminals, roots, agent } = deps

  const binder = createBinder(name, deps.macs)
  const partsOf = ({ attempt, channel, expiresAt, reference }: z.infer<typeof boundSchema>) =>
    [attempt, channel, expiresAt, reference] as const

  /** Whether a terminal of ours, with its own certificate and module, may read for this channel. */
  const wrongTerminal = (reading: Reading, certificate: Buffer, channel: string): string | undefined => {
    const terminal = terminals.find(reading.terminal)
    if (!terminal) return 'terminal-unknown'
    if (!isCertificateOf(terminal, certificate)) return 'terminal-certificate'
    if (terminal.status === 'revoked') return 'revoked'
    if (terminal.channel !== channel) return 'terminal-channel'
    return terminal.sam === reading.sam ? undefined : 'terminal-sam'
  }

  const wrongTime = ({ readAt }: Reading, now: number): string | undefined => {
    const age = now - readAt * 1000
    if (age > deps.maxAge * 1000) return 'reading-stale'
    return age < -deps.clockSkew * 1000 ? 'reading-future' : undefined
  }

  return {
    ...{ name, amr, cap },
    // A reading ends its challenge, right or wrong; the page fetches another.
    tries: 1,
    by: 'device',
    connects: [agent],

    async begin(claim: Claim) {
      const nonce = randomBytes(32).toString('hex')
      const expiresAt = claim.now + deps.validity * 1000
      const bound = { attempt: claim.attempt, channel: claim.channel, expiresAt, reference: randomUUID() }
      const mac = await binder.bind(nonce, ...partsOf(bound))
      return {
        show: { nonce, attempt: nameOf(claim.attempt), agent },
        keep: { ...bound, mac },
        expiresAt,
      }
    },

    async finish(claim: Claim, keep: unknown, input: unknown) {
      const kept = keepSchema.safeParse(keep).data
      if (!kept || kept.attempt !== claim.attempt || kept.channel !== claim.channel)
        return { ok: false, reason: 'foreign' }
      if (claim.now >= kept.expiresAt) return { ok: false, reason: 'expired' }
      const opened = await openReading(input, roots, claim.now)
      if ('why' in opened) return refused(opened.why)
      const { reading, certificate } = opened
      const terminal = wrongTerminal(reading, certificate, claim.channel)
      if (terminal) return refused(terminal)
      if (!(await binder.holds(kept.mac, reading.nonce, ...partsOf(kept)))) return refused('nonce')
      if (reading.attempt !== nameOf(claim.attempt)) return refused('attempt')
      const time = wrongTime(reading, claim.now)
      if (time) return refused(time)
      const card = holderOf(reading.text, claim.now)
      if ('why' in card) {
        const { why: detail, ...say } = card
        return { ok: false, reason: 'rejected', detail, ...say }
      }
      const reference = `${reading.terminal}/${kept.reference}`
      return { ok: true, evidence: { verifier: name, amr, level: cap, at: claim.now, reference, subject: card.holder } }
    },
  }
}
