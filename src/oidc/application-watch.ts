/**
 * Keeps the store in step with the application files: seeds it at the start and again whenever a file changes, so that
 * an application is added, changed or suspended without a restart. A faulty file is reported and changes nothing.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import { directoryMark, readApplications } from './application-files.ts'
import type { ApplicationInput, ApplicationPolicy } from './application.ts'
import type { Applications } from './applications.ts'

interface Dependencies {
  readonly applications: Applications
  readonly recorder: Recorder
  readonly directory: string
  readonly policy: Omit<ApplicationPolicy, 'now'>
  readonly prepare?: (input: unknown) => unknown
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}

const lookEveryMs = 2_000

/** Writes what is new or changed, each with its record in the audit trail. */
export async function seedApplications(
  list: readonly ApplicationInput[],
  { applications, recorder }: Pick<Dependencies, 'applications' | 'recorder'>,
): Promise<void> {
  for (const { id, suspended } of await applications.seed(list)) {
    await recorder.record({ type: 'application.seeded', outcome: 'ok', application: id, facts: { suspended } })
  }
}

/** Seeds, and follows the directory until stopped. @throws AppError `config_invalid` when a file is faulty at the start */
export async function followApplicationFiles(deps: Dependencies): Promise<{ stop(): void }> {
  const { directory, policy, prepare, now, onFault } = deps
  let mark = directoryMark(directory)
  let working = false

  const take = (): Promise<void> =>
    seedApplications(readApplications(directory, { ...policy, now: now() }, prepare), deps)

  const look = async (): Promise<void> => {
    const seen = directoryMark(directory)
    if (working || seen === mark) return
    working = true
    // A file that stays faulty is reported once, not at every look.
    mark = seen
    await take().finally(() => (working = false))
  }

  await take()
  const timer = setInterval(() => void look().catch(onFault), lookEveryMs)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
