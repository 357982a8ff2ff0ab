/** What a renewal of keys tells of itself: counts for the log, and audit records before its first row and after its last. */
import type { Recorder } from '#src/audit/recorder.ts'
import type { Dependence } from '#src/storage/storage.ts'

export type RenewalStage = 'begun' | 'goes on' | 'interrupted' | 'ended'

export interface RenewalCount {
  /** People's rows, and data keys of the store's own, that were renewed. */
  readonly people: number
  readonly dataKeys: number
  /** Rows that could not be, because they were changed outside or their key is not here. */
  readonly failed: number
}

export interface RenewalProgress extends RenewalCount {
  readonly on: Dependence
  readonly stage: RenewalStage
}

export interface RenewalTelling {
  readonly recorder: Pick<Recorder, 'record'>
  readonly onProgress: (progress: RenewalProgress) => void
  readonly now: () => number
}

export interface RenewalAccount {
  readonly on: Dependence
  add(to: keyof RenewalCount): void
  /** To be awaited before a row is written; records the beginning once. */
  begin(): Promise<void>
  /** Tells how far it is, each few seconds at most. */
  goOn(): void
  end(stage: 'interrupted' | 'ended'): Promise<void>
}

const everyMs = 5_000
const types = { wrapping: 'keys.rewrapped', indexes: 'keys.reindexed' } as const

/** Gives the account of one pass. @returned function's `from`: the wrapping keys or index versions that are left behind */
export function createRenewalAccounts({ recorder, onProgress, now }: RenewalTelling) {
  const lastFailed: Record<Dependence, number> = { wrapping: 0, indexes: 0 }

  return (on: Dependence, from: readonly string[]): RenewalAccount => {
    const count = { people: 0, dataKeys: 0, failed: 0 }
    let begun: Promise<void> | undefined
    let told = now()

    const tell = (stage: RenewalStage): void => {
      told = now()
      onProgress({ on, stage, ...count })
    }
    const record = (stage: RenewalStage, facts: Readonly<Record<string, number | readonly string[]>>) =>
      recorder.record({ type: types[on], outcome: count.failed > 0 ? 'failed' : 'ok', facts: { stage, ...facts } })

    return {
      on,
      add: (to) => void (count[to] += 1),
      begin: () => (begun ??= record('begun', { from }).then(() => tell('begun'))),
      goOn() {
        if (now() - told >= everyMs) tell('goes on')
      },
      async end(stage) {
        if (begun) await record(stage, count)
        // What fails, fails at each pass: it is told when it changes.
        if (begun || count.failed !== lastFailed[on]) tell(stage)
        lastFailed[on] = count.failed
      },
    }
  }
}
