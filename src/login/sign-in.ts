/**
 * The one use case: a citizen signs in, registering on the way where nobody knows him yet. Sign-in and registration
 * share their first pages, so that nothing tells a stranger whether a phone is known (PAGES "Order is security").
 * Verifiers never call one another: every step returns here.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import type { Level } from '#src/identity/assurance.ts'
import { parseDocument, parseDocumentKind } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import { parsePhone } from '#src/identity/phone.ts'
import type { Verifiers } from '#src/verifiers/registry.ts'
import type { Attempt, Attempts } from './attempt.ts'
import { createByMethod, type ByMethod } from './by-method.ts'
import type { Challenges } from './challenge.ts'
import type { Devices } from './devices.ts'
import type { Directory } from './directory.ts'
import type { Linking } from './linking.ts'
import type { MethodChallenges } from './method-challenge.ts'
import type { PhoneConfirmation } from './phone-confirmation.ts'
import { personOf, reachedLevel } from './policy.ts'
import type { Proofing } from './proofing.ts'
import { createSteps, provenPhone, type Standing } from './steps.ts'
import { trailOf, type Visit } from './visit.ts'

export interface SignedIn {
  readonly accountId: string
  readonly level: Level
  readonly amr: readonly string[]
  /** Seconds. */
  readonly at: number
  readonly remember: boolean
  /** Of a session that begins at a shared device: the seconds it lasts at most. */
  readonly shared?: number
  /** By what the browser is known from now on; none on a public computer. */
  readonly device?: string
}

export interface SignIn extends Omit<ByMethod, 'nameNumber'> {
  standing(visit: Visit): Promise<Standing>
  givePhone(visit: Visit, phone: string, publicComputer: boolean): Promise<void>
  /** Another code, by the verifier of that name where one is given: a call to who cannot read a text. */
  resend(visit: Visit, verifier?: string): Promise<void>
  /** @param other he is none of those who sign in by this phone so far, and wants to register */
  answerCode(visit: Visit, code: string, other: boolean): Promise<void>
  chooseWho(visit: Visit, person: string): Promise<void>
  giveDocumentKind(visit: Visit, kind: string): Promise<void>
  giveName(visit: Visit, name: string): Promise<void>
  giveNumber(visit: Visit, number: string): Promise<void>
  /** Ends an attempt that has reached its level; recorded before it counts. Undefined where it has not. */
  conclude(visit: Visit): Promise<SignedIn | undefined>
}

interface Dependencies {
  readonly attempts: Attempts
  readonly directory: Pick<Directory, 'byPhone' | 'byId' | 'find' | 'open'>
  readonly challenges: Challenges
  readonly methodChallenges: MethodChallenges
  readonly linking: Linking
  readonly verifiers: Verifiers
  readonly devices: Pick<Devices, 'remember'>
  readonly proofing: Proofing
  readonly confirmation: PhoneConfirmation
  readonly recorder: Recorder
  readonly now?: () => number
}

const unnamed = { number: undefined, form: undefined }

export function createSignIn(deps: Dependencies): SignIn {
  const { attempts, directory, challenges, devices, linking } = deps
  const { proofing, confirmation, recorder, now = Date.now } = deps
  const steps = createSteps(deps)
  const { standing, save, fail, parsed } = steps
  const { nameNumber, ...byMethod } = createByMethod({ ...deps, steps, challenges: deps.methodChallenges, now })

  /** A refused code leaves the attempt as it was, so that a second tab or an impatient press does no harm. */
  const sendTo = async (visit: Visit, attempt: Attempt, phone: string, verifier?: string): Promise<void> => {
    const sent = await challenges.send(visit, phone, { place: attempt.place, verifier })
    if ('challenge' in sent) {
      const { publicComputer, documentKind, name, method, code } = attempt
      const { challenge } = sent
      const kept = { publicComputer, documentKind, name, method, code }
      return attempts.save(visit.uid, { ...kept, proofed: false, phone, challenge })
    }
    const { code, variables, place } = sent
    const stands = attempt.challenge && attempt.phone === phone
    await save(
      visit,
      place ? { ...attempt, place } : attempt,
      stands ? fail(visit, 'code', code, { variables }) : fail(visit, 'phone', code, { variables, typed: phone }),
    )
  }

  return {
    ...byMethod,
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

    async chooseWho(visit, person) {
      const { attempt, people, next } = await standing(visit)
      if (!attempt.evidence || next === 'link') return
      const chosen = person === 'other' ? null : people.find(({ id }) => id === person)?.id
      if (chosen === undefined) return save(visit, attempt, fail(visit, 'who', 'who_missing'))
      await save(visit, attempt, { person: chosen, proofed: false })
    },

    async giveDocumentKind(visit, text) {
      const { attempt, method } = await standing(visit)
      if (!attempt.evidence && !method?.named) return
      const kind = parsed(visit, 'document', text, parseDocumentKind)
      // Whoever goes back to it is somebody else: what was asked of the one before counts no more.
      await save(visit, attempt, 'value' in kind ? { documentKind: kind.value, ...unnamed } : kind)
    },

    async giveName(visit, text) {
      const { attempt, method } = await standing(visit)
      if ((!attempt.evidence && !method?.named) || attempt.documentKind === undefined) return
      const name = parsed(visit, 'name', text, parseName)
      await save(visit, attempt, 'value' in name ? { name: name.value, ...unnamed } : name)
    },

    async giveNumber(visit, text) {
      if (await nameNumber(visit, text)) return
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
        onto: attempt.code?.person === undefined ? undefined : await directory.byId(attempt.code.person),
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
      if (attempt.code && level >= 2) await linking.link(visit, attempt.code, person.id, level)
      const { shared, session } = visit.channel
      const remember = !attempt.publicComputer && !shared
      const device = remember && phone !== undefined && (await devices.remember(visit.device, phone, person.id))
      const signedIn = { accountId: person.id, level, amr, at: Math.floor(at / 1000), remember }
      return { ...signedIn, ...(device ? { device } : {}), ...(shared ? { shared: session.absolute } : {}) }
    },
  }
}
