/**
 * Notices and consents (DESIGN D7, PIPL 14, 15, 17, 30): what a citizen was told or agreed to, for which application, in
 * which version, when. It outlives the sign-in session, so that nobody is asked the same thing twice; a changed purpose
 * asks anew, and a consent can be withdrawn.
 */
import { sm3 } from 'jose'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import { grantsInForce, type Application, type ClaimGrant, type ReleasedClaim } from './application.ts'

export interface NoticeRecord {
  readonly application: string
  readonly version: string
  readonly claims: readonly ReleasedClaim[]
  /** What he did not agree to: he is not asked again by himself. */
  readonly refused: readonly ReleasedClaim[]
  readonly at: number
}

export interface Notices {
  /** What stands for this person and application, if it is still what the application would be told. */
  standing(personId: string, application: Application): Promise<NoticeRecord | undefined>
  keep(personId: string, application: Application, answer: Pick<NoticeRecord, 'claims' | 'refused'>): Promise<void>
  /** Everything that stands for a person, newest first. */
  all(personId: string): Promise<readonly NoticeRecord[]>
  /** Forgets what was told and agreed to: the next sign-in tells and asks anew. */
  withdraw(personId: string, application: string): Promise<void>
  /** Nothing that somebody agreed to who had only claimed the account binds its owner. */
  withdrawAll(personId: string): Promise<void>
}

/** The version of what is told: any change of basis, law, purpose or retention makes another. */
export function noticeVersion(application: Application, grants: readonly ClaimGrant[]): string {
  const told = grants.map(({ claim, basis, law, purpose, retention }) => ({ claim, basis, law, purpose, retention }))
  return sm3(JSON.stringify([application.owner, told]))
    .toString('hex')
    .slice(0, 16)
}

interface Dependencies {
  readonly artifacts: SealedArtifacts
  readonly now?: () => number
}

const kind = 'Notice'
const lifetimeMs = 366 * 86_400_000
const idOf = (personId: string, application: string) => `${personId}|${application}`

export function createNotices({ artifacts, now = Date.now }: Dependencies): Notices {
  const withdraw: Notices['withdraw'] = (personId, application) => artifacts.remove(kind, idOf(personId, application))

  const withdrawAll: Notices['withdrawAll'] = async (personId) => {
    const some = await artifacts.byAccount<NoticeRecord>(kind, personId)
    for (const { value } of some) await withdraw(personId, value.application)
    // The store gives them in bounded portions.
    if (some.length > 0) await withdrawAll(personId)
  }

  return {
    withdraw,

    async standing(personId, application) {
      const found = await artifacts.get<NoticeRecord>(kind, idOf(personId, application.id))
      const version = noticeVersion(application, grantsInForce(application, now()))
      return found?.value.version === version ? found.value : undefined
    },

    async keep(personId, application, { claims, refused }) {
      const at = now()
      const version = noticeVersion(application, grantsInForce(application, at))
      const record: NoticeRecord = { application: application.id, version, claims, refused, at }
      const belonging = { expiresAt: at + lifetimeMs, account: personId }
      await artifacts.put(kind, idOf(personId, application.id), record, belonging)
    },

    async all(personId) {
      return (await artifacts.byAccount<NoticeRecord>(kind, personId)).map(({ value }) => value)
    },

    withdrawAll,
  }
}
