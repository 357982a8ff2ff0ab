/**
 * The one use case: a citizen signs in, registering on the way where nobody knows him yet. Sign-in and registration
 * share their first pages, so that nothing tells a stranger whether a phone is known (PAGES "Order is security").
 * Verifiers never call one another: every step returns here.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import { isAppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { parseDocument, parseDocumentKind } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import { parsePhone } from '#src/identity/phone.ts'
import type { Attempt, Attempts, Fault, Step } from './attempt.ts'
import type { Challenges, Refused } from './challenge.ts'
import type { DeviceChallenges, Shown } from './device-challenge.ts'
import type { Devices } from './devices.ts'
import type { Directory } from './directory.ts'
import type { PhoneConfirmation } from './phone-confirmation.ts'
import { nextStep, personOf, reachedLevel } from './policy.ts'
import type { Proofing } from './proofing.ts'
import { trailOf, type Visit } from './visit.ts'

export interface Standing {
  readonly attempt: Attempt
  readonly next: Step | 'done' | 'low'
  /** Those who sign in by this phone, known only once it is proven; or whom his device has named. */
  readonly people: readonly Citizen[]
  /** Whether the citizen's own device may answer for him: beside the phone, or as the only way to the level asked. */
  readonly device: ReturnType<DeviceChallenges['way']>
}

export interface SignedIn {
  readonly accountId: string
  readonly level: Level
  readonly amr: readonly string[]
  /** Seconds. */
  readonly at: number
  readonly remember: boolean
  /** By what the browser is known from now on; none on a public computer. */
  readonly device?: string
}

export interface SignIn {
  standing(visit: Visit): Promise<Standing>
  givePhone(visit: Visit, phone: string, publicComputer: boolean): Promise<void>
  /** Another code, by the verifier of that name where one is given: a call to who cannot read a text. */
  resend(visit: Visit, verifier?: string): Promise<void>
  /** @param other he is none of those who sign in by this phone so far, and wants to register */
  answerCode(visit: Visit, code: string, other: boolean): Promise<void>
  /** What the page's script asks the citizen's device. */
  beginDevice(visit: Visit): Promise<Shown | Refused>
  answerDevice(visit: Visit, challenge: string, answer: string, publicComputer: boolean): Promise<void>
  chooseWho(visit: Visit, person: string): Promise<void>
  giveDocumentKind(visit: Visit, kind: string): Promise<void>
  giveName(visit: Visit, name: string): Promise<void>
  giveNumber(visit: Visit, number: string): Promise<void>
  /** Ends an attempt that has reached its level; recorded before it counts. Undefined where it has not. */
  conclude(visit: Visit): Promise<SignedIn | undefined>
}

interface Dependencies {
  readonly attempts: Attempts
  readonly directory: Pick<Directory, 'byPhone' | 'byId'>
  readonly challenges: Challenges
  readonly deviceChallenges: DeviceChallenges
  readonly devices: Pick<Devices, 'remember'>
  readonly proofing: Proofing
  readonly confirmation: PhoneConfirmation
  readonly recorder: Recorder
  readonly now?: () => number
}

export function createSignIn(deps: Dependencies): SignIn {
  const { attempts, directory, challenges, deviceChallenges, devices } = deps
  const { proofing, confirmation, recorder, now = Date.now } = deps

  const provenPhone = ({ evidence }: Attempt): string | undefined =>
    evidence && 'phone' in evidence.subject ? evidence.subject.phone : undefined

  /** Those whom the evidence is of, as it opens their accounts. */
  const provenPeople = async ({ evidence }: Attempt): Promise<readonly Citizen[]> => {
    if (evidence && 'phone' in evidence.subject) {
      const { phone } = evidence.subject
      return (await directory.byPhone(phone)).map((citizen) => confirmation.openedBy(phone, citizen))
    }
    const citizen = evidence && 'person' in evidence.subject && (await directory.byId(evidence.subject.person))
    return citizen ? [citizen] : []
  }

  const standing = async (visit: Visit): Promise<Standing> => {
    const attempt = await attempts.load(visit.uid)
    const people = (await provenPeople(attempt)).filter(({ status }) => status === 'active')
    const device = deviceChallenges.way(visit)
    const first = device === 'only' ? 'passkey' : 'phone'
    return { attempt, people, device, next: nextStep(attempt, people, visit.channel, visit.asked, first) }
  }

  /** Saves what was given, without the fault of the input before. */
  const save = (visit: Visit, { fault: _, ...attempt }: Attempt, given: Partial<Attempt>): Promise<void> =>
    attempts.save(visit.uid, { ...attempt, ...given })

  const fail = (
    { reference }: Visit,
    step: Step,
    code: string,
    more: Pick<Fault, 'variables' | 'typed'> = {},
  ): Pick<Attempt, 'fault'> => ({ fault: { step, code, reference, ...more } })

  /** Runs a parser; its refusal becomes the fault of the page, with what was typed. */
  const parsed = <T>(
    visit: Visit,
    step: Step,
    typed: string,
    parse: (text: string) => T,
  ): { value: T } | Pick<Attempt, 'fault'> => {
    try {
      return { value: parse(typed) }
    } catch (error) {
      if (isAppError(error) && error.status === 400)
        return fail(visit, step, error.code, { typed: typed.slice(0, 200) })
      throw error
    }
  }

  /** A refused code leaves the attempt as it was, so that a second tab or an impatient press does no harm. */
  const sendTo = async (visit: Visit, attempt: Attempt, phone: string, verifier?: string): Promise<void> => {
    const sent = await challenges.send(visit, phone, { place: attempt.place, verifier })
    if ('challenge' in sent) {
      const { publicComputer, documentKind, name } = attempt
      const { challenge } = sent
      return attempts.save(visit.uid, { publicComputer, documentKind, name, proofed: false, phone, challenge })
    }
    const { code, variables, place } = sent
    const standing = attempt.challenge && attempt.phone === phone
    await save(
      visit,
      place ? { ...attempt, place } : attempt,
      standing ? fail(visit, 'code', code, { variables }) : fail(visit, 'phone', code, { variables, typed: phone }),
    )
  }

  return {
    standing,

    async givePhone(visit, text, publicComputer) {
      const attempt = await attempts.load(visit.uid)
      const phone = parsed(visit, 'phone', text, parsePhone)
      if (!('value' in phone)) return save(visit, { ...attempt, publicComputer }, phone)
      // Proven already, in another tab or before the way back: it goes on where it stands.
      if (phone.value === provenPhone(attempt)) return save(visit, attempt, { publicComputer })
      await sendTo(visit, { ...attempt, publicComputer }, phone.value)
    },

    async resend(visit, verifier) {
      const attempt = await attempts.load(visit.uid)
      if (attempt.phone === undefined || attempt.evidence) return
      await sendTo(visit, attempt, attempt.phone, verifier)
    },

    async answerCode(visit, code, other) {
      const attempt = await attempts.load(visit.uid)
      const { challenge, evidence } = attempt
      if (evidence) return
      const judged = await challenges.judge(visit, attempt, code)
      if ('code' in judged) {
        const { code, variables, place = attempt.place } = judged
        return save(visit, attempt, { ...fail(visit, 'code', code, { variables }), place })
      }
      if (!challenge) return
      await attempts.prove(challenge.id, judged.evidence)
      const phone = provenPhone({ ...attempt, evidence: judged.evidence })
      const reached = phone === undefined || (await confirmation.confirm(phone, trailOf(visit)))
      await save(visit, attempt, {
        ...(other ? { person: null } : {}),
        ...(reached ? {} : fail(visit, 'document', 'proof_unavailable')),
      })
    },

    beginDevice: (visit) => deviceChallenges.begin(visit),

    async answerDevice(visit, id, answer, publicComputer) {
      const attempt = await attempts.load(visit.uid)
      if (attempt.evidence) return
      const judged = await deviceChallenges.judge(visit, id, answer)
      if ('code' in judged) {
        const step = deviceChallenges.way(visit) === 'only' ? 'passkey' : 'phone'
        return save(visit, { ...attempt, publicComputer }, fail(visit, step, judged.code))
      }
      const { evidence, challenge } = judged
      await attempts.prove(challenge.id, evidence)
      await attempts.save(visit.uid, { publicComputer, proofed: false, challenge })
    },

    async chooseWho(visit, person) {
      const { attempt, people, next } = await standing(visit)
      if (next === 'passkey' || next === 'phone' || next === 'code') return
      const chosen = person === 'other' ? null : people.find(({ id }) => id === person)?.id
      if (chosen === undefined) return save(visit, attempt, fail(visit, 'who', 'who_missing'))
      await save(visit, attempt, { person: chosen, proofed: false })
    },

    async giveDocumentKind(visit, text) {
      const attempt = await attempts.load(visit.uid)
      if (!attempt.evidence) return
      const kind = parsed(visit, 'document', text, parseDocumentKind)
      await save(visit, attempt, 'value' in kind ? { documentKind: kind.value } : kind)
    },

    async giveName(visit, text) {
      const attempt = await attempts.load(visit.uid)
      if (!attempt.evidence || attempt.documentKind === undefined) return
      const name = parsed(visit, 'name', text, parseName)
      await save(visit, attempt, 'value' in name ? { name: name.value } : name)
    },

    async giveNumber(visit, text) {
      const { attempt, people, next } = await standing(visit)
      const { documentKind, name } = attempt
      const phone = provenPhone(attempt)
      if (next === 'done' || phone === undefined || documentKind === undefined || name === undefined) return
      const document = parsed(visit, 'number', text, () => parseDocument(documentKind, text, now()))
      if (!('value' in document)) return save(visit, attempt, document)
      const citizen = personOf(attempt, people)
      const proofed = await proofing.prove({
        document: document.value,
        name,
        phone,
        ...(citizen ? { citizen } : {}),
        trail: trailOf(visit),
      })
      if (!proofed.ok)
        return save(visit, attempt, fail(visit, 'number', `proof_${proofed.reason}`, { typed: text.slice(0, 200) }))
      await save(visit, attempt, { person: proofed.citizen.id, proofed: true })
    },

    async conclude(visit) {
      const { attempt, people, next } = await standing(visit)
      const person = personOf(attempt, people)
      const { evidence } = attempt
      if (next !== 'done' || !person || !evidence) return undefined
      const level = reachedLevel(person, evidence, visit.channel)
      const phone = provenPhone(attempt)
      const { verifier, amr, at } = evidence
      await recorder.record({
        ...trailOf(visit),
        type: 'login',
        outcome: 'ok',
        person: person.id,
        verifier,
        amr,
        level,
      })
      const remember = !attempt.publicComputer
      const device = remember && phone !== undefined && (await devices.remember(visit.device, phone, person.id))
      return { accountId: person.id, level, amr, at: Math.floor(at / 1000), remember, ...(device ? { device } : {}) }
    },
  }
}
