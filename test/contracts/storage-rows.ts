/** Synthetic rows for the storage contract: short names stand where sealed values and blind indexes would. */
import type { AuditRow, Delivery, DocumentRow, PersonRow, PhoneRow } from '#src/storage/storage.ts'

export const at = Date.parse('2026-01-01T00:00:00Z')

export const document = (index: string, more: Partial<DocumentRow> = {}): DocumentRow => ({
  kind: 'resident',
  index,
  number: `sealed ${index}`,
  status: 'proven',
  from: at,
  ...more,
})
export const phone = (index: string): PhoneRow => ({ index, number: `sealed ${index}`, proven: true, from: at })
export const person = (id: string, more: Partial<PersonRow> = {}): PersonRow => ({
  id,
  dataKey: `key of ${id}`,
  documents: [document(`doc of ${id}`)],
  phones: [],
  proofing: 2,
  status: 'active',
  createdAt: at,
  version: 1,
  ...more,
})
export const auditRow = (node: string, seq: number, more: Partial<AuditRow> = {}): AuditRow => ({
  node,
  seq,
  at: at + seq,
  body: `{"n":${seq}}`,
  hash: `hash ${node} ${seq}`,
  ...more,
})
export const delivery = (id: string, dueAt: number): Omit<Delivery, 'attempts'> => ({
  id,
  kind: 'logout',
  payload: id,
  dueAt,
})
