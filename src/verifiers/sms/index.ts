/**
 * The verifier `sms`: a six-digit code to a phone (RFC 8176 `sms`). It proves that somebody holds the phone, to L2 at
 * most (DESIGN D8), and is not cryptographic authentication (D17). The code is bound to attempt, phone and challenge
 * and kept only as a MAC.
 */
import { createHmac, randomInt, randomUUID, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import { parsePhone } from '#src/identity/phone.ts'
import type { Claim, Verifier } from '../verifier.ts'
import type { SmsGateway } from './gateway.ts'
import { codeText } from './texts.ts'

interface Dependencies {
  readonly gateway: SmsGateway
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly city: { readonly zh: string; readonly en: string }
  readonly validity: number
  readonly largeTypeValidity: number
  readonly tries: number
  /** How long the gateway may take. */
  readonly timeoutMs?: number
}

const keepSchema = z.object({
  attempt: z.string(),
  challenge: z.string(),
  phone: z.string(),
  mac: z.string(),
  expiresAt: z.number(),
  reference: z.string(),
})

const codeLength = 6

/** Full-width digits and the spaces people put in between are the same code. */
const foldCode = (text: string) =>
  text.replace(/[\uff10-\uff19]/g, (digit) => String.fromCharCode(digit.charCodeAt(0) - 0xfee0)).replace(/[\s-]/g, '')

function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the gateway took too long')), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

export function createSmsVerifier(deps: Dependencies): Verifier {
  const macOf = (challenge: string, attempt: string, phone: string, code: string): Buffer =>
    createHmac('sm3', deps.key).update(`yihao|sms|${challenge}|${attempt}|${phone}|${code}`).digest()

  return {
    name: 'sms',
    amr: ['sms'],
    cap: 2,
    tries: deps.tries,

    async begin(claim: Claim, input: unknown) {
      const phone = parsePhone(typeof input === 'string' ? input : '')
      const challenge = randomUUID()
      const code = String(randomInt(10 ** codeLength)).padStart(codeLength, '0')
      const validity = claim.largeType ? deps.largeTypeValidity : deps.validity
      const text = codeText({ code, minutes: Math.floor(validity / 60), claim, city: deps.city })
      let reference: string
      try {
        reference = (await withTimeout(deps.gateway.send(phone, text), deps.timeoutMs ?? 5_000)).reference
      } catch (cause) {
        throw new AppError('verifier_unavailable', { detail: `sms gateway ${deps.gateway.name}`, cause })
      }
      const expiresAt = claim.now + validity * 1000
      const mac = macOf(challenge, claim.attempt, phone, code).toString('base64url')
      return {
        show: { digits: codeLength, minutes: Math.floor(validity / 60) },
        keep: { attempt: claim.attempt, challenge, phone, mac, expiresAt, reference },
        expiresAt,
      }
    },

    async finish(claim: Claim, keep: unknown, input: unknown) {
      const kept = keepSchema.safeParse(keep)
      if (!kept.success || kept.data.attempt !== claim.attempt) return { ok: false, reason: 'foreign' }
      const { challenge, attempt, phone, mac, expiresAt, reference } = kept.data
      if (claim.now >= expiresAt) return { ok: false, reason: 'expired' }
      const code = foldCode(typeof input === 'string' ? input : '')
      const right = timingSafeEqual(macOf(challenge, attempt, phone, code), Buffer.from(mac, 'base64url'))
      if (!right) return { ok: false, reason: 'mismatch' }
      return {
        ok: true,
        evidence: { verifier: 'sms', amr: ['sms'], level: 2, at: claim.now, reference, subject: { phone } },
      }
    },
  }
}
