/** What the commands do to the key file, pure but for the new keys: a next key added, an old one taken away. */
import { AppError } from '#src/errors.ts'
import type { Kek } from './kek.ts'
import { keyLines, newEntry, type KeyLine } from './key-entry.ts'
import type { KeyEntry, KeyFile } from './key-file.ts'
import { activeAt, lifeOf, lineOf, type Life, type Moment } from './key-life.ts'

const refuse = (detail: string): never => {
  throw new AppError('key_invalid', { detail })
}

/** Without what is gone; old audit keys stay with their public half, to verify old checkpoints by. */
export function withoutGone(file: KeyFile, moment: Moment): KeyFile {
  const { keys } = file
  const left = keys.filter((key) => lifeOf(key, keys, moment).state !== 'gone')
  return { ...file, keys: left.map((key) => (isSpent(key, keys, moment) ? withoutPrivate(key) : key)) }
}

const withoutPrivate = ({ sealed: _, ...rest }: KeyEntry): KeyEntry => rest

/** Whether an audit key's private half signs nothing on any node any more. */
export function isSpent(key: KeyEntry, keys: readonly KeyEntry[], { now, overlap }: Moment): boolean {
  return (
    key.use === 'audit' &&
    key.sealed !== undefined &&
    lifeOf(key, keys, { now: now - overlap, overlap }).state === 'retired'
  )
}

/**
 * Adds a key to each line, active after a while.
 * @param after seconds
 */
export async function withNext(
  file: KeyFile,
  kek: Kek,
  lines: readonly KeyLine[],
  after: number,
  moment: Moment,
): Promise<KeyFile> {
  const keys = [...withoutGone(file, moment).keys]
  for (const line of lines) {
    const taken = new Set(lineOf(line, keys).map(activeAt))
    let from = moment.now + after * 1000
    // No two keys of a line begin at one moment, or nodes might disagree on which is active.
    while (taken.has(from)) from += 1
    const times = { created: new Date(moment.now).toISOString(), activeFrom: new Date(from).toISOString() }
    keys.push(await newEntry(line, times, keys, kek))
  }
  return { ...file, keys }
}

/** How many things are still under an old wrapping or index key; the store is asked, which this room does not know. */
export type StillUnder = (key: Pick<KeyEntry, 'kid' | 'use'>) => Promise<number>

interface Retiring extends Moment {
  /** The key became known to others. */
  readonly atOnce: boolean
  readonly stillUnder?: StillUnder | undefined
}

/** The command that gives a key its successor. */
const rotating = ({ use, alg }: KeyEntry): string =>
  `npm run keys -- rotate ${use === 'sig' || use === 'enc' ? `--alg ${alg}` : use}`

async function refuseNeeded(key: KeyEntry, stillUnder: StillUnder | undefined): Promise<void> {
  if (!stillUnder)
    return refuse(`${key.kid} may still be needed: nothing here proves that nothing is under it any more`)
  const left = await stillUnder(key)
  if (left > 0) refuse(`${key.kid} is still needed by ${left} rows; wait until none is left`)
}

/**
 * Takes a key away: one that is only next, an old wrapping or index key that nothing is under any more, or one that
 * became known to others.
 * @throws AppError `key_invalid` saying what to do first
 */
export async function withoutKey(file: KeyFile, kid: string, retiring: Retiring): Promise<KeyFile> {
  const { keys } = withoutGone(file, retiring)
  const key = keys.find((one) => one.kid === kid) ?? refuse(`there is no key ${kid}; see: npm run keys -- list`)
  const { state, until } = lifeOf(key, keys, retiring)
  const sealing = key.use === 'wrapping' || key.use === 'index'
  if (key.use === 'pairwise' || key.use === 'rows') refuse(`${kid} is never changed: what it made stays for ever`)
  if (state === 'active' && (sealing || !retiring.atOnce)) refuse(`${kid} is in use; first run: ${rotating(key)}`)
  if (state === 'active') return { ...file, keys: withSuccessor(key, keys, retiring.now) }
  if (sealing) await refuseNeeded(key, retiring.stillUnder)
  if (key.use === 'audit' && state === 'retired')
    return { ...file, keys: keys.map((one) => (one === key ? withoutPrivate(one) : one)) }
  if (until !== undefined && !retiring.atOnce)
    refuse(
      `${kid} verifies what it signed until ${new Date(until).toISOString()} and is gone then; --now ends it at once, and what it signed no longer verifies`,
    )
  return { ...file, keys: keys.filter((one) => one !== key) }
}

/** The key that is next takes the place of one that must not be used any longer. */
function withSuccessor(key: KeyEntry, keys: readonly KeyEntry[], now: number): readonly KeyEntry[] {
  const next = lineOf(key, keys).find((one) => activeAt(one) > activeAt(key))
  if (!next) return refuse(`${key.kid} is the only one of its kind; first run: ${rotating(key)} --after 0`)
  return keys.flatMap((one) => {
    if (one === key) return key.use === 'audit' ? [withoutPrivate(key)] : []
    return one === next ? [{ ...one, activeFrom: new Date(now).toISOString() }] : [one]
  })
}

export interface ListedKey extends Life, Pick<KeyEntry, 'kid' | 'use' | 'alg' | 'created' | 'activeFrom'> {}

/** Every key and where it is in its life, line by line; nothing secret. */
export const listKeys = ({ keys }: KeyFile, moment: Moment): readonly ListedKey[] =>
  keyLines
    .flatMap((line) => lineOf(line, keys))
    .map((key) => {
      const { kid, use, alg, created, activeFrom } = key
      return { kid, use, alg, created, activeFrom, ...lifeOf(key, keys, moment) }
    })
