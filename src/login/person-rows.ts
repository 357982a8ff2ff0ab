/**
 * The rows of a person, sealed on the way in and opened on the way out (DESIGN D6). A value is bound to its person and
 * its column, a number also to its index, so that rows cannot be exchanged.
 */
import type { Sealer } from '#src/crypto/sealer.ts'
import { AppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { DocumentKind } from '#src/identity/id-number.ts'
import type { DocumentRow, DocumentStatus, PersonRow, PhoneRow } from '#src/storage/storage.ts'

/** Whose row it is, and the key it is sealed under. */
export type Keyed = Pick<PersonRow, 'id' | 'dataKey'>

export interface NewDocument {
  readonly kind: DocumentKind
  readonly number: string
  readonly status: DocumentStatus
}

export interface PersonRows {
  opened(row: PersonRow): Promise<Citizen>
  /** The number as it is kept: `claimText` of a claim that reserves nothing. */
  kept(row: Keyed, document: DocumentRow): Promise<string>
  openName(row: Keyed, sealed: string): Promise<string>
  name(row: Keyed, name: string): Promise<string>
  phone(row: Keyed, phone: string, proven: boolean): Promise<PhoneRow>
  document(row: Keyed, document: NewDocument): Promise<DocumentRow>
}

export const keyContext = (id: string) => `person:${id}`

const vaultOf = (sealer: Sealer, { id, dataKey }: Keyed) => ({
  seal: (plain: string, column: string) => sealer.seal(dataKey, keyContext(id), plain, `${keyContext(id)}.${column}`),
  open: (sealed: string, column: string) => sealer.open(dataKey, keyContext(id), sealed, `${keyContext(id)}.${column}`),
})

export const documentIndexOf = (sealer: Sealer, kind: string, number: string): Promise<string> =>
  sealer.index('document', `${kind}|${number}`)

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
export async function tryKeys(sealer: Sealer, row: Keyed & Pick<PersonRow, 'documents'>): Promise<void> {
  for (const { kind, index, number } of row.documents) {
    const plain = await vaultOf(sealer, row).open(number, `document.${index}`)
    if ((await documentIndexOf(sealer, kind, plain)) !== index)
      throw new AppError('sealed_value_invalid', { detail: 'the blind index is of another key' })
  }
}

export function createPersonRows(sealer: Sealer, now: () => number): PersonRows {
  const kept: PersonRows['kept'] = (row, { index, number }) => vaultOf(sealer, row).open(number, `document.${index}`)

  return {
    kept,
    openName: (row, sealed) => vaultOf(sealer, row).open(sealed, 'name'),
    name: (row, name) => vaultOf(sealer, row).seal(name, 'name'),

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
          row.phones.map(async ({ index, number, ...rest }) => ({
            ...rest,
            number: await open(number, `phone.${index}`),
          })),
        ),
        proofing: row.proofing as Level,
        status,
      }
    },

    async phone(row, phone, proven) {
      const index = await sealer.index('phone', phone)
      return { index, number: await vaultOf(sealer, row).seal(phone, `phone.${index}`), proven, from: now() }
    },

    async document(row, { kind, number, status }) {
      const index = await documentIndexOf(sealer, kind, number)
      const sealed = await vaultOf(sealer, row).seal(number, `document.${index}`)
      return { kind, index, number: sealed, status, from: now() }
    },
  }
}
