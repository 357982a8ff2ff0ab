/**
 * The one use case: a citizen signs in, registering on the way where nobody knows him yet. Sign-in and registration
 * share their first pages, so that nothing tells a stranger whether a phone is known (PAGES "Order is security").
 * Verifiers never call one another: every step returns here.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import type { Channel } from '#src/channels/channel.ts'
import { isAppError, type Locale } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { parseDocument, parseDocumentKind } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import { parsePhone } from '#src/identity/phone.ts'
import type { Storage } from '#src/storage/storage.ts'
import type { Verifiers } from '#src/verifiers/registry.ts'
import type { Claim, Evidence, Verifier } from '#src/verifiers/verifier.ts'
import type { Attempt, Attempts, Fault, Step } from './attempt.ts'
import type { Directory } from './directory.ts'
import { nextStep, offered, personOf, reachedLevel } from './policy.ts'
import type { Proofing } from './proofing.ts'
import type { Throttle } from './throttle.ts'

/** What the request says: which attempt, for whom, and how the citizen reads. */
export interface Visit {
  readonly uid: string
  readonly application: string
  /** The application's name in the citizen's language. */
  readonly purpose: string
  readonly channel: Channel
  readonly asked: Level
  readonly locale: Locale
  readonly largeType: boolean
  readonly reference: string
  readonly address: string
}

export interface Standing {
  readonly attempt: Attempt
  readonly next: Step | 'done' | 'low'
  /** Those who sign in by this phone; known only once it is proven. */
  readonly people: readonly Citizen[]
}

export interface SignedIn {
  readonly accountId: string
  readonly level: Level
  readonly amr: readonly string[]
  /** Seconds. */
  readonly at: number
  readonly remember: boolean
}

export interface SignIn {
  standing(visit: Visit): Promise<Standing>
  givePhone(visit: Visit, phone: string, publicComputer: boolean): Promise<void>
  resend(visit: Visit): Promise<void>
  answerCode(visit: Visit, code: string): Promise<void>
  chooseWho(visit: Visit, person: string): Promise<void>
  giveDocumentKind(visit: Visit, kind: string): Promise<void>
  giveName(visit: Visit, name: string): Promise<void>
  giveNumber(visit: Visit, number: string): Promise<void>
  /** Ends an attempt that has reached its level; recorded before it counts. Undefined where it has not. */
  conclude(visit: Visit): Promise<SignedIn | undefined>
}

interface Dependencies {
  readonly attempts: Attempts
  readonly directory: Directory
  readonly proofing: Proofing
  readonly throttle: Throttle
  readonly verifiers: Verifiers
  readonly recorder: Recorder
  readonly storage: Pick<Storage, 'artifacts'>
  readonly resendAfterMs: number
  readonly now?: () => number
}

const minutes = (ms: number) => Math.max(1, Math.ceil(ms / 60_000))

export function createSignIn(deps: Dependencies): SignIn {
  const { attempts, directory, proofing, throttle, verifiers, recorder, storage, now = Date.now } = deps

  const claimOf = ({ uid, channel, locale, largeType, purpose }: Visit): Claim => ({
    attempt: uid,
    channel: channel.name,
    locale,
    largeType,
    purpose,
    now: now(),
  })

  const provenPhone = ({ evidence }: Attempt): string | undefined =>
    evidence && 'phone' in evidence.subject ? evidence.subject.phone : undefined

  const standing = async (visit: Visit): Promise<Standing> => {
    const attempt = await attempts.load(visit.uid)
    const phone = provenPhone(attempt)
    const atPhone = phone === undefined ? [] : await directory.byPhone(phone)
    const people = atPhone.filter(({ status }) => status === 'active')
    return { attempt, people, next: nextStep(attempt, people, visit.channel, visit.asked) }
  }

  /** Saves what was given, without the fault of the input before. */
  const save = (visit: Visit, { fault: _, ...attempt }: Attempt, given: Partial<Attempt>): Promise<void> =>
    attempts.save(visit.uid, { ...attempt, ...given })

  const fail = (step: Step, code: string, more: Omit<Fault, 'step' | 'code'> = {}): Pick<Attempt, 'fault'> => ({
    fault: { step, code, ...more },
  })

  /** Runs a parser; its refusal becomes the fault of the page, with what was typed. */
  const parsed = <T>(step: Step, typed: string, parse: (text: string) => T): { value: T } | Pick<Attempt, 'fault'> => {
    try {
      return { value: parse(typed) }
    } catch (error) {
      if (isAppError(error) && error.status === 400) return fail(step, error.code, { typed: typed.slice(0, 200) })
      throw error
    }
  }

  const events = (visit: Visit) => ({
    reference: visit.reference,
    address: visit.address,
    application: visit.application,
    channel: visit.channel.name,
  })

  /** Has a code sent to the phone, within its limits: the challenge that now stands, or why there is none. */
  const challenge = async (
    visit: Visit,
    verifier: Verifier,
    phone: string,
  ): Promise<{ made: NonNullable<Attempt['challenge']> } | { code: string; minutes: number }> => {
    const record = (outcome: 'ok' | 'refused' | 'failed', reason?: string) =>
      recorder.record({
        ...events(visit),
        type: 'challenge.sent',
        outcome,
        ...(reason === undefined ? {} : { reason }),
        verifier: verifier.name,
      })
    const key = await directory.phoneIndex(phone)
    for (const [limit, code] of [
      ['send-pause', 'code_too_soon'],
      ['send-day', 'code_too_many'],
    ] as const) {
      const ticket = await throttle.take(limit, key)
      if (ticket.allowed) continue
      await record('refused', code)
      return { code, minutes: minutes(ticket.retryAfterMs) }
    }
    try {
      const { keep, expiresAt } = await verifier.begin(claimOf(visit), phone)
      await record('ok')
      const resendAt = now() + deps.resendAfterMs
      return { made: { id: String(keep['challenge']), verifier: verifier.name, keep, expiresAt, resendAt } }
    } catch (error) {
      if (!isAppError(error, 'verifier_unavailable')) throw error
      await record('failed', error.code)
      return { code: error.code, minutes: 0 }
    }
  }

  /** A refused code leaves the attempt as it was, so that a second tab or an impatient press does no harm. */
  const sendTo = async (visit: Visit, attempt: Attempt, phone: string): Promise<void> => {
    const [verifier] = offered(visit.channel, verifiers, visit.asked)
    if (!verifier) return save(visit, attempt, fail('phone', 'verifier_unavailable', { typed: phone }))
    const sent = await challenge(visit, verifier, phone)
    if ('made' in sent) {
      const { publicComputer, documentKind, name, proofed } = attempt
      return save(
        visit,
        { publicComputer, documentKind, name, proofed },
        { phone, challenge: sent.made, proofed: false },
      )
    }
    const step = attempt.challenge && attempt.phone === phone ? 'code' : 'phone'
    const typed = step === 'phone' ? { typed: phone } : {}
    await save(visit, attempt, fail(step, sent.code, { variables: { minutes: sent.minutes }, ...typed }))
  }

  const judge = async (
    visit: Visit,
    attempt: Attempt,
    code: string,
  ): Promise<{ evidence: Evidence } | Pick<Attempt, 'fault'>> => {
    const { challenge: current } = attempt
    const verifier = current && verifiers.get(current.verifier)
    if (!current || !verifier || attempt.phone === undefined) return fail('code', 'code_expired')
    const day = await throttle.take('failures-day', await directory.phoneIndex(attempt.phone))
    if (!day.allowed) return fail('code', 'code_failures_day')
    const answer = await throttle.take('answer', current.id)
    if (!answer.allowed) return fail('code', 'code_exhausted')
    const outcome = await verifier.finish(claimOf(visit), current.keep, code)
    if (!outcome.ok) {
      if (outcome.reason !== 'mismatch') return fail('code', 'code_expired')
      return answer.left > 0
        ? fail('code', 'code_wrong', { variables: { count: answer.left } })
        : fail('code', 'code_exhausted')
    }
    const first = await storage.artifacts.spend('Challenge', current.id, current.expiresAt + 3_600_000)
    return first ? { evidence: outcome.evidence } : fail('code', 'code_used')
  }

  return {
    standing,

    async givePhone(visit, text, publicComputer) {
      const attempt = await attempts.load(visit.uid)
      const phone = parsed('phone', text, parsePhone)
      if (!('value' in phone)) return save(visit, { ...attempt, publicComputer }, phone)
      await sendTo(visit, { ...attempt, publicComputer }, phone.value)
    },

    async resend(visit) {
      const attempt = await attempts.load(visit.uid)
      if (attempt.phone === undefined || attempt.evidence) return
      await sendTo(visit, attempt, attempt.phone)
    },

    async answerCode(visit, code) {
      const attempt = await attempts.load(visit.uid)
      if (attempt.evidence) return
      const judged = await judge(visit, attempt, code)
      const { challenge: current } = attempt
      await recorder.record({
        ...events(visit),
        type: 'challenge.answered',
        outcome: 'evidence' in judged ? 'ok' : 'refused',
        ...('evidence' in judged ? {} : { reason: judged.fault?.code ?? 'code_wrong' }),
        ...(current ? { verifier: current.verifier } : {}),
      })
      if ('evidence' in judged && current) {
        await attempts.prove(current.id, judged.evidence)
        return save(visit, attempt, {})
      }
      await save(visit, attempt, judged)
    },

    async chooseWho(visit, person) {
      const { attempt, people, next } = await standing(visit)
      if (next === 'phone' || next === 'code') return
      const chosen = person === 'other' ? null : people.find(({ id }) => id === person)?.id
      if (chosen === undefined) return save(visit, attempt, fail('who', 'who_missing'))
      await save(visit, attempt, { person: chosen })
    },

    async giveDocumentKind(visit, text) {
      const attempt = await attempts.load(visit.uid)
      if (!attempt.evidence) return
      const kind = parsed('document', text, parseDocumentKind)
      await save(visit, attempt, 'value' in kind ? { documentKind: kind.value } : kind)
    },

    async giveName(visit, text) {
      const attempt = await attempts.load(visit.uid)
      if (!attempt.evidence || attempt.documentKind === undefined) return
      const name = parsed('name', text, parseName)
      await save(visit, attempt, 'value' in name ? { name: name.value } : name)
    },

    async giveNumber(visit, text) {
      const { attempt, people, next } = await standing(visit)
      const { documentKind, name } = attempt
      const phone = provenPhone(attempt)
      if (next === 'done' || phone === undefined || documentKind === undefined || name === undefined) return
      const document = parsed('number', text, () => parseDocument(documentKind, text, now()))
      if (!('value' in document)) return save(visit, attempt, document)
      const citizen = personOf(attempt, people)
      const proofed = await proofing.prove({
        document: document.value,
        name,
        phone,
        ...(citizen ? { citizen } : {}),
        reference: visit.reference,
        address: visit.address,
        application: visit.application,
      })
      if (!proofed.ok)
        return save(visit, attempt, fail('number', `proof_${proofed.reason}`, { typed: text.slice(0, 200) }))
      await save(visit, attempt, { person: proofed.citizen.id, proofed: true })
    },

    async conclude(visit) {
      const { attempt, people, next } = await standing(visit)
      const person = personOf(attempt, people)
      const { evidence } = attempt
      if (next !== 'done' || !person || !evidence) return undefined
      const level = reachedLevel(person, evidence, visit.channel)
      const { verifier, amr, at } = evidence
      await recorder.record({ ...events(visit), type: 'login', outcome: 'ok', person: person.id, verifier, amr, level })
      return { accountId: person.id, level, amr, at: Math.floor(at / 1000), remember: !attempt.publicComputer }
    },
  }
}
