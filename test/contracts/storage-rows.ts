/** Synthetic rows for the storage contract: short names stand where sealed values and blind indexes would. */
import type { AuditRow, Delivery, DocumentRow, PhoneRow, StoredPerson } from '#src/storage/storage.ts'

export const at = Date.parse('2026-01-01T00:00:00Z')

/** Of each index key's version one; the first is all there is, where nothing else is said. */
export const indexes = (name: string, versions: readonly number[] = [1]): readonly string[] =>
  versions.map((version) => `${version}.${name.replaceAll(' ', '-')}`)

export const document = (name: string, more: Partial<DocumentRow> = {}): DocumentRow => ({
  id: `${more.kind ?? 'resident'} ${name}`,
  kind: 'resident',
  indexes: indexes(name),
  number: `sealed ${name}`,
  reserve: `reserve ${name}`,
  status: 'proven',
  from: at,
  ...more,
})
/** @param of tells the rows of a shared phone apart */
export const phone = (name: string, of = ''): PhoneRow => ({
  id: `${name} ${of}`,
  indexes: indexes(name),
  number: `sealed ${name}`,
  proven: true,
  from: at,
})
export const person = (id: string, more: Partial<StoredPerson> = {}): StoredPerson => ({
  id,
  dataKey: `1.k1.key of ${id}`,
  documents: [document(`doc of ${id}`)],
  phones: [],
  proofing: 2,
  status: 'active',
  createdAt: at,
  version: 1,
  mac: `mac of ${id}`,
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
