/**
 * The life of a key, pure: *next → active → retired* → gone follows from the times in the key file and the clock, so
 * that every node that holds the file changes at the same moment without talking to another (DESIGN D17).
 */
import type { Config } from '#src/config.ts'
import type { KeyState, KeyUse } from './keys.ts'

/** What of a key decides on its life. */
export interface Timed {
  readonly kid: string
  readonly use: KeyUse
  readonly alg: string
  /** ISO 8601. */
  readonly activeFrom: string
}

/** When to look at a life, and how long a retired key still verifies; both in ms. */
export interface Moment {
  readonly now: number
  readonly overlap: number
}

export interface Life {
  readonly state: KeyState | 'gone'
  /** Retired until then, where a clock ends it. */
  readonly until?: number
}

/**
 * What an old key of these has made stays in the store or the trail: only a proof that nothing is left ends one, or
 * nothing at all. Subjects and row MACs have one key for ever.
 */
const lasting: ReadonlySet<KeyUse> = new Set<KeyUse>(['audit', 'wrapping', 'index', 'pairwise', 'rows'])

/** A key that others verify by must be known to them in time; of the rest only our own nodes must have taken it up. */
export const isPublished = (use: KeyUse): boolean => ['sig', 'enc', 'audit'].includes(use)

/** Seconds until every node has looked at the key file again, with room to spare. */
export const takeUpSeconds = 10

/**
 * How long a retired key still verifies, in ms: as long as the longest-lived thing it signed. An `id_token_hint` may be
 * as old as a session.
 */
export function overlapMs({ tokens, channels }: Pick<Config, 'tokens' | 'channels'>): number {
  const sessions = Object.values(channels).map(({ session }) => session.absolute)
  return Math.max(tokens.idToken, tokens.accessToken, tokens.refreshToken, ...sessions) * 1000
}

export const activeAt = ({ activeFrom }: Timed): number => Date.parse(activeFrom)

/** The keys that take turns: of one use and algorithm, in the order in which they do. */
export const lineOf = <Key extends Timed>({ use, alg }: Pick<Timed, 'use' | 'alg'>, keys: readonly Key[]): Key[] =>
  keys.filter((key) => key.use === use && key.alg === alg).sort((one, other) => activeAt(one) - activeAt(other))

const successorOf = (key: Timed, keys: readonly Timed[]): Timed | undefined =>
  lineOf(key, keys).find((other) => activeAt(other) > activeAt(key))

/** When a clock ends a key; undefined where it has no successor, or where none ends it. */
function endOf(key: Timed, keys: readonly Timed[], overlap: number): number | undefined {
  const successor = lasting.has(key.use) ? undefined : successorOf(key, keys)
  return successor && activeAt(successor) + overlap
}

export function lifeOf(key: Timed, keys: readonly Timed[], { now, overlap }: Moment): Life {
  const line = lineOf(key, keys)
  // The first of a line has nobody before it: a node whose clock is behind uses it all the same.
  const active = line.findLast((one) => activeAt(one) <= now) ?? line[0]
  if (key === active) return { state: 'active' }
  if (activeAt(key) > now) return { state: 'next' }
  const until = endOf(key, keys, overlap)
  return until === undefined ? { state: 'retired' } : { state: now < until ? 'retired' : 'gone', until }
}

/** When the state of a key changes next; undefined where none will. */
export function nextChange(keys: readonly Timed[], { now, overlap }: Moment): number | undefined {
  const begins = keys.filter((key) => lineOf(key, keys)[0] !== key).map(activeAt)
  const ends = keys.flatMap((key) => endOf(key, keys, overlap) ?? [])
  const ahead = [...begins, ...ends].filter((time) => time > now)
  return ahead.length === 0 ? undefined : Math.min(...ahead)
}

const order: readonly KeyState[] = ['active', 'next', 'retired']

/** The active one first, then those to come, then the old ones, the newest first. */
export function inOrder<Entry extends { readonly state: KeyState; readonly key: Timed }>(entries: readonly Entry[]) {
  return [...entries].sort(
    (one, other) => order.indexOf(one.state) - order.indexOf(other.state) || activeAt(other.key) - activeAt(one.key),
  )
}

/** What is wrong with the turns of these keys, in sentences; nothing where every needed line has its active key. */
export function faultsOfTurns(keys: readonly Timed[], needed: readonly Pick<Timed, 'use' | 'alg'>[]) {
  const faults: string[] = []
  for (const line of needed) {
    const turns = lineOf(line, keys)
    const name = `${line.use} ${line.alg}`
    if (turns.length === 0) faults.push(`has no active key for ${name}`)
    if (new Set(turns.map(activeAt)).size < turns.length) faults.push(`has two keys for ${name} active from one moment`)
  }
  return faults
}
