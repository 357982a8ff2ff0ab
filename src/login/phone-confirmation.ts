/**
 * A phone number that was given up goes to somebody else after a while (carriers keep it back for at least 90 days). So
 * an account opens by a phone only while the register has lately said that it is still that person's: a binding that is
 * due is asked about when its phone was just proven, and until it is confirmed the account counts as merely registered.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import { primaryDocument, type Citizen } from '#src/identity/citizen.ts'
import type { RegisterAnswer } from '#src/identity/registry.ts'
import type { Directory } from './directory.ts'
import type { RegisterCheck } from './register-check.ts'
import type { Trail } from './visit.ts'

export interface PhoneConfirmation {
  /**
   * Asks about every account at this phone whose binding is due: confirmed ones are renewed, and where the phone is no
   * longer that person's the binding ends. False where the register cannot be reached.
   */
  confirm(phone: string, trail: Trail): Promise<boolean>
  /** The account as this phone opens it: L1 at most unless the phone is proven and lately confirmed. */
  openedBy(phone: string, citizen: Citizen): Citizen
}

interface Dependencies {
  readonly directory: Pick<Directory, 'byPhone' | 'confirmPhone' | 'endPhone'>
  readonly check: RegisterCheck
  readonly recorder: Recorder
  readonly confirmDays: number
  readonly now?: () => number
}

const day = 86_400_000

/** The phone is somebody else's now, or nobody can be using it in this person's name. */
const endsBinding = (answer: RegisterAnswer): boolean =>
  answer.result === 'match'
    ? answer.phone === 'mismatch'
    : answer.result === 'deceased' || answer.result === 'cancelled'

export function createPhoneConfirmation(deps: Dependencies): PhoneConfirmation {
  const { directory, check, recorder, now = Date.now } = deps

  const state = (phone: string, { phones }: Citizen): 'unproven' | 'due' | 'confirmed' => {
    const binding = phones.find(({ number }) => number === phone)
    if (!binding?.proven) return 'unproven'
    return now() - binding.from > deps.confirmDays * day ? 'due' : 'confirmed'
  }

  const ask = async (phone: string, citizen: Citizen, trail: Trail): Promise<boolean> => {
    const document = primaryDocument(citizen)
    if (!document || citizen.name === undefined) return true
    const { kind, number } = document
    const answer = await check({ kind, number, name: citizen.name, phone })
    const said = answer.result === 'match' ? `match, phone ${answer.phone}` : answer.result
    const confirmed = answer.result === 'match' && answer.phone === 'match'
    const unavailable = answer.result === 'unavailable'
    await recorder.record({
      ...trail,
      type: 'register.checked',
      outcome: confirmed ? 'ok' : unavailable ? 'failed' : 'refused',
      ...(confirmed ? {} : { reason: unavailable ? 'unavailable' : 'phone-not-confirmed' }),
      person: citizen.id,
      facts: { register: said, kind, about: 'phone' },
    })
    if (unavailable) return false
    if (confirmed) await directory.confirmPhone(citizen.id, phone)
    if (endsBinding(answer)) {
      await recorder.record({ ...trail, type: 'phone.ended', outcome: 'ok', person: citizen.id, reason: answer.result })
      await directory.endPhone(citizen.id, phone)
    }
    return true
  }

  return {
    async confirm(phone, trail) {
      const due = (await directory.byPhone(phone)).filter((citizen) => state(phone, citizen) === 'due')
      const reached = await Promise.all(due.map((citizen) => ask(phone, citizen, trail)))
      return !reached.includes(false)
    },
    openedBy: (phone, citizen) => (state(phone, citizen) === 'confirmed' ? citizen : { ...citizen, proofing: 1 }),
  }
}
