/**
 * The verifiers `ctid` and `ctid-face`: 国家网络身份认证. The citizen opens his 网证 in the app or on the page of the
 * national service, which makes a credential for one transaction (`bizSeq`); we present it to the back end, which answers
 * whether it holds and by which code (网络身份应用标识) this citizen is known here. No name and no number is asked for.
 *
 * What is kept is bound to the attempt (`bound.ts`), and `bizSeq` is made of it: an answer counts for the transaction that
 * was begun here, and for no other.
 */
import { randomBytes } from 'node:crypto'
import { sm3 } from 'jose'
import { z } from 'zod'
import type { CtidSettings } from '#src/config/ctid.ts'
import { AppError } from '#src/errors.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import { filledIn, returnAddress } from '../address.ts'
import type { Macs } from '../binder.ts'
import { createBinding } from '../bound.ts'
import { codeOf } from '../field.ts'
import type { Outcome, Verifier } from '../verifier.ts'
import { presentCredential, type AuthMode, type Verdict } from './back-end.ts'
import type { Ask } from './signing.ts'

export type CtidName = keyof CtidSettings['modes']

interface Dependencies extends Omit<CtidSettings, 'breaker'> {
  readonly macs: Macs
  readonly ask: Ask
}

/**
 * RFC 8176: the credential lies in the app and its key in software; the password is checked by the service; the face by
 * the service too.
 */
const methods: Readonly<Record<AuthMode, readonly string[]>> = {
  R01: ['swk'],
  R02: ['swk', 'pin'],
  R03: ['swk', 'face'],
  R04: ['swk', 'pin', 'face'],
}
const asksPassword = (mode: AuthMode) => mode === 'R02' || mode === 'R04'
const asksFace = (mode: AuthMode) => mode === 'R03' || mode === 'R04'

const sealed = (longest: number) =>
  z
    .string()
    .regex(/^[\w+/=.-]+$/)
    .min(16)
    .max(longest)
const nothing = z
  .unknown()
  .optional()
  .transform(() => undefined)

/** What the app hands over; what the mode does not need goes no further. A picture has 10–70 KB (GB/T 35678), in base64. */
const credentialOf = (mode: AuthMode) =>
  z.object({
    resultCode: z.string().optional(),
    bizSeq: z.string().optional(),
    idCardAuthData: sealed(65_536),
    certPwdData: asksPassword(mode) ? sealed(16_384) : nothing,
    photoEncData: asksFace(mode) ? sealed(131_072) : nothing,
  })

/** Sent where the citizen gave up, without a credential. */
const givenUpSchema = z.object({ resultCode: z.string() })
const appAccepted = 'C0000000'

/** 32 characters, none of them '&', never used twice. */
const bizSeqOf = (seed: string): string => sm3(`yihao ctid ${seed}`).toString('hex').slice(0, 32)

/** How far the clock of the service may be off. */
const skewMs = 120_000

const refused = (reason: 'mismatch' | 'rejected', detail: string): Outcome => ({ ok: false, reason, detail })

/** A code that is a citizen's number would be a plain identity, which nobody has asked for. */
function isNumber(code: string): boolean {
  try {
    return parseDocument('resident-id-card', code).checked
  } catch {
    return false
  }
}

/** Why an answer does not count, as a code for the trail. Each may be the citizen's doing: none says that the service is down. */
function faultOf(verdict: Verdict, due: { bizSeq: string; authMode: AuthMode; from: number; to: number }) {
  const { refusal, passed, bizSeq, authMode, subject, at } = verdict
  if (refusal !== undefined) return refused('rejected', codeOf(refusal))
  if (bizSeq !== due.bizSeq) return refused('mismatch', 'biz-seq')
  if (authMode !== due.authMode) return refused('mismatch', 'mode')
  if (at === undefined || at < due.from - skewMs || at > due.to + skewMs) return refused('mismatch', 'time')
  if (!passed) return refused('rejected', 'not-passed')
  if (subject === undefined || !/^[\w+/=.-]{8,128}$/.test(subject) || isNumber(subject))
    return refused('mismatch', 'subject')
  return undefined
}

export function createCtidVerifier(name: CtidName, { ask, macs, ...settings }: Dependencies): Verifier {
  const mode: AuthMode = settings.modes[name]
  const credentialSchema = credentialOf(mode)
  const amr = methods[mode]
  const level = settings.levels[mode]

  const binding = createBinding(name, { macs, validity: settings.validity })

  return {
    name,
    amr,
    cap: level,
    tries: 1,
    by: 'redirect',
    facial: asksFace(mode),
    // A 网证 is shown by its holder; his face is asked for.
    ...(asksFace(mode) ? { consent: { receiver: settings.receiver, version: '1' } } : {}),

    async begin(claim) {
      if (!claim.returnTo) throw new AppError('internal', { detail: `${name} has nowhere to come back to` })
      const seed = randomBytes(32).toString('base64url')
      const bizSeq = bizSeqOf(seed)
      const show = { orgID: settings.orgCode, appID: settings.appId, bizSeq, type: asksPassword(mode) ? 1 : 0 }
      const places = { ...show, type: String(show.type), authMode: mode, return: returnAddress(claim.returnTo) }
      const bound = await binding.bind(claim, { seed })
      return { show, ...bound, reference: bizSeq, leaveTo: filledIn(settings.app, places) }
    },

    async finish(claim, keep, input): Promise<Outcome> {
      const bound = await binding.open(claim, keep)
      if ('ok' in bound) return bound
      const { resultCode } = givenUpSchema.safeParse(input).data ?? {}
      if (resultCode !== undefined && resultCode !== appAccepted) return refused('rejected', codeOf(resultCode))
      const credential = credentialSchema.safeParse(input).data
      if (!credential) return refused('mismatch', 'malformed')
      const due = { bizSeq: bizSeqOf(bound.own['seed'] ?? ''), authMode: mode }
      if (credential.bizSeq !== undefined && credential.bizSeq !== due.bizSeq) return refused('mismatch', 'biz-seq')

      const verdict = await presentCredential(ask, settings, due, credential)
      const fault = faultOf(verdict, { ...due, from: bound.began, to: claim.now })
      if (fault) return fault
      return {
        ok: true,
        evidence: {
          verifier: name,
          amr,
          level,
          at: claim.now,
          reference: due.bizSeq,
          subject: { issuer: 'ctid', code: verdict.subject as string },
        },
      }
    },
  }
}
