/**
 * Notices and consents (DESIGN D7, PIPL 14, 17, 30): what a citizen was told or agreed to, for which application, in
 * which version, when. It outlives the sign-in session, so that nobody is asked the same thing twice, and a changed
 * purpose asks anew.
 */
import { sm3 } from 'jose'
import type { Sealer, WrappedKey } from '#src/crypto/sealer.ts'
import type { Storage } from '#src/storage/storage.ts'
import { grantsInForce, type Application, type ClaimGrant, type ReleasedClaim } from './application.ts'

export interface NoticeRecord {
  readonly version: string
  readonly claims: readonly ReleasedClaim[]
  readonly at: number
}

export interface Notices {
  /** What stands for this person and application, if it is still what the application would be told. */
  standing(personId: string, application: Application): Promise<NoticeRecord | undefined>
  keep(personId: string, application: Application, claims: readonly ReleasedClaim[]): Promise<NoticeRecord>
}

/** The version of what is told: any change of basis, law, purpose or retention makes another. */
export function noticeVersion(application: Application, grants: readonly ClaimGrant[]): string {
  const told = grants.map(({ claim, basis, law, purpose, retention }) => ({ claim, basis, law, purpose, retention }))
  return sm3(Buffer.from(JSON.stringify([application.owner, told])))
    .toString('hex')
    .slice(0, 16)
}

interface Dependencies {
  readonly storage: Pick<Storage, 'artifacts'>
  readonly sealer: Sealer
  readonly key: { readonly wrapped: WrappedKey; readonly context: string }
  readonly now?: () => number
}

const kind = 'Notice'
const lifetimeMs = 366 * 86_400_000

export function createNotices({ storage, sealer, key, now = Date.now }: Dependencies): Notices {
  const idOf = (personId: string, application: Application) =>
    sm3(Buffer.from(`${personId}|${application.id}`)).toString('base64url')

  return {
    async standing(personId, application) {
      const id = idOf(personId, application)
      const row = await storage.artifacts.get(kind, id)
      if (!row) return undefined
      const plain = await sealer.open(key.wrapped, key.context, row.payload, `${kind}|${id}`)
      const record = JSON.parse(plain) as NoticeRecord
      return record.version === noticeVersion(application, grantsInForce(application, now())) ? record : undefined
    },

    async keep(personId, application, claims) {
      const id = idOf(personId, application)
      const version = noticeVersion(application, grantsInForce(application, now()))
      const record: NoticeRecord = { version, claims, at: now() }
      const payload = await sealer.seal(key.wrapped, key.context, JSON.stringify(record), `${kind}|${id}`)
      await storage.artifacts.put(kind, id, { payload, expiresAt: now() + lifetimeMs })
      return record
    },
  }
}
