/**
 * From the key file and its KEK to the keys that the rooms use, without the server: commands and the key daemon call it
 * too. What others can read, what is damaged, foreign or changed, and what was made for development is refused where it
 * must not be, each with what to do (DESIGN D17).
 */
import { existsSync, mkdirSync } from 'node:fs'
import type { Config } from '#src/config.ts'
import { kekSource, makeKek, openKek, placeOf, type Environment, type Kek, type KekSource } from './kek.ts'
import { keyLines, newEntry, publicKeysOf, resealed } from './key-entry.ts'
import {
  keyFileIn,
  makeKeyFile,
  readKeyFile,
  readUnproven,
  refused,
  replaceKeyFile,
  unsealedFiles,
} from './key-file.ts'
import type { KeyEntry, KeyFile, KeyOrigin } from './key-file.ts'
import { overlapMs, type Moment } from './key-life.ts'
import type { Keys } from './keys.ts'
import { openKeys } from './open-keys.ts'
import type { PublicJwk } from './signer.ts'

/** What of the settings decides on keys. */
export type KeyConfig = Pick<Config, 'environment' | 'keys' | 'tokens' | 'channels'>
export type KeyPlace = Pick<Config['keys'], 'directory' | 'kek'>

/** What is not in the settings: the environment of the process, and the clock. */
export interface Surroundings {
  readonly env?: Environment
  readonly now?: () => number
}

/**
 * Makes the keys of a node, and a KEK that is a file, where neither is there; leaves them alone where the keys are.
 * @param origin `development` for keys that production will refuse
 * @returns the files made
 * @throws AppError `key_invalid`
 */
export async function createKeys(
  place: KeyPlace,
  origin: KeyOrigin,
  { env = {}, now = Date.now }: Surroundings = {},
): Promise<readonly string[]> {
  const { directory } = place
  if (existsSync(keyFileIn(directory))) return []
  if (unsealedFiles(directory).length > 0) readUnproven(directory)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const madeKek = makeKek(kekSource(place))
  const kek = await openKek(kekSource(place), env)
  const at = new Date(now()).toISOString()
  const keys: KeyEntry[] = []
  for (const line of keyLines) keys.push(await newEntry(line, { created: at, activeFrom: at }, keys, kek))
  const made = makeKeyFile(directory, { origin, keys }, kek)
  return [...(madeKek === undefined ? [] : [madeKek]), ...(made ? [keyFileIn(directory)] : [])]
}

const momentOf = (config: KeyConfig, now: () => number): Moment => ({ now: now(), overlap: overlapMs(config) })

/** @throws AppError `key_invalid` where production would take what was made for development */
export function refuseOrigin(directory: string, { origin }: KeyFile, environment: Config['environment']): void {
  if (environment === 'production' && origin === 'development')
    throw refused(directory, 'was made for development; move it away and run: npm run keys -- create')
}

/** The keys as they are now. @throws AppError `key_invalid` naming the file, what is wrong with it and what to do */
export async function loadKeys(config: KeyConfig, { env = {}, now = Date.now }: Surroundings = {}): Promise<Keys> {
  const { directory } = config.keys
  // The file first: without one there is nothing to ask a KEK for.
  readUnproven(directory)
  const kek = await openKek(kekSource(config.keys), env)
  const file = readKeyFile(directory, kek)
  refuseOrigin(directory, file, config.environment)
  return openKeys(directory, file, kek, momentOf(config, now))
}

/**
 * Changes the key file. Nothing is written where the changed one would not open. The caller holds the lock.
 * @throws AppError `key_invalid`
 */
export async function changeKeys(
  config: KeyConfig,
  change: (file: KeyFile, kek: Kek) => KeyFile | Promise<KeyFile>,
  { env = {}, now = Date.now }: Surroundings = {},
): Promise<KeyFile> {
  const { directory } = config.keys
  readUnproven(directory)
  const kek = await openKek(kekSource(config.keys), env)
  const changed = await change(readKeyFile(directory, kek), kek)
  await openKeys(directory, changed, kek, momentOf(config, now))
  replaceKeyFile(directory, changed, kek)
  return changed
}

/**
 * Seals every key anew under another KEK, which is made where it is a file that is not there. The caller holds the lock.
 * @returns the file of the new KEK, where one was made
 * @throws AppError `key_invalid`; the file is as it was then
 */
export async function resealKeys(
  config: KeyConfig,
  to: KekSource,
  { env = {}, now = Date.now }: Surroundings = {},
): Promise<string | undefined> {
  const { directory } = config.keys
  const from = await openKek(kekSource(config.keys), env)
  const file = readKeyFile(directory, from)
  await openKeys(directory, file, from, momentOf(config, now))
  const made = makeKek(to)
  const kek = await openKek(to, env)
  if (kek.id === from.id) throw refused(directory, `is sealed under the key of ${placeOf(to)} already`)
  const keys = file.keys.map((entry) => resealed(entry, from, kek))
  await openKeys(directory, { ...file, keys }, kek, momentOf(config, now))
  replaceKeyFile(directory, { ...file, keys }, kek)
  return made
}

/** The public keys that verify checkpoints, old ones included, and tokens. They are not proven: the KEK is not asked. */
export function publicKeys(directory: string): {
  readonly audit: readonly PublicJwk[]
  readonly signing: readonly PublicJwk[]
} {
  const { keys } = readUnproven(directory)
  return { audit: publicKeysOf(keys, 'audit'), signing: publicKeysOf(keys, 'sig') }
}
