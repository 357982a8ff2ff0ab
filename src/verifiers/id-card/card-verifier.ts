/**
 * What every verifier over a card terminal does. A terminal reads the card and signs what it read, with the nonce of
 * this attempt in it; so a reading is good once, from the terminal it names, for the sign-in it was asked for, and for
 * the verifier that asked. Nobody attended, so none of them reaches more than L2 (DESIGN D8).
 *
 * RFC 8176 has no identity card. It is a contactless smart card (ISO/IEC 14443), so `sc` is what it says; `hwk` would
 * claim proof that its holder has a key, and the key that signs here is the terminal's.
 *
 * Only a MAC of the nonce is kept, over attempt, channel, expiry and what was asked as well, so that none of them can be
 * exchanged.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { sm3 } from 'jose'
import { z } from 'zod'
import { createBinder, type Macs } from '../binder.ts'
import type { Begun, Claim, Outcome, Verifier } from '../verifier.ts'
import { holderOf, type Card, type Wrong } from './card.ts'
import { movements, openReading, type Movement, type Reading } from './reading.ts'
import { isCertificateOf, type CardDevices } from './terminals.ts'

export interface CardVerifierParts extends CardDevices {
  /** Where the terminal's agent answers, seen from the page. */
  readonly agent: string
  readonly macs: Macs
  /** Seconds that a nonce lives, that a reading may be old, and that a terminal's clock may be ahead. */
  readonly validity: number
  readonly maxAge: number
  readonly clockSkew: number
}

/** In what one verifier over a card differs from another. */
export interface Kind {
  readonly name: string
  /** What the citizen is asked to do before the camera, anew at each challenge; nothing where no camera looks. */
  readonly asks?: () => readonly Movement[]
  /** What speaks against a reading whose terminal, nonce, time and card are right. */
  objection(reading: Reading, card: Card, asked: readonly Movement[], now: number): Wrong | undefined
}

const boundSchema = z.object({
  attempt: z.string(),
  channel: z.string(),
  expiresAt: z.number(),
  reference: z.string(),
  actions: z.array(z.enum(movements)).optional(),
})
const keepSchema = boundSchema.extend({ mac: z.string() })
type Bound = z.infer<typeof boundSchema>

const amr: readonly string[] = ['sc']
const cap = 2

const refused = (detail: string): Outcome => ({ ok: false, reason: 'mismatch', detail })
const rejected = ({ why: detail, ...say }: Wrong): Outcome => ({ ok: false, reason: 'rejected', detail, ...say })

type Parts = Omit<Bound, 'actions'> & { readonly actions?: readonly Movement[] | undefined }
const partsOf = ({ attempt, channel, expiresAt, reference, actions = [] }: Parts) =>
  [attempt, channel, expiresAt, reference, ...actions] as const

export function createCardVerifier({ name, asks, objection }: Kind, deps: CardVerifierParts): Verifier {
  const { terminals, roots, agent } = deps
  const binder = createBinder(name, deps.macs)

  /** What terminals know an attempt by: another name, since its own is the address of the sign-in. */
  const nameOf = (attempt: string): string => sm3(Buffer.from(`yihao ${name} attempt ${attempt}`)).toString('hex')

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
      const actions = asks?.()
      const mac = await binder.bind(nonce, ...partsOf({ ...bound, actions }))
      const asked: Begun['show'] = actions ? { actions: [...actions] } : {}
      return {
        show: { nonce, attempt: nameOf(claim.attempt), agent, ...asked },
        keep: { ...bound, ...asked, mac },
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
      if ('why' in card) return rejected(card)
      const wrong = objection(reading, card, kept.actions ?? [], claim.now)
      if (wrong) return rejected(wrong)
      const reference = `${reading.terminal}/${kept.reference}`
      return { ok: true, evidence: { verifier: name, amr, level: cap, at: claim.now, reference, subject: card.holder } }
    },
  }
}
