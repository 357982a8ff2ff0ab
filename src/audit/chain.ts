/**
 * The hash chain of the audit trail, pure (DESIGN D11): each row's SM3 covers the row before it, so that a change or
 * a gap anywhere shows; a checkpoint signs the head, so that rewriting the whole chain shows as well.
 */
import { sm3 } from 'jose'
import type { AuditRow } from '#src/storage/storage.ts'

/** What a checkpoint signs, beside the time. */
export interface Head {
  readonly node: string
  readonly seq: number
  readonly hash: string
}

export const origin = 'yihao-audit-v1'

/** The head of an empty chain. */
export function genesis(node: string): Head {
  return { node, seq: 0, hash: sm3(Buffer.from(`${origin}|${node}`)).toString('hex') }
}

type Unhashed = Pick<AuditRow, 'at' | 'reference' | 'body'>

/** JSON keeps the fields apart, and an absent reference from an empty one, so that no two rows hash alike. */
function digest(previous: Head, seq: number, { at, reference, body }: Unhashed): string {
  const text = JSON.stringify([previous.hash, previous.node, seq, at, reference ?? null, body])
  return sm3(Buffer.from(text)).toString('hex')
}

export function link(previous: Head, row: Unhashed): AuditRow {
  const seq = previous.seq + 1
  return { node: previous.node, seq, ...row, hash: digest(previous, seq, row) }
}

/** Does this row continue the chain at this head? */
export function follows(previous: Head, row: AuditRow): boolean {
  return row.node === previous.node && row.seq === previous.seq + 1 && row.hash === digest(previous, row.seq, row)
}
