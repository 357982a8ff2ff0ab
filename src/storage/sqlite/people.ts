/**
 * People, their documents and phones (DESIGN D6). A document has an index of each version of the index key, and each is
 * a primary key with its kind: so two numbers are the same wherever one version is known to both who write them.
 */
import { wrappingKeyOf } from '#src/crypto/key-wrapper.ts'
import { AppError } from '#src/errors.ts'
import { indexSetsOf } from '../index-sets.ts'
import type { Dependence, DocumentRow, People, PeopleCounting, PersonRow, StoredPerson } from '../storage.ts'
import type { Connection, Reader } from './connection.ts'
import { createEndings } from './endings.ts'
import type { Act } from './ledger.ts'
import { createPersonRows } from './person-rows.ts'

/** What an update ends, and a restore must not bring back. */
function endedBy(before: PersonRow, { id, status, documents, phones }: PersonRow): readonly Act[] {
  const was = (row: DocumentRow) => before.documents.find((old) => old.id === row.id)
  const standing: readonly Act[] =
    status === before.status
      ? []
      : [{ kind: status === 'active' ? 'person.reinstated' : 'person.suspended', subject: id }]
  const endedPhones = before.phones
    .filter((old) => phones.every((phone) => phone.id !== old.id))
    .map((old): Act => ({ kind: 'phone.ended', subject: id, part: old.id }))
  const endedDocuments = documents.flatMap((row): Act[] =>
    (row.status === 'replaced' || row.status === 'void') && row.status !== was(row)?.status
      ? [{ kind: `document.${row.status}`, subject: id, part: row.id }]
      : [],
  )
  return [...standing, ...endedPhones, ...endedDocuments]
}

/** Erasing is more than a status: it goes by `erase`. */
function refuseErased({ status }: PersonRow): void {
  if (status === 'erased') throw new AppError('internal', { detail: 'a person is erased by erase' })
}

const belongsElsewhere = () => new AppError('conflict', { detail: 'a document belongs to somebody else' })

const fields = (row: StoredPerson) =>
  [
    ...[row.dataKey, row.name, row.proofing, row.status, row.createdAt, row.version, row.mac],
    ...[wrappingKeyOf(row.dataKey), indexSetsOf(row), row.id],
  ] as const

/** Writes the documents and phones of a person whose row stands. */
function createParts(db: Connection) {
  const putDocument = db.prepare(
    `INSERT INTO documents (id, kind, person, position, number, reserve, status, valid_from, valid_to)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET position = excluded.position, number = excluded.number,
       reserve = excluded.reserve, status = excluded.status, valid_from = excluded.valid_from,
       valid_to = excluded.valid_to
     WHERE person = excluded.person AND kind = excluded.kind`,
  )
  const countDocuments = db.prepare<{ n: number }>('SELECT count(*) AS n FROM documents WHERE person = ?')
  const addIndex = db.prepare('INSERT INTO document_indexes (kind, idx, document) VALUES (?, ?, ?)')
  const dropIndex = db.prepare('DELETE FROM document_indexes WHERE kind = ? AND idx = ? AND document = ?')
  const dropPhones = db.prepare('DELETE FROM phones WHERE person = ?')
  const insertPhone = db.prepare(
    'INSERT INTO phones (id, person, position, number, proven, valid_from) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const addPhoneIndex = db.prepare('INSERT INTO phone_indexes (idx, phone) VALUES (?, ?)')

  /** The new ones first: a document is never without one. */
  const putIndexes = ({ id, kind, indexes }: DocumentRow, before: readonly string[] = []): void => {
    for (const index of indexes) if (!before.includes(index)) addIndex.run(kind, index, id)
    for (const index of before) if (!indexes.includes(index)) dropIndex.run(kind, index, id)
  }

  const putPhones = ({ id: person, phones }: PersonRow): void => {
    dropPhones.run(person)
    phones.forEach(({ id, indexes, number, proven, from }, position) => {
      insertPhone.run(id, person, position, number, proven ? 1 : 0, from)
      for (const index of indexes) addPhoneIndex.run(index, id)
    })
  }

  const put = (person: PersonRow, before?: PersonRow): void => {
    person.documents.forEach((row, position) => {
      const { id, kind, number, reserve, status, from, to } = row
      if (putDocument.run(id, kind, person.id, position, number, reserve, status, from, to) === 0)
        throw belongsElsewhere()
      putIndexes(row, before?.documents.find((old) => old.id === id)?.indexes)
    })
    // Every stored document was just named, or one would vanish (or is named twice): a bug of the caller.
    if (countDocuments.get(person.id)?.n !== person.documents.length)
      throw new AppError('internal', { detail: 'a person row must name each of its documents once' })
    putPhones(person)
  }
  return { put, putIndexes, putPhones }
}

/** Finds rows by the keys they hang on, through the indexes on (column, id). */
export function createDependences(db: Reader): PeopleCounting {
  const over = (column: string) => ({
    // Steps from value to value through the index; DISTINCT would read every row.
    values: db.prepare<{ value: string }>(
      `WITH RECURSIVE names (value) AS (
         SELECT min(${column}) FROM people WHERE ${column} > '' UNION ALL
         SELECT (SELECT min(${column}) FROM people WHERE ${column} > names.value) FROM names
         WHERE names.value IS NOT NULL
       ) SELECT value FROM names WHERE value IS NOT NULL`,
    ),
    ids: db.prepare<{ id: string }>(`SELECT id FROM people WHERE ${column} = ? AND id > ? ORDER BY id LIMIT ?`),
  })
  const by: Readonly<Record<Dependence, ReturnType<typeof over>>> = {
    wrapping: over('wrapping'),
    indexes: over('index_sets'),
  }
  return {
    dependences: (on) => db.read(() => by[on].values.all().map(({ value }) => value)),
    dependents: (on, value, after, limit) => db.read(() => by[on].ids.all(value, after, limit).map(({ id }) => id)),
  }
}

export function createPeople(db: Connection): People<StoredPerson> {
  const rows = createPersonRows(db)
  const parts = createParts(db)
  const endings = createEndings(db)
  const personByDocument = rows.search(
    `document_indexes i JOIN documents d ON d.id = i.document JOIN people p ON p.id = d.person
     WHERE i.kind = ? AND i.idx = ?`,
  )
  const peopleByPhone = rows.search(
    `people p WHERE p.id IN (
       SELECT ph.person FROM json_each(?) wanted JOIN phone_indexes i ON i.idx = wanted.value
       JOIN phones ph ON ph.id = i.phone
     ) ORDER BY p.created_at, p.id`,
  )
  const insertPerson = db.prepare(
    `INSERT INTO people
       (data_key, name, proofing, status, created_at, version, mac, wrapping, index_sets, id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const updatePerson = db.prepare(
    `UPDATE people SET data_key = ?, name = ?, proofing = ?, status = ?, created_at = ?, version = ?, mac = ?,
       wrapping = ?, index_sets = ?
     WHERE id = ? AND version = ? AND status <> 'erased'`,
  )
  const renewPerson = db.prepare(
    `UPDATE people SET data_key = ?, version = ?, mac = ?, wrapping = ?, index_sets = ? WHERE id = ? AND version = ?`,
  )

  return {
    ...createDependences(db),
    byId: (id) => db.read(() => rows.byId(id)),
    byDocument: (kind, indexes) =>
      db.read(() => {
        for (const index of indexes) {
          const person = personByDocument.get(kind, index)
          if (person) return rows.whole(person)
        }
        return undefined
      }),
    byPhone: (indexes) => db.read(() => peopleByPhone.all(JSON.stringify(indexes)).map(rows.whole)),
    insert: (person) =>
      db.write(() => {
        refuseErased(person)
        insertPerson.run(...fields(person))
        parts.put(person)
      }),
    update: (person) =>
      db.write(() => {
        refuseErased(person)
        const before = rows.byId(person.id)
        if (!before || updatePerson.run(...fields(person), person.version - 1) === 0)
          throw new AppError('conflict', { detail: 'the person changed meanwhile' })
        parts.put(person, before)
        db.enter(endedBy(before, person))
      }),
    renew: (person) =>
      db.write(() => {
        const { id, dataKey, version, mac } = person
        const before = rows.byId(id)
        const keys = [wrappingKeyOf(dataKey), indexSetsOf(person)] as const
        if (!before || renewPerson.run(dataKey, version, mac, ...keys, id, version - 1) === 0) return false
        for (const row of person.documents)
          parts.putIndexes(row, before.documents.find((old) => old.id === row.id)?.indexes)
        parts.putPhones(person)
        return true
      }),
    erase: (id) =>
      db.write(() => {
        if (!endings.erase(id)) throw new AppError('conflict', { detail: 'nobody has this id' })
        db.enter([{ kind: 'person.erased', subject: id }])
      }),
  }
}
