/** The commands of `npm run keys` that look at the lives of keys and change them. No private key is ever printed. */
import { parseConfig, type Config } from '../config.ts'
import type { KekSource } from '../crypto/kek.ts'
import { kekSource, openKek, placeOf } from '../crypto/kek.ts'
import { listKeys, withNext, withoutKey, type ListedKey, type StillUnder } from '../crypto/key-change.ts'
import { checkKeys } from '../crypto/key-check.ts'
import { keyLines, type KeyLine } from '../crypto/key-entry.ts'
import { readKeyFile, readUnproven, type KeyFile } from '../crypto/key-file.ts'
import { isPublished, overlapMs, takeUpSeconds, type Moment } from '../crypto/key-life.ts'
import { changeKeys, resealKeys } from '../crypto/key-store.ts'
import { UsageError, type Edge } from './edge.ts'
import { holdingKeyLock } from './key-lock.ts'

/** What the commands are given. */
export interface Turn {
  readonly config: Config
  readonly edge: Edge
  readonly now: number
  readonly stillUnder: StillUnder | undefined
}

const momentOf = ({ config, now }: Turn): Moment => ({ now, overlap: overlapMs(config) })
const shown = (time: number | string) => new Date(time).toISOString()

function changing(turn: Turn, change: Parameters<typeof changeKeys>[1]): Promise<KeyFile> {
  const { config, edge, now } = turn
  const { directory } = config.keys
  readUnproven(directory)
  return holdingKeyLock(directory, () => changeKeys(config, change, { env: edge.env, now: () => now }))
}

const namesOf = (lines: readonly KeyLine[], member: 'use' | 'alg') => lines.map((line) => line[member]).join(', ')

/** The keys of a word: `audit`, `wrapping` …; without one, those that sign tokens or open tokens to us. */
function linesOf(what: string | undefined, alg: string | undefined): readonly KeyLine[] {
  const rotated = keyLines.filter(({ use }) => use !== 'pairwise' && use !== 'rows')
  const tokens = (use: string) => use === 'sig' || use === 'enc'
  const lines =
    what === undefined
      ? rotated.filter((line) => tokens(line.use) && (alg === undefined || line.alg === alg))
      : rotated.filter((line) => !tokens(line.use) && line.use === what && alg === undefined)
  if (lines.length > 0) return lines
  if (what === undefined)
    throw new UsageError(
      `--alg takes one of ${namesOf(
        rotated.filter(({ use }) => tokens(use)),
        'alg',
      )}`,
    )
  const others = namesOf(
    rotated.filter(({ use }) => !tokens(use)),
    'use',
  )
  throw new UsageError(`what else is rotated is one of ${others}; --alg chooses among the keys of tokens alone`)
}

const emergency =
  'An application that fetched the keys before meets an unknown key id: one that then fetches them anew goes on (many libraries do so at most once a minute), any other refuses sign-ins until its copy runs out.'

export async function rotate(
  turn: Turn,
  what: string | undefined,
  { alg, after }: { readonly alg: string | undefined; readonly after: string | undefined },
): Promise<number> {
  const { config, edge } = turn
  const lines = linesOf(what, alg)
  if (after !== undefined && !/^\d{1,9}$/.test(after)) throw new UsageError('--after takes whole seconds')
  const published = lines.some(({ use }) => isPublished(use))
  const seconds = after === undefined ? (published ? config.keys.publishAhead : takeUpSeconds) : Number(after)
  let before = new Set<string>()
  const changed = await changing(turn, (file, kek) => {
    before = new Set(file.keys.map(({ kid }) => kid))
    return withNext(file, kek, lines, seconds, momentOf(turn))
  })
  for (const { kid, use, alg: name, activeFrom } of changed.keys.filter((key) => !before.has(key.kid)))
    edge.out(`added    ${kid} (${use} ${name}), active from ${activeFrom}`)
  if (published && seconds < config.keys.publishAhead) edge.out(emergency)
  edge.out(
    'Running servers take it up within seconds. Copy the key file to every other node before that time, and back it up.',
  )
  return 0
}

export async function retire(turn: Turn, kid: string, atOnce: boolean): Promise<number> {
  const { edge, stillUnder } = turn
  await changing(turn, (file) => withoutKey(file, kid, { atOnce, stillUnder, ...momentOf(turn) }))
  edge.out(`retired  ${kid}`)
  edge.out('Running servers take it up within seconds. Copy the key file to every other node, and back it up.')
  return 0
}

function argumentsIn(command: string): [string, ...string[]] {
  try {
    return JSON.parse(command) as [string, ...string[]]
  } catch (cause) {
    throw new UsageError('--kek-command takes a JSON list: the program and its arguments', { cause })
  }
}

/** The KEK that exactly one of the options names. */
export function kekNamed(values: Readonly<Record<string, string | boolean | undefined>>): KekSource {
  const { 'kek-file': file, 'kek-environment': environment, 'kek-command': command } = values
  const named = [
    ...(typeof file === 'string' ? [{ file }] : []),
    ...(typeof environment === 'string' ? [{ environment }] : []),
    ...(typeof command === 'string' ? [{ command: argumentsIn(command) }] : []),
  ]
  const [one] = named
  if (!one || named.length > 1)
    throw new UsageError('name exactly one of --kek-file, --kek-environment and --kek-command')
  return one
}

export async function reseal(turn: Turn, to: KekSource): Promise<number> {
  const { config, edge, now } = turn
  const { directory } = config.keys
  // What the settings will have to say from now on must be what they may say.
  parseConfig({ ...config, keys: { ...config.keys, kek: to } })
  readUnproven(directory)
  const made = await holdingKeyLock(directory, () => resealKeys(config, to, { env: edge.env, now: () => now }))
  if (made !== undefined) edge.out(`made     ${made}`)
  edge.out(`sealed   ${directory} under ${placeOf(to)}`)
  edge.out(
    `Name it in keys.kek now, on every node that gets this key file; a server that runs goes on with the keys it has.`,
  )
  edge.out(
    `Older backups of the keys still need ${placeOf(kekSource(config.keys))}: back the keys up, then destroy both.`,
  )
  return 0
}

function line({ kid, use, alg, state, created, activeFrom, until }: ListedKey): string {
  const times = [`created ${created}`, `active from ${activeFrom}`, ...(until ? [`until ${shown(until)}`] : [])]
  return `${state.padEnd(8)} ${use.padEnd(8)} ${alg.padEnd(12)} ${kid}  ${times.join(', ')}`
}

export async function list(turn: Turn, json: boolean): Promise<number> {
  const { config, edge } = turn
  const { directory } = config.keys
  readUnproven(directory)
  const file = readKeyFile(directory, await openKek(kekSource(config.keys), edge.env))
  const keys = listKeys(file, momentOf(turn))
  if (json) {
    const plain = keys.map(({ until, ...key }) => ({ ...key, ...(until ? { until: shown(until) } : {}) }))
    edge.out(JSON.stringify(plain, null, 2))
  } else for (const key of keys) edge.out(line(key))
  return 0
}

/** 0 good, 1 something should be seen to, 2 the server would not start. */
export async function check({ config, edge, now }: Turn): Promise<number> {
  const { faults, cautions } = await checkKeys(config, { env: edge.env, now: () => now })
  for (const fault of faults) edge.err(`FAULT    ${fault}`)
  for (const caution of cautions) edge.err(`caution  ${caution}`)
  if (faults.length > 0) return 2
  edge.out('good: every key opens, its halves belong together, and every algorithm has its active key')
  return cautions.length > 0 ? 1 : 0
}
