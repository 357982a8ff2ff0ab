/** What to offer and where a sign-in stands: pure decisions over a channel row, the level asked and the attempt so far. */
import type { Channel } from '#src/channels/channel.ts'
import { enough, sessionLevel, type Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { Verifiers } from '#src/verifiers/registry.ts'
import type { Evidence, Verifier } from '#src/verifiers/verifier.ts'
import type { Attempt, Step } from './attempt.ts'

/** The verifiers of a channel, in its order, that can reach the level asked and serve this application. */
export function able(channel: Channel, verifiers: Verifiers, asked: Level, application?: string): readonly Verifier[] {
  return channel.verifiers.flatMap((name) => {
    const verifier = verifiers.get(name)
    const serves = application === undefined || !verifier?.notFor?.includes(application)
    return verifier && serves && enough(verifier.cap, asked) ? [verifier] : []
  })
}

/**
 * Those to offer: a broken one only where all are. One that was got beforehand stands in for none: whoever has not got
 * it has only the others.
 */
export function offered(
  channel: Channel,
  verifiers: Verifiers,
  asked: Level,
  application?: string,
): readonly Verifier[] {
  const all = able(channel, verifiers, asked, application)
  const up = all.filter(({ down }) => !down?.())
  return up.some(({ enrolled }) => !enrolled) ? up : all
}

/** The first page: the phone's, where the channel puts it first; the passkey's, where there is no other; else the list. */
export type First = 'phone' | 'passkey' | 'method'

export function firstOf(ways: readonly Verifier[]): First {
  const lead = ways.find(({ name }) => name !== 'passkey')
  if (!lead) return ways.length > 0 ? 'passkey' : 'phone'
  return lead.by === 'phone' ? 'phone' : 'method'
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

/** Whether the number is still to be proven: the application may ask for it by law, and the account has none. */
export const lacksNumber = ({ documents }: Pick<Citizen, 'documents'>): boolean => documents.length === 0

export interface Circumstances {
  readonly first?: First
  /** The method that the citizen has chosen. */
  readonly method?: Verifier | undefined
  /** The application is granted the number by law, and this request asks for it. */
  readonly numberByLaw?: boolean
}

/** What is asked before a method that is named begins. */
function stepOfMethod({ documentKind, name, number }: Attempt, { named }: Verifier): Step {
  if (!named || number !== undefined) return 'prove'
  if (documentKind === undefined) return 'document'
  return name === undefined ? 'name' : 'number'
}

/** The page that comes next; `done` when the level asked is reached, `low` when this account cannot reach it. */
export function nextStep(
  attempt: Attempt,
  atPhone: readonly Citizen[],
  channel: Channel,
  asked: Level,
  { first = 'phone', method, numberByLaw = false }: Circumstances = {},
): Step | 'done' | 'low' {
  const { evidence } = attempt
  if (!evidence) {
    if (method && method.by !== 'phone') return stepOfMethod(attempt, method)
    const start = method ? 'phone' : first
    return start === 'phone' && attempt.challenge ? 'code' : start
  }
  // Known by a code that belongs to no account yet.
  if ('issuer' in evidence.subject) return 'link'
  // He has been named, and that account is closed since.
  if ('person' in evidence.subject && atPhone.length === 0) return first
  if (undecided(attempt, atPhone)) return 'who'
  const person = personOf(attempt, atPhone)
  if (person && enough(reachedLevel(person, evidence, channel), asked))
    return numberByLaw && lacksNumber(person) ? 'link' : 'done'
  // An account that was only claimed may be proven now; one that is proven has reached what it can.
  // Whoever was named without a phone brings none by which the register could be asked.
  if (person && (person.proofing >= 2 || 'person' in evidence.subject)) return 'low'
  if (attempt.documentKind === undefined) return 'document'
  if (attempt.name === undefined) return 'name'
  return attempt.proofed ? 'low' : 'number'
}

const entrances: readonly Step[] = ['method', 'passkey', 'phone']
const order: readonly Step[] = [...entrances, 'code', 'who', 'document', 'name', 'number', 'prove', 'link']
/** Asked of whoever has proven a phone, or before a method that is named. */
const asks: ReadonlySet<Step> = new Set(['who', 'document', 'name', 'number'])

/**
 * May this page be shown? Those behind are always open, so that the way back exists; those ahead are not.
 * @param method the method that the citizen has chosen, other than by phone
 */
export function reachable(step: Step, next: Step | 'done' | 'low', method?: Pick<Verifier, 'by' | 'named'>): boolean {
  if (next === 'done') return false
  if (next === 'low' || next === 'link') return step === next || entrances.includes(step)
  if (method !== undefined && method.by !== 'phone') {
    if (step === 'code' || (step === 'who' && next !== 'who')) return false
    if (next === 'prove' && asks.has(step) && !method.named) return false
  }
  return step === 'method' || order.indexOf(step) <= order.indexOf(next)
}
