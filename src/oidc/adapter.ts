/**
 * The engine's adapter over our storage port. Answers engine traps 1 and 2: codes, refresh tokens and replay marks are
 * spent by a unique insert, and whoever comes second revokes the grant. Artefacts are keyed by SM3 of their id and
 * sealed, so that the store holds no token and no personal parameter in the open.
 */
import { sm3 } from 'jose'
import { errors, type Adapter, type AdapterConstructor, type AdapterPayload } from 'oidc-provider'
import type { Sealer, WrappedKey } from '#src/crypto/sealer.ts'
import type { Storage } from '#src/storage/storage.ts'

export interface ArtifactKey {
  readonly wrapped: WrappedKey
  readonly context: string
}

interface Dependencies {
  readonly storage: Pick<Storage, 'artifacts'>
  readonly sealer: Sealer
  readonly key: ArtifactKey
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

/** Marks outlive what they mark, so that clock steps and late replays find them. */
const markGraceMs = 3_600_000

const hashed = (id: string): string => sm3(Buffer.from(id)).toString('base64url')

export function createAdapter(deps: Dependencies): AdapterConstructor {
  const { storage, sealer, key, now = Date.now } = deps

  return class implements Adapter {
    readonly kind: string

    constructor(kind: string) {
      this.kind = kind
    }

    async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
      const expiresAt = now() + (expiresIn ?? 0) * 1000
      if (this.kind === 'ReplayDetection') {
        if (await storage.artifacts.spend(this.kind, hashed(id), expiresAt + markGraceMs)) return
        throw new errors.InvalidGrant('the assertion or proof was used before')
      }
      const context = `${this.kind}|${hashed(id)}`
      const grant = this.kind === 'Grant' ? id : payload.grantId
      await storage.artifacts.put(this.kind, hashed(id), {
        payload: await sealer.seal(key.wrapped, key.context, JSON.stringify(payload), context),
        expiresAt,
        ...(grantable.has(this.kind) && grant ? { grant: hashed(grant) } : {}),
        ...(payload.uid ? { uid: hashed(payload.uid) } : {}),
        ...(payload.userCode ? { userCode: hashed(payload.userCode) } : {}),
      })
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      if (this.kind === 'Client') return deps.findClient(id)
      const row = await storage.artifacts.get(this.kind, hashed(id))
      return row && this.#opened(row.payload, hashed(id), row.spentAt)
    }

    async findByUid(uid: string): Promise<AdapterPayload | undefined> {
      const row = await storage.artifacts.byUid(this.kind, hashed(uid))
      return row && this.#opened(row.payload, row.id, row.spentAt)
    }

    async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
      const row = await storage.artifacts.byUserCode(this.kind, hashed(userCode))
      return row && this.#opened(row.payload, row.id, row.spentAt)
    }

    /** The engine ignores what this gives back, so losing the race must throw (RFC 6749 §4.1.2, RFC 9700 §4.14.2). */
    async consume(id: string): Promise<void> {
      const row = await storage.artifacts.get(this.kind, hashed(id))
      if (!row) throw new errors.InvalidGrant('it is gone')
      if (await storage.artifacts.spend(this.kind, hashed(id), row.expiresAt + markGraceMs)) return
      if (row.grant !== undefined) await storage.artifacts.removeByGrant(row.grant)
      throw new errors.InvalidGrant('it was used before')
    }

    async destroy(id: string): Promise<void> {
      await storage.artifacts.remove(this.kind, hashed(id))
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      await storage.artifacts.removeByGrant(hashed(grantId))
    }

    async #opened(sealed: string, id: string, spentAt: number | undefined): Promise<AdapterPayload> {
      const plain = await sealer.open(key.wrapped, key.context, sealed, `${this.kind}|${id}`)
      const payload = JSON.parse(plain) as AdapterPayload
      return spentAt === undefined ? payload : { ...payload, consumed: Math.floor(spentAt / 1000) }
    }
  }
}
