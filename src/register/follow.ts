/**
 * Follows the register's feed of changes in the background: batch by batch, the cursor kept in the store behind each, so
 * that a crash repeats at most one batch and loses none. What applies a change must bear being told twice.
 */
import { isAppError } from '#src/errors.ts'
import type { PopulationRegister, RegisterChange } from '#src/identity/registry.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

export interface RegisterFollower {
  /** Follows one batch now and says whether there is more; what fails is told and left for the next time. */
  follow(): Promise<boolean>
  /** Lets the change at hand be finished and begins no other. */
  stop(): Promise<void>
}

interface Dependencies {
  readonly register: Pick<PopulationRegister, 'name' | 'changes'>
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'remove'>
  readonly cursorKind: string
  readonly apply: (change: RegisterChange) => Promise<void>
  /** Between two batches; after a full one the next follows at once. */
  readonly everyMs: number
  /** Told of the first failure in a row. */
  readonly onFault: (error: unknown) => void
}

const limit = 200
const backlogPauseMs = 100

/** Follows until it is stopped, the first time at once. */
export function followRegister(deps: Dependencies): RegisterFollower {
  const { register, artifacts, cursorKind, apply, everyMs, onFault } = deps
  const stopping = Promise.withResolvers<undefined>()
  let stopped = false
  let failing = false
  let running: Promise<boolean> | undefined
  let timer: NodeJS.Timeout | undefined

  const batch = async (): Promise<boolean> => {
    const after = (await artifacts.get<string>(cursorKind, register.name))?.value
    const answer = await Promise.race([register.changes(after, limit), stopping.promise])
    for (const change of answer?.changes ?? []) {
      if (stopped) return false
      await apply(change)
    }
    if (!answer || answer.cursor === after) return false
    await artifacts.put(cursorKind, register.name, answer.cursor, { expiresAt: Number.MAX_SAFE_INTEGER })
    return answer.changes.length === limit
  }

  const guarded = async (): Promise<boolean> => {
    try {
      const more = await batch()
      failing = false
      return more
    } catch (error) {
      if (!failing) onFault(error)
      failing = true
      // A register that does not know its own cursor is another one: from its first change on, which is borne twice.
      if (isAppError(error, 'bad_request')) await artifacts.remove(cursorKind, register.name).catch(onFault)
      return false
    }
  }

  const follow = (): Promise<boolean> =>
    (running ??= guarded().finally(() => {
      running = undefined
    }))

  const inBackground = async (): Promise<void> => {
    const more = await follow()
    if (stopped) return
    timer = setTimeout(() => void inBackground(), more ? backlogPauseMs : everyMs)
    timer.unref()
  }
  void inBackground()

  return {
    follow,
    async stop() {
      stopped = true
      clearTimeout(timer)
      stopping.resolve(undefined)
      await running
    },
  }
}
