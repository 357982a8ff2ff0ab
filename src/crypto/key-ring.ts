/**
 * The keys of a running server: follows the key file and the clock, so that a key is added, activated, retired or gone
 * without a restart. A faulty file is reported once and changes nothing: the keys that run stay.
 */
import { statSync } from 'node:fs'
import { kekSource, openKek, type Kek } from './kek.ts'
import { keyFileIn, readKeyFile, readUnproven, type KeyFile } from './key-file.ts'
import { nextChange, overlapMs } from './key-life.ts'
import { refuseOrigin, type KeyConfig, type Surroundings } from './key-store.ts'
import type { KeyRing } from './keys.ts'
import { openKeys } from './open-keys.ts'

export interface FileKeyRing extends KeyRing {
  /** Looks at file and clock now, instead of within two seconds. */
  look(): Promise<void>
}

interface Watching extends Surroundings {
  /** Told of a file that cannot be taken up. */
  readonly onFault: (error: unknown) => void
}

/** A key file and what it is sealed under. */
interface Sealed {
  readonly file: KeyFile
  readonly kek: Kek
}

const lookEveryMs = 2_000

/** @throws AppError `key_invalid` naming the file, what is wrong with it and what to do */
export async function openKeyRing(
  config: KeyConfig,
  { env = {}, now = Date.now, onFault }: Watching,
): Promise<FileKeyRing> {
  const { directory } = config.keys
  const overlap = overlapMs(config)
  const listeners: (() => void)[] = []
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const source = kekSource(config.keys)
  const watched = [keyFileIn(directory), ...('file' in source ? [source.file] : [])]
  /** Tells whether the key file, or its KEK, is another than before. */
  const markOf = (): string =>
    watched
      .map((file) => statSync(file, { throwIfNoEntry: false }))
      .map((stat) => (stat ? `${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.size}` : ''))
      .join()

  /** A file that is sealed anew names another KEK: it may stand where the settings say by now. */
  const read = async (known?: Kek): Promise<Sealed> => {
    const { kek: id } = readUnproven(directory)
    const kek = known?.id === id ? known : await openKek(source, env)
    const file = readKeyFile(directory, kek)
    refuseOrigin(directory, file, config.environment)
    return { file, kek }
  }

  const opened = async ({ file, kek }: Sealed) => {
    const moment = { now: now(), overlap }
    const keys = await openKeys(directory, file, kek, moment)
    return { file, kek, keys, at: moment.now, changesAt: nextChange(file.keys, moment) ?? Infinity }
  }

  let mark = markOf()
  let held = await opened(await read())

  const openAnew = async (): Promise<typeof held | undefined> => {
    try {
      return await opened(await read(held.kek))
    } catch (error) {
      onFault(error)
      return undefined
    }
  }

  const takeUp = async (): Promise<void> => {
    const seen = markOf()
    const fresh = seen === mark ? undefined : await openAnew()
    mark = seen
    const at = now()
    if (!fresh && at >= held.at && at < held.changesAt) return
    // While the file is faulty, the keys that were taken up go on with their lives.
    held = fresh ?? (await opened(held))
    for (const listener of listeners) listener()
  }

  const look = (): Promise<void> =>
    (looking ??= takeUp().finally(() => {
      looking = undefined
    }))

  /** Every two seconds, and at the very moment at which a key's state changes. */
  const again = (): void => {
    if (closed) return
    const wait = Math.min(lookEveryMs, Math.max(held.changesAt - now(), 1))
    timer = setTimeout(() => void look().catch(onFault).finally(again), wait)
    timer.unref()
  }
  again()

  return {
    current: () => held.keys,
    onChange: (listener) => void listeners.push(listener),
    look,
    async close() {
      closed = true
      clearTimeout(timer)
      await looking?.catch(() => undefined)
    },
  }
}
