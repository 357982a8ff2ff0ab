/**
 * The audit trail (DESIGN D11). That rows follow one another without a gap and never change is a rule of the schema
 * (triggers in `migrations.ts`), so it also binds whoever works on the file by hand.
 */
import type { AuditReading, AuditRow, AuditTrail, CheckpointRow } from '../storage.ts'
import type { Connection, Reader } from './connection.ts'

export function createAuditReading(db: Reader): AuditReading {
  const row = 'node, seq, at, reference, body, hash'
  const last = db.prepare<AuditRow>(`SELECT ${row} FROM audit WHERE node = ? ORDER BY seq DESC LIMIT 1`)
  const after = db.prepare<AuditRow>(`SELECT ${row} FROM audit WHERE node = ? AND seq > ? ORDER BY seq LIMIT ?`)
  const byReference = db.prepare<AuditRow>(`SELECT ${row} FROM audit WHERE reference = ? ORDER BY rowid LIMIT ?`)
  // Steps from node to node through the index; DISTINCT would read every row.
  const nodesIn = (table: string) =>
    db.prepare<{ node: string }>(
      `WITH RECURSIVE names (node) AS (
         SELECT min(node) FROM ${table} UNION ALL
         SELECT (SELECT min(node) FROM ${table} WHERE node > names.node) FROM names WHERE names.node IS NOT NULL
       ) SELECT node FROM names WHERE node IS NOT NULL`,
    )
  // A node whose rows are all gone still shows by its checkpoints.
  const nodes = [nodesIn('audit'), nodesIn('checkpoints')]
  const checkpoint = 'node, seq, at, jws'
  const lastCheckpoint = db.prepare<CheckpointRow>(
    `SELECT ${checkpoint} FROM checkpoints WHERE node = ? ORDER BY seq DESC LIMIT 1`,
  )
  const checkpoints = db.prepare<CheckpointRow>(
    `SELECT ${checkpoint} FROM checkpoints WHERE node = ? AND seq > ? ORDER BY seq LIMIT ?`,
  )

  return {
    last: (node) => db.read(() => last.get(node)),
    read: (node, seq, limit) => db.read(() => after.all(node, seq, limit)),
    byReference: (reference, limit) => db.read(() => byReference.all(reference, limit)),
    nodes: () => db.read(() => [...new Set(nodes.flatMap((some) => some.all().map(({ node }) => node)))]),
    lastCheckpoint: (node) => db.read(() => lastCheckpoint.get(node)),
    checkpoints: (node, seq, limit) => db.read(() => checkpoints.all(node, seq, limit)),
  }
}

export function createAuditTrail(db: Connection): AuditTrail {
  const insert = db.prepare('INSERT INTO audit (node, seq, at, reference, body, hash) VALUES (?, ?, ?, ?, ?, ?)')
  const insertCheckpoint = db.prepare('INSERT INTO checkpoints (node, seq, at, jws) VALUES (?, ?, ?, ?)')

  return {
    ...createAuditReading(db),
    append: (rows) =>
      db.write(() => {
        for (const { node, seq, at, reference, body, hash } of rows) insert.run(node, seq, at, reference, body, hash)
      }),
    putCheckpoint: ({ node, seq, at, jws }) =>
      db.write(() => {
        insertCheckpoint.run(node, seq, at, jws)
      }),
  }
}
