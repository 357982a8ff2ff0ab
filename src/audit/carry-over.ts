/**
 * Carries the audit trail across a restore: records written after the backup are taken over from the store it replaces,
 * each verified to follow the one before it, so that nobody loses a record by a restore or slips one in (DESIGN D11).
 */
import type { JWK } from 'jose'
import { AppError, isAppError } from '#src/errors.ts'
import type { AuditReading, AuditTrail } from '#src/storage/storage.ts'
import { follows, genesis, type Head } from './chain.ts'
import { openCheckpoint } from './verify.ts'

export interface CarriedOver {
  readonly node: string
  readonly records: number
  /** Why no more could be taken over. */
  readonly fault?: string
}

const page = 1000

const headOf = async (trail: AuditReading, node: string): Promise<Head> => (await trail.last(node)) ?? genesis(node)

async function hashAt(trail: AuditReading, { node, seq }: Pick<Head, 'node' | 'seq'>): Promise<string | undefined> {
  if (seq === 0) return genesis(node).hash
  const [row] = await trail.read(node, seq - 1, 1)
  return row?.seq === seq ? row.hash : undefined
}

/** Records first, as far as they follow; then the checkpoints that sign them. */
async function carryNode(from: AuditReading, to: AuditTrail, node: string, keys: readonly JWK[]): Promise<CarriedOver> {
  let head = await headOf(to, node)
  const start = head.seq
  const done = (fault?: string) => ({ node, records: head.seq - start, ...(fault === undefined ? {} : { fault }) })
  try {
    if ((await hashAt(from, head)) !== head.hash) return done(`its record ${start} is not the one of the backup`)
    for (;;) {
      const rows = await from.read(node, head.seq, page)
      let last = head
      const good = rows.filter((row) => follows(last, row) && ((last = row), true))
      await to.append(good)
      head = last
      if (good.length < rows.length) return done(`record ${head.seq + 1} is missing or was changed`)
      if (rows.length === 0) break
    }
    for (let seq = (await to.lastCheckpoint(node))?.seq ?? 0; ;) {
      const batch = await from.checkpoints(node, seq, page)
      for (const row of batch) {
        const said = await openCheckpoint(row.jws, keys)
        if (!said || said.node !== node || said.seq !== row.seq || said.at !== row.at)
          return done(`the checkpoint at record ${row.seq} is not signed by a known key`)
        if (said.hash !== (await hashAt(to, said)))
          return done(`a checkpoint signs a record ${row.seq} that is not here`)
        await to.putCheckpoint(row)
        seq = row.seq
      }
      if (batch.length === 0) return done()
    }
  } catch (error) {
    if (!isAppError(error)) throw error
    return done(`the store cannot be read further (${error.detail ?? error.code})`)
  }
}

/**
 * Takes over what `from` holds beyond `to`, node by node.
 * @param keys public JWKs that may have signed checkpoints
 */
export async function carryOver(
  from: AuditReading,
  to: AuditTrail,
  keys: readonly JWK[],
): Promise<readonly CarriedOver[]> {
  const carried: CarriedOver[] = []
  for (const node of await from.nodes()) carried.push(await carryNode(from, to, node, keys))
  return carried
}

/**
 * How many records are proven to be missing at the end of a trail, by checkpoints that were kept elsewhere.
 * @throws AppError `audit_broken` where an anchor is not signed by a known key, or signs another trail than this
 */
export async function provenMissing(
  trail: AuditReading,
  anchors: readonly string[],
  keys: readonly JWK[],
): Promise<number> {
  const missing = new Map<string, number>()
  for (const anchor of anchors) {
    const said = await openCheckpoint(anchor, keys)
    if (!said) throw new AppError('audit_broken', { detail: 'an anchor is not signed by a known key' })
    const { seq } = await headOf(trail, said.node)
    if (said.seq <= seq && said.hash !== (await hashAt(trail, said)))
      throw new AppError('audit_broken', {
        detail: `record ${said.seq} of ${said.node} is not the one the anchor signs`,
      })
    missing.set(said.node, Math.max(missing.get(said.node) ?? 0, said.seq - seq))
  }
  return [...missing.values()].reduce((sum, count) => sum + Math.max(0, count), 0)
}
