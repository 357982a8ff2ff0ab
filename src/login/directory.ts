/**
 * The directory of citizens: people in the open on this side, sealed rows found by blind index on the other (DESIGN D6).
 * The only place that seals and opens what is known of a person.
 */
import { randomBytes } from 'node:crypto'
import type { Sealer } from '#src/crypto/sealer.ts'
import { AppError, isAppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { DocumentKind } from '#src/identity/id-number.ts'
import { sameName } from '#src/identity/name.ts'
import type { DocumentRow, DocumentStatus, PersonRow, PhoneRow, Storage } from '#src/storage/storage.ts'

export interface NewDocument {
  readonly kind: DocumentKind
  readonly number: string
  readonly status: DocumentStatus
}

export interface Account {
  readonly id: string
  readonly status: Citizen['status']
  open(): Promise<Citizen>
}

export interface Directory {
  byId(id: string): Promise<Citizen | undefined>
  /** One read and no opening: most requests need to know only that the person stands. */
  find(id: string): Promise<Account | undefined>
  /** Everybody who signs in by this phone, oldest account first. */
  byPhone(phone: string): Promise<readonly Citizen[]>
  byDocument(kind: DocumentKind, number: string): Promise<Citizen | undefined>
  /** @throws AppError `conflict` where the document already belongs to somebody */
  open(person: {
    name: string
    document: NewDocument
    phone: string
    proven: boolean
    proofing: Level
  }): Promise<Citizen>
  /**
   * Keeps what the register has just said to be one person's: name, document and phone. A claim of the document is
   * proven then and the claimant's phones end (DESIGN D8); the proofing is raised, never lowered.
   */
  bindProven(
    id: string,
    proven: { name: string; document: Omit<NewDocument, 'status'>; phone: string; proofing: Level },
  ): Promise<Citizen>
  /** The register has said again that the phone is that person's. */
  confirmPhone(id: string, phone: string): Promise<Citizen>
  /** The phone opens the account no more. */
  endPhone(id: string, phone: string): Promise<Citizen>
  /** The blind index of a phone or number: a key for counters that names nobody. */
  phoneIndex(phone: string): Promise<string>
  documentIndex(kind: DocumentKind, number: string): Promise<string>
}

interface Dependencies {
  readonly storage: Pick<Storage, 'people'>
  readonly sealer: Sealer
  readonly now?: () => number
}

const keyContext = (id: string) => `person:${id}`

/** A value is bound to its person and its column; a number also to its index, so that rows cannot be exchanged. */
const vaultOf = (sealer: Sealer, id: string, dataKey: string) => ({
  seal: (plain: string, column: string) => sealer.seal(dataKey, keyContext(id), plain, `${keyContext(id)}.${column}`),
  open: (sealed: string, column: string) => sealer.open(dataKey, keyContext(id), sealed, `${keyContext(id)}.${column}`),
})

const documentIndexOf = (sealer: Sealer, kind: string, number: string) => sealer.index('document', `${kind}|${number}`)

/**
 * Do these keys open this row, and is it found by them? For the restore of a backup.
 * @throws AppError `sealed_value_invalid`
 */
export async function tryKeys(sealer: Sealer, row: Pick<PersonRow, 'id' | 'dataKey' | 'documents'>): Promise<void> {
  for (const { kind, index, number } of row.documents) {
    const plain = await vaultOf(sealer, row.id, row.dataKey).open(number, `document.${index}`)
    if ((await documentIndexOf(sealer, kind, plain)) !== index)
      throw new AppError('sealed_value_invalid', { detail: 'the blind index is of another key' })
  }
}

export function createDirectory({ storage, sealer, now = Date.now }: Dependencies): Directory {
  const phoneIndex = (phone: string) => sealer.index('phone', phone)
  const documentIndex = (kind: DocumentKind, number: string) => documentIndexOf(sealer, kind, number)
  const vault = (id: string, dataKey: string) => vaultOf(sealer, id, dataKey)

  const opened = async (row: PersonRow): Promise<Citizen> => {
    const { id, status } = row
    if (status === 'erased') return { id, documents: [], phones: [], proofing: 1, status }
    const { open } = vault(row.id, row.dataKey)
    return {
      id: row.id,
      ...(row.name === undefined ? {} : { name: await open(row.name, 'name') }),
      documents: await Promise.all(
        row.documents.map(async ({ index, number, kind, ...rest }) => ({
          ...rest,
          kind: kind as DocumentKind,
          number: await open(number, `document.${index}`),
        })),
      ),
      phones: await Promise.all(
        row.phones.map(async ({ index, number, ...rest }) => ({
          ...rest,
          number: await open(number, `phone.${index}`),
        })),
      ),
      proofing: row.proofing as Level,
      status: row.status,
    }
  }

  const sealedPhone = async (id: string, dataKey: string, phone: string, proven: boolean): Promise<PhoneRow> => {
    const index = await phoneIndex(phone)
    return { index, number: await vault(id, dataKey).seal(phone, `phone.${index}`), proven, from: now() }
  }

  const sealedDocument = async (id: string, dataKey: string, document: NewDocument): Promise<DocumentRow> => {
    const index = await documentIndex(document.kind, document.number)
    const number = await vault(id, dataKey).seal(document.number, `document.${index}`)
    return { kind: document.kind, index, number, status: document.status, from: now() }
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

  return {
    phoneIndex,
    documentIndex,

    async byId(id) {
      const row = await storage.people.byId(id)
      return row && opened(row)
    },

    async find(id) {
      const row = await storage.people.byId(id)
      return row && { id: row.id, status: row.status, open: () => opened(row) }
    },

    async byPhone(phone) {
      return Promise.all((await storage.people.byPhone(await phoneIndex(phone))).map(opened))
    },

    async byDocument(kind, number) {
      const row = await storage.people.byDocument(kind, await documentIndex(kind, number))
      return row && opened(row)
    },

    async open({ name, document, phone, proven, proofing }) {
      const id = randomBytes(16).toString('base64url')
      const dataKey = await sealer.newDataKey(keyContext(id))
      const row: PersonRow = {
        id,
        dataKey,
        name: await vault(id, dataKey).seal(name, 'name'),
        documents: [await sealedDocument(id, dataKey, document)],
        phones: [await sealedPhone(id, dataKey, phone, proven)],
        proofing,
        status: 'active',
        createdAt: now(),
        version: 1,
      }
      await storage.people.insert(row)
      return opened(row)
    },

    bindProven: (id, { name, document, phone, proofing }) =>
      change(id, async (row) => {
        const { seal, open } = vault(id, row.dataKey)
        const index = await documentIndex(document.kind, document.number)
        const bound = await sealedPhone(id, row.dataKey, phone, true)
        const known = row.name !== undefined && sameName(await open(row.name, 'name'), name)
        return {
          name: known ? row.name : await seal(name, 'name'),
          documents: row.documents.map((old) =>
            old.kind === document.kind && old.index === index && old.status === 'claimed'
              ? { ...old, status: 'proven' as const }
              : old,
          ),
          phones: [...row.phones.filter((old) => old.proven && old.index !== bound.index), bound],
          proofing: Math.max(row.proofing, proofing),
        }
      }),

    async confirmPhone(id, phone) {
      const index = await phoneIndex(phone)
      return change(id, async ({ phones }) => ({
        phones: phones.map((old) => (old.index === index && old.proven ? { ...old, from: now() } : old)),
      }))
    },

    async endPhone(id, phone) {
      const index = await phoneIndex(phone)
      return change(id, async ({ phones }) => ({ phones: phones.filter((old) => old.index !== index) }))
    },
  }
}
