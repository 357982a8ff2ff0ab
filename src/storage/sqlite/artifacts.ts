/**
 * Artefacts of the engine and of sign-in attempts, and the marks of what is spent. A mark stands apart from its
 * artefact: whoever inserts it has won (RFC 9700 §2.1.1, §4.14; facts/security §0.1–0.2), and removing or rewriting
 * the artefact revives nothing.
 */
import { linkKind, noticeKind, passkeyKind, type ArtifactRow, type Artifacts } from '../storage.ts'
import type { Connection } from './connection.ts'
import type { ActKind } from './ledger.ts'

/** What a restore must not bring back once it was removed, and how the ledger calls it. */
const endingOf: ReadonlyMap<string, ActKind> = new Map([
  [noticeKind, 'notice.withdrawn'],
  [passkeyKind, 'passkey.removed'],
  [linkKind, 'link.removed'],
])

export function createArtifacts(db: Connection, clock: () => number): Artifacts {
  const putRow = db.prepare(
    `INSERT INTO artifacts (kind, id, payload, grant_id, uid, user_code, account, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id,
       uid = excluded.uid, user_code = excluded.user_code, account = excluded.account, expires_at = excluded.expires_at`,
  )
  const select = (condition: string, limit = 1) =>
    db.prepare<ArtifactRow>(
      `SELECT a.id, a.payload, a.grant_id AS "grant", a.uid, a.user_code AS userCode, a.account,
         a.expires_at AS expiresAt, s.spent_at AS spentAt
       FROM artifacts a LEFT JOIN spent s ON s.kind = a.kind AND s.id = a.id AND s.expires_at > ?1
       WHERE a.expires_at > ?1 AND a.kind = ?2 AND ${condition} ORDER BY a.expires_at DESC, a.rowid DESC LIMIT ${limit}`,
    )
  const byId = select('a.id = ?3')
  const byUid = select('a.uid = ?3')
  const byUserCode = select('a.user_code = ?3')
  const byAccount = select('a.account = ?3', 200)
  // A mark that has run out is absent though not yet swept; one that stands is never touched.
  const mark = db.prepare(
    `INSERT INTO spent (kind, id, spent_at, expires_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET spent_at = excluded.spent_at, expires_at = excluded.expires_at
     WHERE expires_at <= excluded.spent_at`,
  )
  const marked = db.prepare('SELECT 1 FROM spent WHERE kind = ? AND id = ? AND expires_at > ?')
  const stands = db.prepare('SELECT 1 FROM artifacts WHERE kind = ? AND id = ?')
  const removeRow = db.prepare('DELETE FROM artifacts WHERE kind = ? AND id = ?')
  const removeGrant = db.prepare('DELETE FROM artifacts WHERE grant_id = ?')

  const isThere = (kind: string, id: string) => stands.get(kind, id) !== undefined

  return {
    put: (kind, id, row, unless) =>
      db.write(() => {
        if (unless && marked.get(unless.kind, unless.id, clock()) !== undefined) return false
        // What he says now takes back what he said before: a restore must not bring the older word back.
        const takesBack = kind === noticeKind && isThere(kind, id)
        putRow.run(kind, id, row.payload, row.grant, row.uid, row.userCode, row.account, row.expiresAt)
        if (takesBack) db.enter([{ kind: 'notice.withdrawn', subject: id }])
        return true
      }),
    get: (kind, id) => db.read(() => byId.get(clock(), kind, id)),
    byUid: (kind, uid) => db.read(() => byUid.get(clock(), kind, uid)),
    byUserCode: (kind, userCode) => db.read(() => byUserCode.get(clock(), kind, userCode)),
    byAccount: (kind, account) => db.read(() => byAccount.all(clock(), kind, account)),
    spend: (kind, id, expiresAt) =>
      db.write(() => {
        const now = clock()
        // A mark born expired would let the next caller win too.
        return expiresAt > now && mark.run(kind, id, now, expiresAt) === 1
      }),
    remove: (kind, id) =>
      db.write(() => {
        const end = isThere(kind, id) ? endingOf.get(kind) : undefined
        removeRow.run(kind, id)
        if (end) db.enter([{ kind: end, subject: id }])
      }),
    removeByGrant: (grant) =>
      db.write(() => {
        removeGrant.run(grant)
      }),
  }
}
