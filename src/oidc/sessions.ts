/**
 * The sessions of a citizen, seen and ended one by one or all together: each application is told by a logout notice,
 * and the grants it held are revoked (OpenID Connect Back-Channel Logout 1.0; PIPL 15 for withdrawal).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Client } from 'oidc-provider'
import { levelOfAcr, type Level } from '#src/identity/assurance.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { sessionEnded } from './adapter.ts'
import type { ClaimEnds } from './claim-ends.ts'
import type { SharedSessions } from './shared-sessions.ts'
import type { Engine } from './engine.ts'

export interface CitizenSession {
  readonly uid: string
  /** Seconds. */
  readonly since: number
  readonly level: Level
  readonly amr: readonly string[]
  /** Ids of the applications signed in to. */
  readonly applications: readonly string[]
  readonly expiresAt: number
}

export interface CurrentSession {
  readonly accountId: string
  readonly uid: string
  readonly level: Level
  /** Seconds; when he signed in. */
  readonly since: number
}

export interface Sessions {
  /** The session this browser holds, or undefined where nobody is signed in. */
  current(request: IncomingMessage, response: ServerResponse): Promise<CurrentSession | undefined>
  of(accountId: string): Promise<readonly CitizenSession[]>
  /** Ends the session of that uid, or all of them, and says how many ended. */
  end(accountId: string, uid?: string): Promise<number>
  /** Ends every session below a level, and those about to begin: the account was reclaimed by a proof of that level. */
  endBelow(accountId: string, level: Level): Promise<void>
  /** Ends what one application holds in every session: its grants and tokens. */
  leave(accountId: string, application: string): Promise<void>
}

/** The engine's session as it is stored. */
interface StoredSession {
  readonly jti: string
  readonly uid: string
  readonly loginTs?: number
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly authorizations?: Readonly<Record<string, { readonly sid?: string; readonly grantId?: string }>>
}

interface Dependencies {
  readonly artifacts: SealedArtifacts
  readonly engine: Engine
  readonly claimEnds: ClaimEnds
  readonly sharedSessions: Pick<SharedSessions, 'began'>
  /** Stores a logout notice in the outbox. */
  readonly notify: (client: Client, accountId: string, sid: string | undefined) => Promise<void>
}

const kind = 'Session'
/** Longer than a session rolls on. */
const markGraceMs = 7 * 86_400_000

export function createSessions({ artifacts, engine, claimEnds, sharedSessions, notify }: Dependencies): Sessions {
  const stored = (accountId: string) => artifacts.byAccount<StoredSession>(kind, accountId)

  const leaveAll = async (accountId: string, { authorizations = {} }: StoredSession): Promise<void> => {
    for (const [id, { sid, grantId }] of Object.entries(authorizations)) {
      const client = await engine.current().Client.find(id)
      if (client?.backchannelLogoutUri) await notify(client, accountId, sid)
      if (grantId) await artifacts.removeByGrant(grantId)
    }
  }

  return {
    async current(request, response) {
      const provider = engine.current()
      const session = await provider.Session.get(provider.createContext(request, response) as never)
      const { accountId, uid, acr, loginTs = 0 } = session
      const isOver = (await claimEnds.ended(session)) || (await sharedSessions.began(session))
      return accountId === undefined || isOver
        ? undefined
        : { accountId, uid, level: levelOfAcr(acr ?? '') ?? 1, since: loginTs }
    },

    async of(accountId) {
      const all = await stored(accountId)
      const ended = await Promise.all(all.map(({ value }) => claimEnds.ended({ ...value, accountId })))
      const standing = all.filter((_, at) => !ended[at])
      return standing.map(({ value, expiresAt }) => ({
        uid: value.uid,
        since: value.loginTs ?? 0,
        level: levelOfAcr(value.acr ?? '') ?? 1,
        amr: value.amr ?? [],
        applications: Object.entries(value.authorizations ?? {}).flatMap(([id, { grantId }]) => (grantId ? [id] : [])),
        expiresAt,
      }))
    },

    async end(accountId, uid) {
      const ending = (await stored(accountId)).filter(({ value }) => uid === undefined || value.uid === uid)
      for (const { value, expiresAt } of ending) {
        await artifacts.spend(sessionEnded, value.uid, expiresAt + markGraceMs)
        // What a request in flight has added until then ends as well.
        const last = (await artifacts.byUid<StoredSession>(kind, value.uid))?.value ?? value
        await leaveAll(accountId, last)
        await artifacts.remove(kind, last.jti)
      }
      return ending.length
    },

    async endBelow(accountId, level) {
      await claimEnds.mark(accountId, level)
      for (const { value, expiresAt } of await stored(accountId)) {
        if ((levelOfAcr(value.acr ?? '') ?? 1) >= level) continue
        await leaveAll(accountId, value)
        // Ended by its mark, the row stays: the owner may be at this browser, and the engine would break off his sign-in.
        const { authorizations: _, ...rest } = value
        await artifacts.put(kind, value.jti, rest, { expiresAt, uid: value.uid, account: accountId })
      }
    },

    async leave(accountId, application) {
      for (const { value } of await stored(accountId)) {
        const grantId = value.authorizations?.[application]?.grantId
        if (grantId) await artifacts.removeByGrant(grantId)
      }
    },
  }
}
