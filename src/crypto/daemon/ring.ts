/** The `KeyRing` of a server whose keys stand in the key daemon: nothing here opens a key file. */
import { isDeepStrictEqual } from 'node:util'
import { AppError, isAppError } from '#src/errors.ts'
import type { KeyRing, Keys } from '../keys.ts'
import { descriptionSchema, remoteKeys, type Description } from './description.ts'
import { createLink } from './link.ts'
import { WireFault } from './wire.ts'

export interface DaemonRing extends KeyRing {
  /** False while the daemon has not answered for as long as a question may take. */
  healthy(): boolean
}

export interface DaemonSettings {
  /** Path of the daemon's socket. */
  readonly socket: string
  /** How long a question may take. */
  readonly timeoutMs: number
  /** How long the daemon may take to be there at the start. */
  readonly startMs?: number
  /** Questions under way at once. */
  readonly outstanding?: number
  /** The daemon was lost, or says what cannot be understood; once for each time. */
  readonly onFault?: (error: unknown) => void
}

/** @throws AppError `key_unavailable` where no daemon answers in time, `config_invalid` where others get at its socket */
export async function openDaemonRing(settings: DaemonSettings): Promise<DaemonRing> {
  const { socket, timeoutMs, startMs = 10_000, outstanding = 1024, onFault } = settings
  const listeners: (() => void)[] = []
  let known: Description | undefined
  let keys: Keys | undefined
  let fault: unknown
  const first = Promise.withResolvers<void>()

  const link = createLink({
    ...{ socket, timeoutMs, outstanding },
    onFault(error) {
      fault = error
      onFault?.(error)
      if (isAppError(error, 'config_invalid')) first.reject(error)
    },
    onKeys(described) {
      const description = descriptionSchema.safeParse(described)
      if (!description.success)
        throw new WireFault('the key daemon describes its keys in another way; restart the older program')
      if (isDeepStrictEqual(description.data, known)) return
      known = description.data
      keys = remoteKeys(known, link.ask)
      first.resolve()
      for (const listener of listeners) listener()
    },
  })

  const patience = setTimeout(() => first.reject(notThere(socket, fault)), startMs)
  await first.promise.catch((error: unknown) => {
    link.close()
    throw error
  })
  clearTimeout(patience)

  return {
    current: () => keys as Keys,
    onChange: (listener) => void listeners.push(listener),
    healthy: link.healthy,
    close: async () => link.close(),
  }
}

function notThere(socket: string, cause: unknown): AppError {
  const why = isAppError(cause) ? (cause.detail ?? '') : `nothing is heard at ${socket}`
  const detail = `${why}: start the key daemon (npm run key-daemon) and let this user reach its socket (keys.daemon.socket)`
  return new AppError('key_unavailable', { detail, cause })
}
