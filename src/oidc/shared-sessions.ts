/**
 * Sessions that began at a device of everybody's, a self-service terminal: each serves the one request it was made for,
 * whoever stands there next, and neither another application nor the citizen's own page.
 */
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

interface Began {
  readonly accountId?: string | undefined
  readonly loginTs?: number | undefined
}

export interface SharedSessions {
  /** @param at seconds, as the session will have it; @param lifetime seconds */
  mark(accountId: string, at: number, lifetime: number): Promise<void>
  began(session: Began): Promise<boolean>
}

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put'>
  /** Whether any channel is shared: else nothing is looked up. */
  readonly any: boolean
}

const kind = 'SharedSignIn'
const idOf = (accountId: string, at: number) => `${accountId}|${at}`

export function createSharedSessions({ artifacts, any }: Dependencies): SharedSessions {
  return {
    async mark(accountId, at, lifetime) {
      const expiresAt = (at + lifetime + 3600) * 1000
      await artifacts.put(kind, idOf(accountId, at), true, { expiresAt, account: accountId })
    },
    async began({ accountId, loginTs }) {
      if (!any || accountId === undefined || loginTs === undefined) return false
      return (await artifacts.get(kind, idOf(accountId, loginTs))) !== undefined
    },
  }
}
