/**
 * When the claim on an account ended (DESIGN D8): its owner proved himself at a level, and whoever had signed in before
 * below it is out, also with a sign-in that was concluded by then and is only now carried to the engine.
 */
import { levelOfAcr, type Level } from '#src/identity/assurance.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

export interface ClaimEnds {
  mark(accountId: string, below: Level): Promise<void>
  /** Did this session begin before the claim ended, and below the proof that ended it? */
  ended(session: {
    readonly accountId?: string | undefined
    readonly acr?: string | undefined
    readonly loginTs?: number | undefined
  }): Promise<boolean>
}

interface Dependencies {
  readonly artifacts: SealedArtifacts
  readonly now?: () => number
}

interface Mark {
  readonly at: number
  readonly below: Level
}

const kind = 'ClaimEnd'
/** Longer than any session or attempt that began before. */
const keptMs = 366 * 86_400_000

export function createClaimEnds({ artifacts, now = Date.now }: Dependencies): ClaimEnds {
  return {
    async mark(accountId, below) {
      const at = now()
      const mark: Mark = { at, below }
      await artifacts.put(kind, accountId, mark, { expiresAt: at + keptMs, account: accountId })
    },

    async ended({ accountId, acr, loginTs }) {
      const mark = accountId === undefined ? undefined : (await artifacts.get<Mark>(kind, accountId))?.value
      if (!mark) return false
      return (levelOfAcr(acr ?? '') ?? 1) < mark.below && (loginTs ?? 0) * 1000 <= mark.at
    },
  }
}
