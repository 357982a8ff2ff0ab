/** What to offer and where a sign-in stands: pure decisions over a channel row, the level asked and the attempt so far. */
import type { Channel } from '#src/channels/channel.ts'
import { enough, sessionLevel, type Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { Verifiers } from '#src/verifiers/registry.ts'
import type { Evidence, Verifier } from '#src/verifiers/verifier.ts'
import type { Attempt, Step } from './attempt.ts'

/** The verifiers of a channel, in its order, that can reach the level asked. */
export function able(channel: Channel, verifiers: Verifiers, asked: Level): readonly Verifier[] {
  return channel.verifiers.flatMap((name) => {
    const verifier = verifiers.get(name)
    return verifier && enough(verifier.cap, asked) ? [verifier] : []
  })
}

/**
 * Those to offer: a broken one only where all are. A device that answers for its owner stands in for none: whoever has
 * not added one has only the others.
 */
export function offered(channel: Channel, verifiers: Verifiers, asked: Level): readonly Verifier[] {
  const all = able(channel, verifiers, asked)
  const up = all.filter(({ down }) => !down?.())
  return up.some(({ enrolled }) => !enrolled) ? up : all
}

/** A session's level: no better than the account's proofing, the method's cap and the channel's top (DESIGN D8, D9). */
export function reachedLevel(citizen: Citizen, evidence: Evidence, channel: Channel): Level {
  return sessionLevel(sessionLevel(citizen.proofing, evidence.level), channel.top)
}

/** The person this attempt is about: the only one at the phone, or the one chosen; undefined: nobody yet. */
export function personOf(attempt: Attempt, atPhone: readonly Citizen[]): Citizen | undefined {
  if (attempt.person === null) return undefined
  if (attempt.person !== undefined) return atPhone.find(({ id }) => id === attempt.person)
  return atPhone.length === 1 ? atPhone[0] : undefined
}

/** Has he still to say which of the people at this phone he is? */
const undecided = (attempt: Attempt, atPhone: readonly Citizen[]) => attempt.person === undefined && atPhone.length > 1

/**
 * The page that comes next; `done` when the level asked is reached, `low` when this account cannot reach it.
 * @param first the first page: `passkey` where no phone reaches the level asked
 */
export function nextStep(
  attempt: Attempt,
  atPhone: readonly Citizen[],
  channel: Channel,
  asked: Level,
  first: 'passkey' | 'phone' = 'phone',
): Step | 'done' | 'low' {
  const { evidence } = attempt
  if (!evidence) return first === 'phone' && attempt.challenge ? 'code' : first
  // His device has said who he is, and that account is closed since.
  if ('person' in evidence.subject && atPhone.length === 0) return first
  if (undecided(attempt, atPhone)) return 'who'
  const person = personOf(attempt, atPhone)
  if (person && enough(reachedLevel(person, evidence, channel), asked)) return 'done'
  // An account that was only claimed may be proven now; one that is proven has reached what it can.
  // A device that has named its owner brings no phone by which the register could be asked.
  if (person && (person.proofing >= 2 || 'person' in evidence.subject)) return 'low'
  if (attempt.documentKind === undefined) return 'document'
  if (attempt.name === undefined) return 'name'
  return attempt.proofed ? 'low' : 'number'
}

const order: readonly Step[] = ['passkey', 'phone', 'code', 'who', 'document', 'name', 'number']

/** May this page be shown? Those behind are always open, so that the way back exists; those ahead are not. */
export function reachable(step: Step, next: Step | 'done' | 'low'): boolean {
  if (next === 'done') return false
  if (next === 'low') return step === 'phone' || step === 'passkey'
  return order.indexOf(step) <= order.indexOf(next)
}
