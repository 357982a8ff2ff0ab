/**
 * Carries out the endings that the ledger keeps: as they are asked for, and again on a database that has not seen them.
 * To carry one out twice changes nothing.
 */
import { hashed } from '../sealed-artifacts.ts'
import { linkKind, noticeKind, passkeyKind } from '../storage.ts'
import type { Reader } from './connection.ts'
import type { Act, ActKind, Mark } from './ledger.ts'

export interface Endings {
  /** Destroys the data key and all that is personal; the documents stay reserved, void. False: nobody has the id. */
  erase(person: string): boolean
  carryOut(act: Act): void
  mark(): Mark
  /** Up to here the database has carried out what the ledger holds. */
  setMark(mark: Mark): void
}

export function createEndings(db: Pick<Reader, 'prepare'>): Endings {
  const known = db.prepare('SELECT 1 FROM people WHERE id = ?')
  const erasePerson = db.prepare(
    `UPDATE people SET data_key = '', name = NULL, proofing = 1, status = 'erased', version = version + 1, mac = '',
       wrapping = ''
     WHERE id = ? AND status <> 'erased'`,
  )
  const voidDocuments = db.prepare("UPDATE documents SET number = '', status = 'void' WHERE person = ?")
  const dropPhones = db.prepare('DELETE FROM phones WHERE person = ?')
  const dropAccount = db.prepare('DELETE FROM artifacts WHERE account = ?')
  const setStatus = db.prepare(
    "UPDATE people SET status = ?, version = version + 1 WHERE id = ? AND status NOT IN (?1, 'erased')",
  )
  const dropPhone = db.prepare('DELETE FROM phones WHERE person = ? AND id = ?')
  const endDocument = db.prepare(
    "UPDATE documents SET status = ? WHERE person = ? AND id = ? AND status IN ('claimed', 'proven')",
  )
  const lowerProofing = db.prepare(
    `UPDATE people SET proofing = 1, version = version + 1 WHERE id = ? AND proofing > 1
     AND NOT EXISTS (SELECT 1 FROM documents WHERE person = people.id AND status = 'proven')`,
  )
  const dropArtifact = db.prepare('DELETE FROM artifacts WHERE kind = ? AND id = ?')
  const getMark = db.prepare<Mark>('SELECT seq, hash FROM ledger_head WHERE only = 1')
  const putMark = db.prepare('UPDATE ledger_head SET seq = ?, hash = ? WHERE only = 1')

  const erase = (person: string): boolean => {
    erasePerson.run(person)
    voidDocuments.run(person)
    dropPhones.run(person)
    dropAccount.run(hashed(person))
    return known.get(person) !== undefined
  }

  const end = (status: 'replaced' | 'void') => (person: string, document?: string) => {
    endDocument.run(status, person, document)
    lowerProofing.run(person)
  }

  const ways: Readonly<Record<ActKind, (subject: string, part?: string) => unknown>> = {
    'person.erased': erase,
    'person.suspended': (person) => setStatus.run('suspended', person),
    'person.reinstated': (person) => setStatus.run('active', person),
    'phone.ended': (person, phone) => dropPhone.run(person, phone),
    'document.replaced': end('replaced'),
    'document.void': end('void'),
    'notice.withdrawn': (notice) => dropArtifact.run(noticeKind, notice),
    'passkey.removed': (passkey) => dropArtifact.run(passkeyKind, passkey),
    'link.removed': (link) => dropArtifact.run(linkKind, link),
  }

  return {
    erase,
    carryOut: ({ kind, subject, part }) => void ways[kind](subject, part),
    mark: () => getMark.get() as Mark,
    setMark: ({ seq, hash }) => void putMark.run(seq, hash),
  }
}
