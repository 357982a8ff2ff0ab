/**
 * The sessions of a citizen, seen and ended one by one or all together: each application is told by a logout notice,
 * and the grants it held are revoked (OpenID Connect Back-Channel Logout 1.0; PIPL 15 for withdrawal).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Client, Provider } from 'oidc-provider'
import { levelOfAcr, type Level } from '#src/identity/assurance.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

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
}

export interface Sessions {
  /** The session this browser holds, or undefined where nobody is signed in. */
  current(request: IncomingMessage, response: ServerResponse): Promise<CurrentSession | undefined>
  of(accountId: string): Promise<readonly CitizenSession[]>
  /** Ends the session of that uid, or all of them, and says how many ended. */
  end(accountId: string, uid?: string): Promise<number>
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
  readonly provider: Provider
  /** Stores a logout notice in the outbox. */
  readonly notify: (client: Client, accountId: string, sid: string | undefined) => Promise<void>
}

const kind = 'Session'

export function createSessions({ artifacts, provider, notify }: Dependencies): Sessions {
  const stored = (accountId: string) => artifacts.byAccount<StoredSession>(kind, accountId)

  const endOne = async (accountId: string, { jti, authorizations = {} }: StoredSession): Promise<void> => {
    for (const [id, { sid, grantId }] of Object.entries(authorizations)) {
      const client = await provider.Client.find(id)
      if (client?.backchannelLogoutUri) await notify(client, accountId, sid)
      if (grantId) await artifacts.removeByGrant(grantId)
    }
    await artifacts.remove(kind, jti)
  }

  return {
    async current(request, response) {
      const { accountId, uid, acr } = await provider.Session.get(provider.createContext(request, response) as never)
      return accountId === undefined ? undefined : { accountId, uid, level: levelOfAcr(acr ?? '') ?? 1 }
    },

    async of(accountId) {
      return (await stored(accountId)).map(({ value, expiresAt }) => ({
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
      for (const { value } of ending) await endOne(accountId, value)
      return ending.length
    },

    async leave(accountId, application) {
      for (const { value } of await stored(accountId)) {
        const grantId = value.authorizations?.[application]?.grantId
        if (grantId) await artifacts.removeByGrant(grantId)
      }
    },
  }
}
