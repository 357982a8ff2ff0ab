/**
 * The steps of a sign-in by another method than a code to the phone: it is chosen, begun, answered; and where it knows
 * the citizen by a code alone, that code is linked to the account he proves, or opens one without a number.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import { sessionLevel } from '#src/identity/assurance.ts'
import { isUnder14 } from '#src/identity/calendar.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import { createTurns } from '#src/storage/turns.ts'
import type { Evidence, Named, Verifier } from '#src/verifiers/verifier.ts'
import type { Attempt, Attempts, Step } from './attempt.ts'
import type { Refused } from './challenge.ts'
import { newPersonId, type Directory } from './directory.ts'
import type { Linking } from './linking.ts'
import type { Held, MethodChallenges, Shown } from './method-challenge.ts'
import type { PhoneConfirmation } from './phone-confirmation.ts'
import { lacksNumber } from './policy.ts'
import type { Standing, Steps } from './steps.ts'
import { trailOf, type Visit } from './visit.ts'

export interface ByMethod {
  /** Goes on with this method; nothing where it is not on offer. */
  chooseMethod(visit: Visit, name: string, publicComputer: boolean): Promise<void>
  /** What the page's script asks a device: of the passkey beside the phone, or of the method that was chosen. */
  beginDevice(visit: Visit, asked?: Asking): Promise<Shown | Refused>
  /** @param consent the version of the text that the citizen agreed to; @returns where he goes on, undefined: nowhere */
  leave(visit: Visit, consent: string): Promise<string | undefined>
  /** @param name the passkey, which needs not be chosen; else the method that was chosen answers */
  answerMethod(visit: Visit, challenge: string, answer: unknown, more?: Answering): Promise<void>
  /** Somebody came back with this challenge in a browser that does not hold its attempt. */
  comeBackElsewhere: MethodChallenges['end']
  /** The number of a method that is named; false where no such method waits for it. */
  nameNumber(visit: Visit, text: string): Promise<boolean>
  /** What becomes of a code that no account has: linked to another proof, to the session of this browser, or alone. */
  chooseLink(visit: Visit, choice: string): Promise<void>
}

export interface Asking {
  /** The passkey, which needs not be chosen; else the method that was chosen is asked. */
  readonly name?: string | undefined
  /** The version of the text that the citizen agreed to, where the method asks for consent. */
  readonly consent?: string
}

export interface Answering {
  readonly name?: string
  readonly publicComputer?: boolean
}

interface Dependencies {
  readonly attempts: Attempts
  readonly steps: Steps
  readonly challenges: MethodChallenges
  readonly directory: Pick<Directory, 'open' | 'byId'>
  readonly linking: Pick<Linking, 'link' | 'find' | 'isFresh'>
  readonly confirmation: Pick<PhoneConfirmation, 'confirm'>
  readonly recorder: Pick<Recorder, 'record'>
  readonly now?: () => number
}

export function createByMethod(deps: Dependencies): ByMethod {
  const { attempts, steps, challenges, directory, linking, confirmation, recorder, now = Date.now } = deps
  const { standing, save, fail } = steps
  const inTurn = createTurns()

  const chosen = ({ ways, method }: Standing, name: string | undefined): Verifier | undefined =>
    name === undefined ? method : ways.find((way) => way.name === name)

  /** The page of this method, on which its faults stand. */
  const stepOf = ({ first }: Standing, verifier: Verifier): Step => (verifier.name === 'passkey' ? first : 'prove')

  const namedIn = ({ documentKind: kind, name, number }: Attempt): Named | undefined =>
    kind !== undefined && name !== undefined && number !== undefined ? { kind, name, number } : undefined

  const heldOf = (attempt: Attempt, { named }: Verifier): Held => {
    const { code, place } = attempt
    return { code, place, named: named ? namedIn(attempt) : undefined }
  }

  const refused = (visit: Visit, step: Step, { code, variables, place }: Refused): Partial<Attempt> => ({
    ...fail(visit, step, code, variables && { variables }),
    ...(place ? { place } : {}),
  })

  /** Begins a form, so that its page has something to show. */
  const beginForm = async (visit: Visit, attempt: Attempt, verifier: Verifier): Promise<Partial<Attempt>> => {
    const begun = await challenges.begin(visit, verifier, heldOf(attempt, verifier))
    return 'show' in begun ? { form: { challenge: begun.challenge, show: begun.show } } : refused(visit, 'prove', begun)
  }

  const isReady = (attempt: Attempt, { by, named }: Verifier) =>
    by === 'form' && (!named || namedIn(attempt) !== undefined)

  /** Where a method asks for consent, nothing begins without it. */
  const consented = async (visit: Visit, attempt: Attempt, { consent }: Verifier, version = '') => {
    if (!consent || version === consent.version) return true
    await save(visit, attempt, fail(visit, 'prove', 'consent_missing'))
    return false
  }

  const openAlone = async (visit: Visit, attempt: Attempt, evidence: Evidence): Promise<void> => {
    const { challenge, code } = attempt
    if (!challenge || !code) return
    const { verifier } = evidence
    // Another tab may have opened it.
    const found = await linking.find(code)
    const stands = found && (await directory.byId(found.person)) ? found : undefined
    const { person, level: linked } = stands ?? { person: newPersonId(), level: evidence.level }
    if (!stands) {
      await recorder.record({
        ...trailOf(visit),
        type: 'account.opened',
        outcome: 'ok',
        person,
        level: linked,
        verifier,
      })
      // The link first: one to nobody opens nothing, while nobody could ever open an account without one.
      await linking.link(visit, code, person, linked)
      await directory.open({ id: person, proofing: linked })
    }
    const level = sessionLevel(evidence.level, linked)
    await attempts.prove(challenge.id, { ...evidence, level, subject: { person } })
    await save(visit, attempt, { code: { ...code, person } })
  }

  return {
    comeBackElsewhere: challenges.end,

    async chooseMethod(visit, name, publicComputer) {
      const now = await standing(visit)
      const verifier = now.ways.find((way) => way.name === name)
      const { attempt } = now
      if (!verifier) return save(visit, attempt, fail(visit, 'method', 'method_missing'))
      const { documentKind, name: typed, code, place } = attempt
      const fresh: Attempt = { publicComputer, proofed: false, method: name, documentKind, name: typed, code, place }
      await attempts.save(visit.uid, fresh)
      if (isReady(fresh, verifier)) await save(visit, fresh, await beginForm(visit, fresh, verifier))
    },

    async beginDevice(visit, { name, consent } = {}) {
      const here = await standing(visit)
      const verifier = chosen(here, name)
      if (verifier?.by !== 'device') return { code: 'verifier_unavailable' }
      const held = heldOf(here.attempt, verifier)
      if (verifier.named && !held.named) return { code: 'verifier_unavailable' }
      if (!(await consented(visit, here.attempt, verifier, consent))) return { code: 'consent_missing' }
      return challenges.begin(visit, verifier, { ...held, consent: verifier.consent?.version })
    },

    async leave(visit, consent) {
      const now = await standing(visit)
      const { attempt, method: verifier } = now
      if (verifier?.by !== 'redirect' || attempt.evidence || now.next !== 'prove') return undefined
      if (!(await consented(visit, attempt, verifier, consent))) return undefined
      const held = { ...heldOf(attempt, verifier), consent: verifier.consent?.version }
      const begun = await challenges.begin(visit, verifier, held)
      if ('leaveTo' in begun && begun.leaveTo !== undefined) {
        await save(visit, attempt, {})
        return begun.leaveTo
      }
      await save(visit, attempt, refused(visit, 'prove', 'code' in begun ? begun : { code: 'verifier_unavailable' }))
      return undefined
    },

    async answerMethod(visit, challenge, answer, { name, publicComputer } = {}) {
      const here = await standing(visit)
      const verifier = chosen(here, name)
      const attempt = publicComputer === undefined ? here.attempt : { ...here.attempt, publicComputer }
      if (attempt.evidence || !verifier) return
      const judged = await challenges.judge(visit, verifier, challenge, answer, heldOf(attempt, verifier))
      if ('evidence' in judged) {
        await attempts.prove(judged.challenge.id, judged.evidence)
        const { method } = attempt
        const { subject } = judged.evidence
        // Of two codes the last is the one he goes on with; a person whom another method names gets the one that waits.
        const code = 'issuer' in subject ? judged.code : (attempt.code ?? judged.code)
        const phone = 'phone' in subject ? subject.phone : undefined
        const reached = phone === undefined || (await confirmation.confirm(phone, trailOf(visit)))
        return attempts.save(visit.uid, {
          ...{ publicComputer: attempt.publicComputer, proofed: false, method, code, challenge: judged.challenge },
          ...(phone === undefined ? {} : { phone }),
          ...(reached ? {} : fail(visit, 'document', 'proof_unavailable')),
        })
      }
      // Whoever waits for his turn gives the same answer then.
      const form = isReady(attempt, verifier) && !judged.place ? await beginForm(visit, attempt, verifier) : {}
      await save(visit, attempt, { ...form, ...refused(visit, stepOf(here, verifier), judged) })
    },

    async nameNumber(visit, text) {
      const { attempt, method } = await standing(visit)
      const { documentKind, name, evidence } = attempt
      if (evidence || !method?.named || documentKind === undefined || name === undefined) return false
      const document = steps.parsed(visit, 'number', text, () => parseDocument(documentKind, text, now()))
      if (!('value' in document)) {
        await save(visit, attempt, document)
        return true
      }
      const given = { ...attempt, number: document.value.number }
      const birth = document.value.birthDate
      const refusal =
        birth !== undefined && isUnder14(birth, now()) ? fail(visit, 'number', 'proof_under-14') : undefined
      if (refusal) await save(visit, attempt, refusal)
      else await save(visit, given, isReady(given, method) ? await beginForm(visit, given, method) : {})
      return true
    },

    async chooseLink(visit, choice) {
      const here = await standing(visit)
      const { attempt, next, people } = here
      const { evidence, code } = attempt
      if (next !== 'link' || !evidence) return
      const { session } = visit
      if (choice === 'other') {
        // Proven once already, it waits for the account; everything else begins anew.
        return attempts.save(visit.uid, { publicComputer: attempt.publicComputer, proofed: false, code })
      }
      if (choice === 'session' && code && session && linking.isFresh(session)) {
        const person = await directory.byId(session.person)
        // One without a number helps nobody who is asked for it.
        const helps = person?.status === 'active' && !(people.length > 0 && lacksNumber(person))
        if (helps && attempt.challenge) {
          await linking.link(visit, code, person.id, session.level)
          const level = sessionLevel(evidence.level, session.level)
          await attempts.prove(attempt.challenge.id, { ...evidence, level, subject: { person: person.id } })
          return save(visit, attempt, { code: lacksNumber(person) ? { ...code, person: person.id } : undefined })
        }
      }
      const mayStandAlone = choice === 'alone' && visit.numberByLaw !== true && !people.some(lacksNumber)
      if (mayStandAlone) return inTurn(`${code?.issuer}|${code?.code}`, () => openAlone(visit, attempt, evidence))
      await save(visit, attempt, fail(visit, 'link', 'link_missing'))
    },
  }
}
