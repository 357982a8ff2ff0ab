/**
 * The directory of citizens: people in the open on this side, sealed rows found by blind index on the other (DESIGN D6).
 * The only place that seals and opens what is known of a person.
 */
import { randomBytes } from 'node:crypto'
import { AppError, isAppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { DocumentKind } from '#src/identity/id-number.ts'
import { sameName } from '#src/identity/name.ts'
import type { DocumentRow, DocumentStatus, PersonRow, PhoneRow, Storage } from '#src/storage/storage.ts'
import { claimText, createPersonRows, isSame, keyContext, numberIn } from './person-rows.ts'
import type { NewDocument, Sealing } from './person-rows.ts'
import { takeover } from './takeover.ts'

export interface Account {
  readonly id: string
  readonly status: Citizen['status']
  readonly proofing: Level
  open(): Promise<Citizen>
}

/** What was shown to be one person's: by the register's three elements, or by a verifier of the person himself. */
export interface Proof {
  readonly name: string
  readonly document: Omit<NewDocument, 'status'>
  /** E.164; absent where it needed none. */
  readonly phone?: string
  readonly proofing: Level
  /** It was given in a session of the account that it is bound to. */
  readonly held?: boolean
  /** The account must have no number yet, nor be proven to more than this: else it is another's matter. */
  readonly first?: boolean
}

export interface Bound {
  readonly citizen: Citizen
  /** Whoever held the account before is out. */
  readonly reclaimed: boolean
  /** The phone opened the account already. */
  readonly known: boolean
  /** Other phones that still open it, and those that no longer do; E.164. */
  readonly others: readonly string[]
  readonly ended: readonly string[]
}

export interface Opening {
  /** From `newPersonId`, where it has to be known before. */
  readonly id?: string
  /** Absent of an account without a number, whose holder is known by a code alone. */
  readonly name?: string
  readonly document?: NewDocument
  readonly phone?: string
  readonly proven?: boolean
  readonly proofing: Level
  /** The number is claimed by its format alone and stays free for its true holder. */
  readonly unreserved?: boolean
}

/** Random, and says nothing. */
export const newPersonId = (): string => randomBytes(16).toString('base64url')

type Numbered = Pick<NewDocument, 'kind' | 'number'>

export interface Directory {
  byId(id: string): Promise<Citizen | undefined>
  /** One read and no opening: most requests need to know only that the person stands. */
  find(id: string): Promise<Account | undefined>
  /** Everybody who signs in by this phone, oldest account first. */
  byPhone(phone: string): Promise<readonly Citizen[]>
  byDocument(kind: DocumentKind, number: string): Promise<Citizen | undefined>
  /** Whoever claimed this number by its format alone, with this phone. */
  byUnreservedClaim(kind: DocumentKind, number: string, phone: string): Promise<Citizen | undefined>
  /** @throws AppError `conflict` where the document already belongs to somebody */
  open(person: Opening): Promise<Citizen>
  /**
   * Keeps what was just proven to be one person's: name, document and phone. A claim of the document, and one that was
   * void, is proven then; phones end as `takeover` says; the proofing is raised, never lowered.
   * @throws AppError `conflict` where it had to be the first and is not
   */
  bindProven(id: string, proof: Proof): Promise<Bound>
  /** The register has said again that the phone is that person's. */
  confirmPhone(id: string, phone: string): Promise<Citizen>
  /** The phone opens the account no more. */
  endPhone(id: string, phone: string): Promise<Citizen>
  /** Nobody signs in to the account any more. */
  suspend(id: string): Promise<Citizen>
  rename(id: string, name: string): Promise<Citizen>
  /**
   * The document stands no more, and another takes its place if one is given: also of one that a restore ended again,
   * then as a claim, since nobody knows any more what it was. The proofing falls to 1 where none is proven then.
   * @throws AppError `conflict` where the other belongs to somebody else
   */
  endDocument(id: string, document: Numbered, status: 'void' | 'replaced', next?: string): Promise<Citizen>
  /** Does the person sign in by this phone? */
  hasPhone(id: string, phone: string): Promise<boolean>
  /** A key for counters, of a phone or number: it names nobody, and no change of keys moves it. */
  phoneKey(phone: string): Promise<string>
  documentKey(kind: DocumentKind, number: string): Promise<string>
}

interface Dependencies extends Sealing {
  readonly storage: Pick<Storage, 'people'>
  readonly now?: () => number
}

/**
 * May this proof bring its number into the account? One that has none was opened by a code, whose level says nothing of
 * a number: what is proven with less must not get it.
 */
export const mayGrow = (
  { status, documents, proofing }: Pick<PersonRow, 'status' | 'proofing'> & { readonly documents: readonly unknown[] },
  level: Level,
): boolean => status === 'active' && documents.length === 0 && proofing <= level

const stands = ({ status }: { readonly status: DocumentStatus }) => status === 'claimed' || status === 'proven'

export function createDirectory({ storage, now = Date.now, ...sealing }: Dependencies): Directory {
  const rows = createPersonRows(sealing, now)
  const { opened } = rows
  const { sealer, pseudonym } = sealing
  const phoneIndexes = (phone: string) => sealer.indexes('phone', phone)
  const counterKey = async (of: string) => (await pseudonym(`yihao counter v1\n${of}`)).toString('base64url')

  const byDocument = async (kind: DocumentKind, number: string): Promise<Citizen | undefined> => {
    const row = await storage.people.byDocument(kind, await rows.documentIndexes(kind, number))
    return row && opened(row)
  }

  /** Changes a row; who loses a race for it looks again, and each round somebody has won. */
  const change = async (
    id: string,
    changes: (row: PersonRow) => Promise<Partial<PersonRow>>,
    seen = 0,
  ): Promise<Citizen> => {
    const row = await storage.people.byId(id)
    if (!row || row.version === seen) throw new AppError('conflict', { detail: 'the person is gone or cannot change' })
    const changed: PersonRow = { ...row, ...(await changes(row)), version: row.version + 1 }
    try {
      await storage.people.update(changed)
    } catch (error) {
      if (isAppError(error, 'conflict')) return change(id, changes, row.version)
      throw error
    }
    return opened(changed)
  }

  /** The documents with this one in that status, and with a new row where the person has not got it yet. */
  const withDocument = async (row: PersonRow, document: NewDocument): Promise<readonly DocumentRow[]> => {
    const fresh = await rows.document(row, document)
    const isIt = (old: DocumentRow) => old.kind === fresh.kind && isSame(old.indexes, fresh.indexes)
    if (!row.documents.some(isIt)) return [...row.documents, fresh]
    return row.documents.map((old) => {
      // A corrected number is nobody's any more; a void document may stand again.
      if (!isIt(old) || old.status === 'replaced' || old.status === 'proven') return old
      const { to: _, ...rest } = old
      return { ...rest, status: document.status }
    })
  }

  /** A claim by format is over once its number is proven. */
  const withoutClaims = (row: PersonRow, { kind, number }: Numbered, documents: readonly DocumentRow[]) =>
    Promise.all(
      documents.map(async (old) => {
        if (old.kind !== kind || old.status !== 'claimed') return old
        const isIt = numberIn(await rows.kept(row, old)) === number
        return isIt ? { ...old, status: 'replaced' as const, to: now() } : old
      }),
    )

  return {
    byDocument,
    phoneKey: (phone) => counterKey(`phone\n${phone}`),
    documentKey: (kind, number) => counterKey(`document\n${kind}\n${number}`),
    byUnreservedClaim: (kind, number, phone) => byDocument(kind, claimText(number, phone)),

    async byId(id) {
      const row = await storage.people.byId(id)
      return row && opened(row)
    },

    async find(id) {
      const row = await storage.people.byId(id)
      return row && { id: row.id, status: row.status, proofing: row.proofing as Level, open: () => opened(row) }
    },

    async byPhone(phone) {
      return Promise.all((await storage.people.byPhone(await phoneIndexes(phone))).map(opened))
    },

    async hasPhone(id, phone) {
      const [row, indexes] = await Promise.all([storage.people.byId(id), phoneIndexes(phone)])
      return row?.phones.some((one) => isSame(one.indexes, indexes)) ?? false
    },

    async open({ id = newPersonId(), name, document, phone, proven = false, proofing, unreserved = false }) {
      const key = { id, dataKey: await sealer.newDataKey(keyContext(id)) }
      const numberOf = ({ number }: NewDocument) => (unreserved && phone ? claimText(number, phone) : number)
      const row: PersonRow = {
        ...key,
        ...(name === undefined ? {} : { name: await rows.name(key, name) }),
        documents: document ? [await rows.document(key, { ...document, number: numberOf(document) })] : [],
        phones: phone === undefined ? [] : [await rows.phone(key, phone, proven)],
        proofing,
        status: 'active',
        createdAt: now(),
        version: 1,
      }
      await storage.people.insert(row)
      return opened(row)
    },

    async bindProven(id, { name, document, phone, proofing, held: inSession, first = false }) {
      let outcome: Omit<Bound, 'citizen'> | undefined
      const citizen = await change(id, async (row) => {
        if (first && !mayGrow(row, proofing))
          throw new AppError('conflict', { detail: 'the account cannot grow by it' })
        const bound = phone === undefined ? undefined : await rows.phone(row, phone, true, row.phones)
        const taken = takeover(row, { proofing, phone: bound?.id, held: inSession })
        const held = (await opened(row)).phones
        const numbersOf = (phones: readonly PhoneRow[]) =>
          phones.flatMap((one) => held[row.phones.indexOf(one)]?.number ?? [])
        const { reclaimed, known } = taken
        outcome = { reclaimed, known, others: numbersOf(taken.others), ended: numbersOf(taken.ended) }
        // A new phone may mean that the old ones were given up: the register is asked at their next use.
        const others = known || !bound ? taken.others : taken.others.map((old) => ({ ...old, from: 0 }))
        const same = row.name !== undefined && sameName(await rows.openName(row, row.name), name)
        const documents = await withDocument(row, { ...document, status: 'proven' })
        return {
          name: same ? row.name : await rows.name(row, name),
          documents: await withoutClaims(row, document, documents),
          phones: [...others, ...(bound ? [bound] : [])],
          proofing: Math.max(row.proofing, proofing),
        }
      })
      return { citizen, ...(outcome as Omit<Bound, 'citizen'>) }
    },

    async confirmPhone(id, phone) {
      const indexes = await phoneIndexes(phone)
      return change(id, async ({ phones }) => ({
        phones: phones.map((old) => (isSame(old.indexes, indexes) && old.proven ? { ...old, from: now() } : old)),
      }))
    },

    async endPhone(id, phone) {
      const indexes = await phoneIndexes(phone)
      return change(id, async ({ phones }) => ({ phones: phones.filter((old) => !isSame(old.indexes, indexes)) }))
    },

    suspend: (id) => change(id, async () => ({ status: 'suspended' })),

    rename: (id, name) => change(id, async (row) => ({ name: await rows.name(row, name) })),

    async endDocument(id, { kind, number }, status, next) {
      const indexes = await rows.documentIndexes(kind, number)
      return change(id, async (row) => {
        const old = row.documents.find((one) => one.kind === kind && isSame(one.indexes, indexes))
        const standing = old && stands(old) ? old : undefined
        const ended = row.documents.map((one) => (one === standing ? { ...one, status, to: now() } : one))
        const left = standing?.status ?? (old?.status === 'replaced' ? 'claimed' : undefined)
        const added = left && next !== undefined ? { kind, number: next, status: left } : undefined
        const documents = added ? await withDocument({ ...row, documents: ended }, added) : ended
        return { documents, proofing: documents.some((one) => one.status === 'proven') ? row.proofing : 1 }
      })
    },
  }
}
