/**
 * The rows of a person, sealed on the way in and opened on the way out (DESIGN D6). A value is bound to its person and
 * its column, a number also to the id of its document or phone, so that rows cannot be exchanged.
 *
 * A document's indexes are not made of its number but of a keyed hash of it, the reserve, which is sealed under a key of
 * the store: so the documents of an erased person, whose numbers are gone, are indexed anew like all others.
 */
import { randomBytes } from 'node:crypto'
import type { Mac } from '#src/crypto/mac.ts'
import { indexVersionOf, type Sealer } from '#src/crypto/sealer.ts'
import { AppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { DocumentKind } from '#src/identity/id-number.ts'
import type { DocumentRow, DocumentStatus, PersonRow, PhoneRow } from '#src/storage/storage.ts'
import type { Vault } from '#src/storage/vault.ts'

/** Whose row it is, and the key it is sealed under. */
export type Keyed = Pick<PersonRow, 'id' | 'dataKey'>

export interface NewDocument {
  readonly kind: DocumentKind
  readonly number: string
  readonly status: DocumentStatus
}

export interface Sealing {
  readonly sealer: Sealer
  /** Under a key that never changes; what it gives names nobody. */
  readonly pseudonym: Mac
  /** Holds what documents are indexed by. */
  readonly reserve: Vault
}

export interface PersonRows {
  opened(row: PersonRow): Promise<Citizen>
  /** The number as it is kept: `claimText` of a claim that reserves nothing. */
  kept(row: Keyed, document: DocumentRow): Promise<string>
  openName(row: Keyed, sealed: string): Promise<string>
  name(row: Keyed, name: string): Promise<string>
  /** @param held phones of the person; one that he has already keeps its id and its other indexes */
  phone(row: Keyed, phone: string, proven: boolean, held?: readonly PhoneRow[]): Promise<PhoneRow>
  document(row: Keyed, document: NewDocument): Promise<DocumentRow>
  documentIndexes(kind: string, number: string): Promise<readonly string[]>
  /** The row with its data key under the current wrapping key; itself where it is already. */
  rewrapped(row: PersonRow): Promise<PersonRow>
  /** The row with indexes of exactly the versions in force, and of what is newer. */
  reindexed(row: PersonRow): Promise<PersonRow>
}

export const keyContext = (id: string) => `person:${id}`

const vaultOf = (sealer: Sealer, { id, dataKey }: Keyed) => ({
  seal: (plain: string, column: string) => sealer.seal(dataKey, keyContext(id), plain, `${keyContext(id)}.${column}`),
  open: (sealed: string, column: string) => sealer.open(dataKey, keyContext(id), sealed, `${keyContext(id)}.${column}`),
})

const newId = (): string => randomBytes(16).toString('base64url')

/** The same number, as far as any version of the index key is known to both who wrote them. */
export const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.some((index) => other.includes(index))

const reserveOf = async (pseudonym: Mac, kind: string, number: string): Promise<string> =>
  (await pseudonym(`yihao document v1\n${kind}\n${number}`)).toString('base64url')

const reservePlace = (person: string, document: string) => `${keyContext(person)}.document.${document}`

/**
 * What a claim by format alone is kept under: number and phone together. So it is one for each phone, is found again by
 * that phone only, and keeps the number from nobody: its true holder, or the holder of another state's passport.
 */
export const claimText = (number: string, phone: string): string => `${number}${phone}`
/** A phone is E.164 and no number holds a plus. */
export const numberIn = (kept: string): string => kept.split('+', 1)[0] as string

/**
 * Do these keys open this row, and is it found by them? For the restore of a backup.
 * @throws AppError `sealed_value_invalid`
 */
export async function tryKeys(keys: Pick<Sealing, 'sealer' | 'pseudonym'>, row: PersonRow): Promise<void> {
  for (const { id, kind, indexes, number } of row.documents) {
    const plain = await vaultOf(keys.sealer, row).open(number, `document.${id}`)
    if (!isSame(await keys.sealer.indexes('document', await reserveOf(keys.pseudonym, kind, plain)), indexes))
      throw new AppError('sealed_value_invalid', { detail: 'the blind index is of another key' })
  }
}

export function createPersonRows({ sealer, pseudonym, reserve }: Sealing, now: () => number): PersonRows {
  const kept: PersonRows['kept'] = (row, { id, number }) => vaultOf(sealer, row).open(number, `document.${id}`)

  /** Those that are made, and of the others what is newer: another node has seen a key that this one has not. */
  const renewed = <Row extends { readonly indexes: readonly string[] }>(row: Row, made: readonly string[]): Row => {
    const oldest = Math.min(...made.map(indexVersionOf))
    const others = row.indexes.filter((index) => !made.includes(index) && indexVersionOf(index) > oldest)
    return { ...row, indexes: [...made, ...others].toSorted() }
  }

  return {
    kept,
    openName: (row, sealed) => vaultOf(sealer, row).open(sealed, 'name'),
    name: (row, name) => vaultOf(sealer, row).seal(name, 'name'),
    documentIndexes: async (kind, number) => sealer.indexes('document', await reserveOf(pseudonym, kind, number)),

    async opened(row) {
      const { id, status } = row
      if (status === 'erased') return { id, documents: [], phones: [], proofing: 1, status }
      const { open } = vaultOf(sealer, row)
      return {
        id,
        ...(row.name === undefined ? {} : { name: await open(row.name, 'name') }),
        documents: await Promise.all(
          row.documents.map(async (document) => {
            const { kind, status: standing, from, to } = document
            const number = numberIn(await kept(row, document))
            return { kind: kind as DocumentKind, number, status: standing, from, ...(to === undefined ? {} : { to }) }
          }),
        ),
        phones: await Promise.all(
          row.phones.map(async ({ id: phone, number, proven, from }) => ({
            number: await open(number, `phone.${phone}`),
            proven,
            from,
          })),
        ),
        proofing: row.proofing as Level,
        status,
      }
    },

    async phone(row, phone, proven, held = []) {
      const indexes = (await sealer.indexes('phone', phone)).toSorted()
      const known = held.find((one) => isSame(one.indexes, indexes))
      if (known) return { ...renewed(known, indexes), proven, from: now() }
      const id = newId()
      return { id, indexes, number: await vaultOf(sealer, row).seal(phone, `phone.${id}`), proven, from: now() }
    },

    async document(row, { kind, number, status }) {
      const id = newId()
      const reserved = await reserveOf(pseudonym, kind, number)
      return {
        id,
        kind,
        indexes: (await sealer.indexes('document', reserved)).toSorted(),
        number: await vaultOf(sealer, row).seal(number, `document.${id}`),
        reserve: await reserve.seal(reserved, reservePlace(row.id, id)),
        status,
        from: now(),
      }
    },

    async rewrapped(row) {
      const dataKey = row.dataKey === '' ? undefined : await sealer.rewrap(row.dataKey, keyContext(row.id))
      return dataKey === undefined ? row : { ...row, dataKey }
    },

    async reindexed(row) {
      const { open } = vaultOf(sealer, row)
      const documents = row.documents.map(async (one) => {
        const reserved = await reserve.open(one.reserve, reservePlace(row.id, one.id))
        return renewed(one, await sealer.indexes('document', reserved))
      })
      const phones = row.phones.map(async (one) =>
        renewed(one, await sealer.indexes('phone', await open(one.number, `phone.${one.id}`))),
      )
      return { ...row, documents: await Promise.all(documents), phones: await Promise.all(phones) }
    },
  }
}
