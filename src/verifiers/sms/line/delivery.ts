/** The state of a text as SMPP and CMPP receipts spell it (SMPP v3.4 §5.2.28, CMPP `Stat`). */
import type { Receipt } from '../gateway.ts'

/** On its way still: another receipt follows. */
const underWay: ReadonlySet<string> = new Set(['ACCEPTD', 'ENROUTE', 'SCHEDUL'])

/** Undefined where it is not decided yet. */
export function deliveryOf(state: string): Pick<Receipt, 'delivered' | 'reason'> | undefined {
  if (underWay.has(state)) return undefined
  if (state === 'DELIVRD') return { delivered: true }
  return { delivered: false, reason: /^[\w:-]{1,10}$/.test(state) ? `code ${state}` : 'malformed' }
}
