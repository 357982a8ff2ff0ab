/**
 * Artefacts as the rooms above see them: any JSON value, sealed, under a key that is the SM3 of its id. So the store
 * holds no token, no parameter and no account in the open. Sessions, grants and notices give rights and need no MAC of
 * their own (DESIGN D11): the seal is authenticated and bound to kind, place and everything a row is found by or ends
 * with, so that one that was moved, prolonged or given to another account does not open.
 */
import { sm3 } from 'jose'
import type { ArtifactRow, Artifacts } from './storage.ts'
import type { Vault } from './vault.ts'

export interface Belonging {
  readonly expiresAt: number
  readonly grant?: string | undefined
  readonly uid?: string | undefined
  readonly userCode?: string | undefined
  readonly account?: string | undefined
  readonly unless?: { readonly kind: string; readonly id: string } | undefined
}

export interface Opened<T> {
  readonly value: T
  readonly expiresAt: number
  readonly spentAt?: number
}

export interface SealedArtifacts {
  /** False where the mark `belonging.unless` stands: then nothing was written. */
  put(kind: string, id: string, value: unknown, belonging: Belonging): Promise<boolean>
  get<T>(kind: string, id: string): Promise<Opened<T> | undefined>
  byUid<T>(kind: string, uid: string): Promise<Opened<T> | undefined>
  byUserCode<T>(kind: string, userCode: string): Promise<Opened<T> | undefined>
  byAccount<T>(kind: string, account: string): Promise<readonly Opened<T>[]>
  /** Spends a one-time thing that may not be stored: true for exactly one caller. */
  spend(kind: string, id: string, expiresAt: number): Promise<boolean>
  /** Spends a stored artefact. Whoever comes second ends everything of its grant (RFC 6749 §4.1.2, RFC 9700 §4.14.2). */
  consume(kind: string, id: string): Promise<'won' | 'lost' | 'gone'>
  remove(kind: string, id: string): Promise<void>
  removeByGrant(grant: string): Promise<void>
}

interface Dependencies {
  readonly artifacts: Artifacts
  readonly vault: Vault
}

/** Marks outlive what they mark, so that clock steps and late replays find them. */
const markGraceMs = 3_600_000

/** The place of an id in the store; of a person's id: the `account` of his artefacts. */
export const hashed = (id: string): string => sm3(id).toString('base64url')
const hashedIf = (id: string | undefined): string | undefined => (id === undefined ? undefined : hashed(id))

/** What a value is bound to; no part holds a bar. */
const placeOf = (kind: string, id: string, row: Omit<ArtifactRow, 'id' | 'payload' | 'spentAt'>): string =>
  [kind, id, row.expiresAt, row.grant, row.uid, row.userCode, row.account].join('|')

export function createSealedArtifacts({ artifacts, vault }: Dependencies): SealedArtifacts {
  const opened = async <T>(kind: string, row: ArtifactRow | undefined): Promise<Opened<T> | undefined> => {
    if (!row) return undefined
    const plain = await vault.open(row.payload, placeOf(kind, row.id, row))
    const { expiresAt, spentAt } = row
    return { value: JSON.parse(plain) as T, expiresAt, ...(spentAt === undefined ? {} : { spentAt }) }
  }

  return {
    async put(kind, id, value, { expiresAt, grant, uid, userCode, account, unless }) {
      const place = hashed(id)
      const row = {
        expiresAt,
        grant: hashedIf(grant),
        uid: hashedIf(uid),
        userCode: hashedIf(userCode),
        account: hashedIf(account),
      }
      const payload = await vault.seal(JSON.stringify(value), placeOf(kind, place, row))
      return artifacts.put(kind, place, { ...row, payload }, unless && { kind: unless.kind, id: hashed(unless.id) })
    },
    get: async (kind, id) => opened(kind, await artifacts.get(kind, hashed(id))),
    byUid: async (kind, uid) => opened(kind, await artifacts.byUid(kind, hashed(uid))),
    byUserCode: async (kind, userCode) => opened(kind, await artifacts.byUserCode(kind, hashed(userCode))),
    async byAccount<T>(kind: string, account: string) {
      const all = await Promise.all(
        (await artifacts.byAccount(kind, hashed(account))).map((row) => opened<T>(kind, row)),
      )
      return all.filter((one) => one !== undefined)
    },
    spend: (kind, id, expiresAt) => artifacts.spend(kind, hashed(id), expiresAt + markGraceMs),
    async consume(kind, id) {
      const row = await artifacts.get(kind, hashed(id))
      if (!row) return 'gone'
      if (await artifacts.spend(kind, row.id, row.expiresAt + markGraceMs)) return 'won'
      if (row.grant !== undefined) await artifacts.removeByGrant(row.grant)
      return 'lost'
    },
    remove: (kind, id) => artifacts.remove(kind, hashed(id)),
    removeByGrant: (grant) => artifacts.removeByGrant(hashed(grant)),
  }
}
