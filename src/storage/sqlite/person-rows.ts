/** Whole rows of people, put together from their tables; shared by the port, and by the restore, which has no port. */
import type { DocumentRow, PhoneRow, StoredPerson } from '../storage.ts'
import type { Reader, Statement } from './connection.ts'

export type PersonPart = Omit<StoredPerson, 'documents' | 'phones'>
type Part<Row> = Omit<Row, 'indexes'> & { readonly indexes?: string }

export interface PersonRows {
  byId(id: string): StoredPerson | undefined
  /** Prepares a search for people `p`. */
  search(from: string): Statement<PersonPart>
  whole(person: PersonPart): StoredPerson
}

const columns = 'p.id, p.data_key AS dataKey, p.name, p.proofing, p.status, p.created_at AS createdAt, p.version, p.mac'

/** A base64url index holds no space; who writes to the database may have taken all of them away. */
const indexesOf = (list: string | undefined): readonly string[] => list?.split(' ').toSorted() ?? []

export function createPersonRows(db: Pick<Reader, 'prepare'>): PersonRows {
  const search: PersonRows['search'] = (from) => db.prepare<PersonPart>(`SELECT ${columns} FROM ${from}`)
  const personById = search('people p WHERE p.id = ?')
  const documentsOf = db.prepare<Part<DocumentRow>>(
    `SELECT id, kind, (SELECT group_concat(idx, ' ') FROM document_indexes WHERE document = d.id) AS indexes, number,
       reserve, status, valid_from AS "from", valid_to AS "to"
     FROM documents d WHERE person = ? ORDER BY position`,
  )
  const phonesOf = db.prepare<Omit<Part<PhoneRow>, 'proven'> & { proven: number }>(
    `SELECT id, (SELECT group_concat(idx, ' ') FROM phone_indexes WHERE phone = p.id) AS indexes, number, proven,
       valid_from AS "from"
     FROM phones p WHERE person = ? ORDER BY position`,
  )

  const whole = (person: PersonPart): StoredPerson => ({
    ...person,
    documents: documentsOf.all(person.id).map((row) => ({ ...row, indexes: indexesOf(row.indexes) })),
    phones: phonesOf
      .all(person.id)
      .map((row) => ({ ...row, indexes: indexesOf(row.indexes), proven: row.proven === 1 })),
  })

  return {
    search,
    whole,
    byId(id) {
      const person = personById.get(id)
      return person && whole(person)
    },
  }
}
