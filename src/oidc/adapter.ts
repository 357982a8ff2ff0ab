/**
 * The engine's adapter over our storage port. Answers engine traps 1 and 2: codes, refresh tokens and replay marks are
 * spent by a unique insert, and whoever comes second revokes the grant. A session keeps what requests side by side have
 * added to it.
 */
import { errors, type Adapter, type AdapterConstructor, type AdapterPayload } from 'oidc-provider'
import type { Opened, SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { createTurns } from '#src/storage/turns.ts'

interface Dependencies {
  readonly artifacts: SealedArtifacts
  /** Client metadata by client id. */
  readonly findClient: (id: string) => Promise<AdapterPayload | undefined>
  readonly now?: () => number
}

/** Kinds that end together with their grant. */
const grantable = new Set([
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'Grant',
])

/** The mark of a session that has ended, under its uid. */
export const sessionEnded = 'SessionEnded'

/** The engine's payload, with the mark of having been spent where it looks for it. */
function payloadOf(found: Opened<AdapterPayload> | undefined): AdapterPayload | undefined {
  if (!found) return undefined
  const { value, spentAt } = found
  return spentAt === undefined ? value : { ...value, consumed: Math.floor(spentAt / 1000) }
}

/**
 * The engine saves a session as a request has found it, so that of two requests side by side the later would take away
 * what the earlier added: the application signed in to (its tokens would be refused and its logout never told) and the
 * form in which signing out is confirmed.
 */
function joined(session: AdapterPayload, stored: AdapterPayload | undefined): AdapterPayload {
  if (stored?.uid !== session.uid || stored?.accountId !== session.accountId) return session
  const authorizations = { ...stored?.authorizations, ...session.authorizations }
  return { ...session, state: session.state ?? stored?.state, authorizations }
}

export function createAdapter({ artifacts, findClient, now = Date.now }: Dependencies): AdapterConstructor {
  const inTurn = createTurns()
  return class implements Adapter {
    readonly kind: string

    constructor(kind: string) {
      this.kind = kind
    }

    async upsert(id: string, payload: AdapterPayload, expiresIn = 0): Promise<void> {
      const expiresAt = now() + expiresIn * 1000
      if (this.kind === 'ReplayDetection') {
        if (await artifacts.spend(this.kind, id, expiresAt)) return
        throw new errors.InvalidGrant('the assertion or proof was used before')
      }
      if (this.kind !== 'Session') return this.#put(id, payload, expiresAt)
      await inTurn(id, async () => {
        const stored = await artifacts.get<AdapterPayload>(this.kind, id)
        await this.#put(id, joined(payload, stored?.value), expiresAt)
      })
    }

    async #put(id: string, payload: AdapterPayload, expiresAt: number): Promise<void> {
      const grant = this.kind === 'Grant' ? id : payload.grantId
      const session = this.kind === 'Session'
      const written = await artifacts.put(this.kind, id, payload, {
        expiresAt,
        grant: grantable.has(this.kind) ? grant : undefined,
        uid: payload.uid,
        userCode: payload.userCode,
        // So that a citizen can see and end his sessions.
        account: session ? payload.accountId : undefined,
        unless: session && payload.uid ? { kind: sessionEnded, id: payload.uid } : undefined,
      })
      // A request that had loaded the session before it was ended must not bring it back.
      if (!written) throw new errors.SessionNotFound('the session has ended')
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      return this.kind === 'Client' ? findClient(id) : payloadOf(await artifacts.get(this.kind, id))
    }

    async findByUid(uid: string): Promise<AdapterPayload | undefined> {
      return payloadOf(await artifacts.byUid(this.kind, uid))
    }

    async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
      return payloadOf(await artifacts.byUserCode(this.kind, userCode))
    }

    /** The engine ignores what this gives back, so losing the race must throw. */
    async consume(id: string): Promise<void> {
      const outcome = await artifacts.consume(this.kind, id)
      if (outcome !== 'won') throw new errors.InvalidGrant(outcome === 'lost' ? 'it was used before' : 'it is gone')
    }

    destroy(id: string): Promise<void> {
      return artifacts.remove(this.kind, id)
    }

    revokeByGrantId(grantId: string): Promise<void> {
      return artifacts.removeByGrant(grantId)
    }
  }
}
