/** People, their documents and phones (DESIGN D6). A document's (kind, index) is a primary key no row ever leaves. */
import { AppError } from '#src/errors.ts'
import type { DocumentRow, People, PersonRow, PhoneRow } from '../storage.ts'
import type { Connection } from './connection.ts'
import { createEndings } from './endings.ts'
import { partOf, type Act } from './ledger.ts'

type Person = Omit<PersonRow, 'documents' | 'phones'>

/** What an update ends, and a restore must not bring back. */
function endedBy(before: PersonRow, { id, status, documents, phones }: PersonRow): readonly Act[] {
  const was = ({ kind, index }: DocumentRow) => before.documents.find((old) => old.kind === kind && old.index === index)
  const standing: readonly Act[] =
    status === before.status
      ? []
      : [{ kind: status === 'active' ? 'person.reinstated' : 'person.suspended', subject: id }]
  const endedPhones = before.phones
    .filter(({ index }) => phones.every((phone) => phone.index !== index))
    .map(({ index }): Act => ({ kind: 'phone.ended', subject: id, part: partOf(id, index) }))
  const endedDocuments = documents.flatMap((row): Act[] =>
    (row.status === 'replaced' || row.status === 'void') && row.status !== was(row)?.status
      ? [{ kind: `document.${row.status}`, subject: id, part: partOf(id, row.kind, row.index) }]
      : [],
  )
  return [...standing, ...endedPhones, ...endedDocuments]
}

export function createPeople(db: Connection): People {
  const columns = 'p.id, p.data_key AS dataKey, p.name, p.proofing, p.status, p.created_at AS createdAt, p.version'
  const personById = db.prepare<Person>(`SELECT ${columns} FROM people p WHERE p.id = ?`)
  const personByDocument = db.prepare<Person>(
    `SELECT ${columns} FROM documents d JOIN people p ON p.id = d.person WHERE d.kind = ? AND d.idx = ?`,
  )
  const peopleByPhone = db.prepare<Person>(
    `SELECT ${columns} FROM people p WHERE p.id IN (SELECT person FROM phones WHERE idx = ?) ORDER BY p.created_at, p.id`,
  )
  const documentsOf = db.prepare<DocumentRow>(
    `SELECT kind, idx AS "index", number, status, valid_from AS "from", valid_to AS "to"
     FROM documents WHERE person = ? ORDER BY position`,
  )
  const phonesOf = db.prepare<Omit<PhoneRow, 'proven'> & { proven: number }>(
    'SELECT idx AS "index", number, proven, valid_from AS "from" FROM phones WHERE person = ? ORDER BY position',
  )
  const insertPerson = db.prepare(
    'INSERT INTO people (data_key, name, proofing, status, created_at, version, id) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const updatePerson = db.prepare(
    `UPDATE people SET data_key = ?, name = ?, proofing = ?, status = ?, created_at = ?, version = ?
     WHERE id = ? AND version = ? AND status <> 'erased'`,
  )
  const putDocument = db.prepare(
    `INSERT INTO documents (kind, idx, person, position, number, status, valid_from, valid_to)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, idx) DO UPDATE SET position = excluded.position, number = excluded.number,
       status = excluded.status, valid_from = excluded.valid_from, valid_to = excluded.valid_to
     WHERE person = excluded.person`,
  )
  const countDocuments = db.prepare<{ n: number }>('SELECT count(*) AS n FROM documents WHERE person = ?')
  const dropPhones = db.prepare('DELETE FROM phones WHERE person = ?')
  const insertPhone = db.prepare(
    'INSERT INTO phones (person, position, idx, number, proven, valid_from) VALUES (?, ?, ?, ?, ?, ?)',
  )

  const endings = createEndings(db)

  const whole = (person: Person): PersonRow => ({
    ...person,
    documents: documentsOf.all(person.id),
    phones: phonesOf.all(person.id).map((phone) => ({ ...phone, proven: phone.proven === 1 })),
  })
  const fields = ({ dataKey, name, proofing, status, createdAt, version, id }: PersonRow) =>
    [dataKey, name, proofing, status, createdAt, version, id] as const

  /** Erasing is more than a status: it goes by `erase`. */
  function refuseErased({ status }: PersonRow): void {
    if (status === 'erased') throw new AppError('internal', { detail: 'a person is erased by erase' })
  }

  function putParts({ id, documents, phones }: PersonRow): void {
    documents.forEach((row, position) => {
      const changed = putDocument.run(row.kind, row.index, id, position, row.number, row.status, row.from, row.to)
      if (changed === 0) throw new AppError('conflict', { detail: 'a document belongs to somebody else' })
    })
    // Every stored document was just named, or one would vanish (or is named twice): a bug of the caller.
    if (countDocuments.get(id)?.n !== documents.length)
      throw new AppError('internal', { detail: 'a person row must name each of its documents once' })
    phones.forEach((row, position) =>
      insertPhone.run(id, position, row.index, row.number, row.proven ? 1 : 0, row.from),
    )
  }

  return {
    byId: (id) =>
      db.read(() => {
        const person = personById.get(id)
        return person && whole(person)
      }),
    byDocument: (kind, index) =>
      db.read(() => {
        const person = personByDocument.get(kind, index)
        return person && whole(person)
      }),
    byPhone: (index) => db.read(() => peopleByPhone.all(index).map(whole)),
    insert: (person) =>
      db.write(() => {
        refuseErased(person)
        insertPerson.run(...fields(person))
        putParts(person)
      }),
    update: (person) =>
      db.write(() => {
        refuseErased(person)
        const before = personById.get(person.id)
        const ended = before ? endedBy(whole(before), person) : []
        if (updatePerson.run(...fields(person), person.version - 1) === 0)
          throw new AppError('conflict', { detail: 'the person changed meanwhile' })
        dropPhones.run(person.id)
        putParts(person)
        db.enter(ended)
      }),
    erase: (id) =>
      db.write(() => {
        if (!endings.erase(id)) throw new AppError('conflict', { detail: 'nobody has this id' })
        db.enter([{ kind: 'person.erased', subject: id }])
      }),
  }
}
