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

type Reading = Pick<AuditTrail, 'read' | 'checkpoints' | 'nodes'>

const page = 1000

/** A row before the first would otherwise never be read. */
const beforeAll = Number.MIN_SAFE_INTEGER

/** What a checkpoint says, once its signature holds; undefined where it does not. */
export async function openCheckpoint(
  jws: string,
  keys: readonly JWK[],
): Promise<(Head & { readonly at: number }) | undefined> {
  for (const key of keys) {
    try {
      const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: [key.alg ?? 'SGD_SM3_SM2'] })
      if (protectedHeader.typ !== 'audit-checkpoint+jwt') return undefined
      const said = JSON.parse(Buffer.from(payload).toString('utf8')) as Head & { origin: string; at: number }
      return said.origin === origin ? said : undefined
    } catch {
      continue
    }
  }
  return undefined
}

/** Every row, a page at a time. @param read gives those after a number */
export async function* inOrder<Row extends { readonly seq: number }>(read: (seq: number) => Promise<readonly Row[]>) {
  for (let seq = beforeAll; ;) {
    const batch = await read(seq)
    yield* batch
    const last = batch.at(-1)
    if (!last) return
    seq = last.seq
  }
}

/**
 * Verifies one node's chain.
 * @param keys public JWKs that may have signed checkpoints
 * @param anchors what checkpoints of this node say that were kept outside the server
 */
async function verifyNode(
  trail: Reading,
  node: string,
  keys: readonly JWK[],
  anchors: readonly Head[] = [],
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

  // Rows are always read after the checkpoints that sign them: beside a running server, nothing looks cut short.
  const signatures = inOrder((seq) => trail.checkpoints(node, seq, page))
  let next = (await signatures.next()).value
  for await (const row of inOrder((seq) => trail.read(node, seq, page))) {
    if (!follows(head, row)) return verdict(`record ${head.seq + 1} is missing or was changed`)
    if (anchors.some(({ seq, hash }) => seq === row.seq && hash !== row.hash)) {
      return verdict(`the chain up to record ${row.seq} is not the one the anchor signs`)
    }
    head = { node, seq: row.seq, hash: row.hash }
    while (next && next.seq === row.seq) {
      const said = await openCheckpoint(next.jws, keys)
      if (!said) return verdict(`the checkpoint at record ${row.seq} is not signed by a known key`)
      if (said.node !== node || said.seq !== row.seq || said.hash !== row.hash || said.at !== next.at) {
        return verdict(`the checkpoint at record ${row.seq} signs something else`)
      }
      signedTo = row.seq
      checked += 1
      next = (await signatures.next()).value
    }
  }
  if (next) return verdict(`a checkpoint signs ${next.seq} records but ${head.seq} are here`)
  const cut = anchors.find(({ seq }) => seq > head.seq)
  return verdict(cut && `the anchor signs ${cut.seq} records but ${head.seq} are here`)
}

/**
 * Verifies every node the trail or an anchor names.
 * @param anchors checkpoints (compact JWS) kept outside the server, of any nodes
 */
export async function verifyTrail(
  trail: Reading,
  keys: readonly JWK[],
  anchors: readonly string[] = [],
): Promise<readonly Verdict[]> {
  const opened = await Promise.all(anchors.map((jws) => openCheckpoint(jws, keys)))
  const heads = opened.filter((head) => head !== undefined)
  const nodes = new Set([...(await trail.nodes()), ...heads.map(({ node }) => node)])
  const verdicts: Verdict[] = []
  for (const node of [...nodes].sort()) {
    const own = heads.filter((head) => head.node === node)
    verdicts.push(await verifyNode(trail, node, keys, own))
  }
  if (heads.length === anchors.length) return verdicts
  const fault = 'an anchor is not signed by a known key'
  return [...verdicts, { node: '(anchor)', intact: false, records: 0, checkpoints: 0, signedTo: 0, fault }]
}
