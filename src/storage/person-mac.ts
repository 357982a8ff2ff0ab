/**
 * The HMAC-SM3 over a person's row (DESIGN D11): who may write to the database still cannot raise an account, prove a
 * phone or move a document. The whole row is under it, its sealed values, indexes and wrapped data key included. An
 * erased person's row has none, so that erasing and repeating an erasure need no key: it gives no rights, and is held
 * to being as bare as it must be. Not found: a whole row put back as it once was, or taken away.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Mac } from '#src/crypto/mac.ts'
import type { DocumentRow, PersonRow, PhoneRow, StoredPerson } from './storage.ts'

export interface PersonMac {
  /** Base64url. */
  of(row: PersonRow): Promise<string>
  holds(row: StoredPerson): Promise<boolean>
}

const documentPart = ({ id, kind, indexes, number, reserve, status, from, to }: DocumentRow) =>
  [id, kind, indexes, number, reserve, status, from, to ?? null] as const

const phonePart = ({ id, indexes, number, proven, from }: PhoneRow) => [id, indexes, number, proven, from] as const

/** Every member in a fixed order, as JSON, so that no two rows have one text. */
const canonical = (row: PersonRow): string => {
  const { id, dataKey, name = null, documents, phones, proofing, status, createdAt, version } = row
  const parts = [documents.map(documentPart), phones.map(phonePart)]
  return JSON.stringify(['person', id, dataKey, name, ...parts, proofing, status, createdAt, version])
}

const isBare = ({ dataKey, name, documents, phones, proofing, mac }: StoredPerson): boolean =>
  dataKey === '' &&
  name === undefined &&
  phones.length === 0 &&
  proofing === 1 &&
  documents.every(({ number, status }) => number === '' && status === 'void') &&
  mac === ''

/** @param mac of the rows that give rights */
export function createPersonMac(mac: Mac): PersonMac {
  return {
    of: async (row) => (row.status === 'erased' ? '' : (await mac(canonical(row))).toString('base64url')),
    async holds(row) {
      if (row.status === 'erased') return isBare(row)
      const [due, found] = [await mac(canonical(row)), Buffer.from(row.mac, 'base64url')]
      return due.length === found.length && timingSafeEqual(due, found)
    },
  }
}
