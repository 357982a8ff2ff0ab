/**
 * Verifies an audit trail without trust in the server that wrote it: recomputes the chain, checks every signed
 * checkpoint against the public key, and compares a checkpoint that was kept elsewhere (the anchor), which is what
 * shows a trail cut short or written anew.
 */
import { compactVerify, type JWK } from 'jose'
import type { AuditTrail } from '#src/storage/storage.ts'
import { follows, genesis, origin, type Head } from './chain.ts'

export interface Verdict {
  readonly node: string
  readonly intact: boolean
  /** Rows that were verified. */
  readonly records: number
  readonly checkpoints: number
  /** The newest row under a valid signature; what follows is chained but not yet signed. */
  readonly signedTo: number
  readonly fault?: string
}

type Reading = Pick<AuditTrail, 'read' | 'checkpoints'>

const page = 1000

/** What a checkpoint says, once its signature holds; undefined where it does not. */
export async function openCheckpoint(jws: string, keys: readonly JWK[]): Promise<Head | undefined> {
  for (const key of keys) {
    try {
      const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: [key.alg ?? 'SGD_SM3_SM2'] })
      if (protectedHeader.typ !== 'audit-checkpoint+jwt') return undefined
      const head = JSON.parse(Buffer.from(payload).toString('utf8')) as Head & { readonly origin: string }
      return head.origin === origin ? head : undefined
    } catch {
      continue
    }
  }
  return undefined
}

async function* rows(trail: Reading, node: string) {
  for (let seq = 0; ;) {
    const batch = await trail.read(node, seq, page)
    yield* batch
    const last = batch.at(-1)
    if (!last) return
    seq = last.seq
  }
}

async function* checkpoints(trail: Reading, node: string) {
  for (let seq = 0; ;) {
    const batch = await trail.checkpoints(node, seq, page)
    yield* batch
    const last = batch.at(-1)
    if (!last) return
    seq = last.seq
  }
}

/**
 * @param keys public JWKs that may have signed checkpoints
 * @param anchor a checkpoint (compact JWS) kept outside the server
 */
export async function verifyTrail(
  trail: Reading,
  node: string,
  keys: readonly JWK[],
  anchor?: string,
): Promise<Verdict> {
  let head = genesis(node)
  let signedTo = 0
  let checked = 0
  const verdict = (fault?: string): Verdict => ({
    node,
    intact: fault === undefined,
    records: head.seq,
    checkpoints: checked,
    signedTo,
    ...(fault === undefined ? {} : { fault }),
  })

  let anchored: Head | undefined
  if (anchor !== undefined) {
    anchored = await openCheckpoint(anchor, keys)
    if (!anchored) return verdict('the anchor is not signed by a known key')
    if (anchored.node !== node) return verdict(`the anchor belongs to node ${anchored.node}`)
  }

  const signatures = checkpoints(trail, node)
  let next = (await signatures.next()).value
  for await (const row of rows(trail, node)) {
    if (!follows(head, row)) return verdict(`record ${head.seq + 1} is missing or was changed`)
    head = { node, seq: row.seq, hash: row.hash }
    while (next && next.seq === row.seq) {
      const said = await openCheckpoint(next.jws, keys)
      if (!said) return verdict(`the checkpoint at record ${row.seq} is not signed by a known key`)
      if (said.node !== node || said.seq !== row.seq || said.hash !== row.hash) {
        return verdict(`the checkpoint at record ${row.seq} signs another chain`)
      }
      signedTo = row.seq
      checked += 1
      next = (await signatures.next()).value
    }
    if (anchored?.seq === row.seq && anchored.hash !== row.hash) {
      return verdict(`the chain at record ${row.seq} is not the one the anchor signs`)
    }
  }
  if (next) return verdict(`records up to ${next.seq} were signed but end at ${head.seq}`)
  if (anchored && anchored.seq > head.seq)
    return verdict(`the anchor signs ${anchored.seq} records but ${head.seq} are here`)
  return verdict()
}
