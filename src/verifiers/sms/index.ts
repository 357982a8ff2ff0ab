/**
 * The verifiers `sms` and `voice`: a six-digit code to a phone, as a text (RFC 8176 `sms`) or in a call that says it
 * (`tel`). It proves that somebody holds the phone, to L2 at most (DESIGN D8), and is not cryptographic authentication
 * (D17). Only a MAC of the code is kept, over attempt, phone, challenge and expiry as well, so that none of them can be
 * exchanged.
 */
import { randomInt, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import { compact } from '#src/identity/half-width.ts'
import { parsePhone } from '#src/identity/phone.ts'
import { createBinder, type Macs } from '../binder.ts'
import { backEndDeadlineMs, within } from '../deadline.ts'
import type { Claim, Verifier } from '../verifier.ts'
import type { SmsGateway } from './gateway.ts'
import { callText, codeText } from './texts.ts'

interface Dependencies {
  readonly gateway: SmsGateway
  readonly macs: Macs
  readonly city: { readonly zh: string; readonly en: string }
  /** Seconds. */
  readonly validity: number
  readonly largeTypeValidity: number
  readonly tries: number
  /** How long the gateway may take. */
  readonly timeoutMs?: number
}

const boundSchema = z.object({
  attempt: z.string(),
  challenge: z.string(),
  phone: z.string(),
  expiresAt: z.number(),
  reference: z.string(),
})
const keepSchema = boundSchema.extend({ mac: z.string() })

const codeLength = 6

interface Way {
  readonly name: string
  readonly amr: string
  readonly wordsOf: typeof codeText
}

export const createSmsVerifier = (deps: Dependencies): Verifier =>
  createCodeVerifier({ name: 'sms', amr: 'sms', wordsOf: codeText }, deps)

export const createVoiceVerifier = (deps: Dependencies): Verifier =>
  createCodeVerifier({ name: 'voice', amr: 'tel', wordsOf: callText }, deps)

function createCodeVerifier({ name, amr, wordsOf }: Way, deps: Dependencies): Verifier {
  const timeoutMs = deps.timeoutMs ?? backEndDeadlineMs
  const binder = createBinder(name, deps.macs)
  const partsOf = ({ attempt, challenge, phone, expiresAt, reference }: z.infer<typeof boundSchema>) =>
    [challenge, attempt, phone, expiresAt, reference] as const

  return {
    name,
    amr: [amr],
    cap: 2,
    tries: deps.tries,
    by: 'phone',
    down: () => deps.gateway.down?.() ?? false,

    async begin(claim: Claim, input: unknown) {
      const phone = parsePhone(typeof input === 'string' ? input : '')
      const code = String(randomInt(10 ** codeLength)).padStart(codeLength, '0')
      const validity = claim.largeType ? deps.largeTypeValidity : deps.validity
      const minutes = Math.floor(validity / 60)
      const text = wordsOf({ code, minutes, claim, city: deps.city })
      let reference: string
      try {
        const send = () => deps.gateway.send(phone, text, timeoutMs)
        reference = (await within(timeoutMs, 'verifier_unavailable', send)).reference
      } catch (cause) {
        throw new AppError('verifier_unavailable', { detail: `${name} gateway ${deps.gateway.name}`, cause })
      }
      const expiresAt = claim.now + validity * 1000
      const bound = { attempt: claim.attempt, challenge: randomUUID(), phone, expiresAt, reference }
      return {
        show: { digits: codeLength, minutes },
        keep: { ...bound, mac: await binder.bind(...partsOf(bound), code) },
        expiresAt,
        reference,
      }
    },

    async finish(claim: Claim, keep: unknown, input: unknown) {
      const kept = keepSchema.safeParse(keep)
      if (!kept.success || kept.data.attempt !== claim.attempt) return { ok: false, reason: 'foreign' }
      const { phone, mac, expiresAt, reference } = kept.data
      if (claim.now >= expiresAt) return { ok: false, reason: 'expired' }
      // Full-width digits and the spaces people put in between are the same code.
      const code = compact(typeof input === 'string' ? input : '')
      if (!(await binder.holds(mac, ...partsOf(kept.data), code))) return { ok: false, reason: 'mismatch' }
      return {
        ok: true,
        evidence: { verifier: name, amr: [amr], level: 2, at: claim.now, reference, subject: { phone } },
      }
    },
  }
}
