/** Looks a node's keys over and says at once everything that is wrong with them, or should be seen to. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { relative } from 'node:path'
import { AppError } from '#src/errors.ts'
import { kekSource, openKek, type Kek } from './kek.ts'
import { isSpent } from './key-change.ts'
import { keyFileIn, readKeyFile, readUnproven, unsealedFiles, type KeyFile } from './key-file.ts'
import { lifeOf, overlapMs } from './key-life.ts'
import { openKeys } from './open-keys.ts'
import { refuseOrigin, type KeyConfig, type Surroundings } from './key-store.ts'

export interface KeyCheck {
  /** For each of these the server does not start. */
  readonly faults: readonly string[]
  /** It starts, and yet somebody should see to these. */
  readonly cautions: readonly string[]
}

/** Left by what was killed while it wrote. */
const leftovers = (directory: string): readonly string[] =>
  readdirSync(directory).filter((name) => name.endsWith('.new'))

function cautionsOf(config: KeyConfig, file: KeyFile | undefined, now: number): readonly string[] {
  const { directory } = config.keys
  const moment = { now, overlap: overlapMs(config) }
  const keys = file?.keys ?? []
  const spent = keys.filter((key) => lifeOf(key, keys, moment).state === 'gone' || isSpent(key, keys, moment))
  const source = kekSource(config.keys)
  const beside = 'file' in source && !relative(directory, source.file).startsWith('..')
  return [
    ...spent.map(({ kid }) => `${kid} is past its time and still in the file; the next rotate takes it out`),
    ...unsealedFiles(directory).map((old) => `${old} holds unsealed keys of an older form; destroy it`),
    ...leftovers(directory).map((name) => `${directory}/${name} was left by a command that was killed; remove it`),
    ...((statSync(directory).mode & 0o022) === 0
      ? []
      : [`${directory} can be written by others; run: chmod 700 on it`]),
    ...(beside ? [`${source.file} stands beside the keys that it opens; production refuses that`] : []),
    ...(file?.origin === 'development'
      ? [`${keyFileIn(directory)} was made for development; production refuses it`]
      : []),
  ]
}

export async function checkKeys(config: KeyConfig, { env = {}, now = Date.now }: Surroundings = {}): Promise<KeyCheck> {
  const { directory } = config.keys
  const faults: string[] = []
  const attempt = async <Result>(work: () => Result | Promise<Result>): Promise<Result | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      faults.push(error.detail ?? error.code)
      return undefined
    }
  }
  const there = await attempt(() => readUnproven(directory))
  // Without a key file there is nothing to ask a KEK for.
  const kek: Kek | undefined = existsSync(keyFileIn(directory))
    ? await attempt(() => openKek(kekSource(config.keys), env))
    : undefined
  const file = there && kek && (await attempt(() => readKeyFile(directory, kek)))
  if (file && kek) {
    await attempt(() => refuseOrigin(directory, file, config.environment))
    await attempt(() => openKeys(directory, file, kek, { now: now(), overlap: overlapMs(config) }))
  }
  return { faults, cautions: there ? cautionsOf(config, there, now()) : [] }
}
