/** What every step of a sign-in does: sees where the attempt stands, saves what was given, and says what was refused. */
import { isAppError } from '#src/errors.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { Verifiers } from '#src/verifiers/registry.ts'
import type { Verifier } from '#src/verifiers/verifier.ts'
import type { Attempt, Attempts, Fault, Step } from './attempt.ts'
import type { Directory } from './directory.ts'
import type { PhoneConfirmation } from './phone-confirmation.ts'
import { able, firstOf, nextStep, offered, type First } from './policy.ts'
import type { Visit } from './visit.ts'

export interface Standing {
  readonly attempt: Attempt
  readonly next: Step | 'done' | 'low'
  /** Those who sign in by this phone, known only once it is proven; or whom his method has named. */
  readonly people: readonly Citizen[]
  /** The methods on offer, in their order. */
  readonly ways: readonly Verifier[]
  readonly first: First
  /** The method he has chosen. */
  readonly method?: Verifier | undefined
}

export interface Steps {
  standing(visit: Visit): Promise<Standing>
  /** Saves what was given, without the fault of the input before. */
  save(visit: Visit, attempt: Attempt, given: Partial<Attempt>): Promise<void>
  fail(visit: Visit, step: Step, code: string, more?: Pick<Fault, 'variables' | 'typed'>): Pick<Attempt, 'fault'>
  /** Runs a parser; its refusal becomes the fault of the page, with what was typed. */
  parsed<T>(visit: Visit, step: Step, typed: string, parse: (text: string) => T): { value: T } | Pick<Attempt, 'fault'>
}

interface Dependencies {
  readonly attempts: Attempts
  readonly directory: Pick<Directory, 'byPhone' | 'byId'>
  readonly confirmation: Pick<PhoneConfirmation, 'openedBy'>
  readonly verifiers: Verifiers
}

export const provenPhone = ({ evidence }: Attempt): string | undefined =>
  evidence && 'phone' in evidence.subject ? evidence.subject.phone : undefined

export function createSteps({ attempts, directory, confirmation, verifiers }: Dependencies): Steps {
  /** Those whom the evidence is of, as it opens their accounts. */
  const provenPeople = async ({ evidence }: Attempt): Promise<readonly Citizen[]> => {
    if (evidence && 'phone' in evidence.subject) {
      const { phone } = evidence.subject
      return (await directory.byPhone(phone)).map((citizen) => confirmation.openedBy(phone, citizen))
    }
    const citizen = evidence && 'person' in evidence.subject && (await directory.byId(evidence.subject.person))
    return citizen ? [citizen] : []
  }

  const fail: Steps['fail'] = ({ reference }, step, code, more = {}) => ({ fault: { step, code, reference, ...more } })

  return {
    async standing(visit) {
      const { channel, asked, application, numberByLaw = false } = visit
      const attempt = await attempts.load(visit.uid)
      const people = (await provenPeople(attempt)).filter(({ status }) => status === 'active')
      const ways = offered(channel, verifiers, asked, application)
      const first = firstOf(ways)
      // One that breaks while it is used stays chosen: its page says so and leads to the others.
      const method = able(channel, verifiers, asked, application).find(({ name }) => name === attempt.method)
      const next = nextStep(attempt, people, channel, asked, { first, method, numberByLaw })
      return { attempt, people, ways, first, method, next }
    },

    save: (visit, { fault: _, ...attempt }, given) => attempts.save(visit.uid, { ...attempt, ...given }),
    fail,

    parsed(visit, step, typed, parse) {
      try {
        return { value: parse(typed) }
      } catch (error) {
        if (isAppError(error) && error.status === 400)
          return fail(visit, step, error.code, { typed: typed.slice(0, 200) })
        throw error
      }
    },
  }
}
