/**
 * A person as rooms above see one: opened, never stored in this shape (its sealed rows are `PersonRow`; DESIGN D6).
 */

import type { Level } from './assurance.ts'
import { ageOn } from './calendar.ts'
import { birthDateIn, documentKinds, type DocumentKind } from './id-number.ts'

export type DocumentStatus = 'claimed' | 'proven' | 'replaced' | 'void'

export interface CitizenDocument {
  readonly kind: DocumentKind
  readonly number: string
  readonly status: DocumentStatus
  /** Milliseconds. */
  readonly from: number
  readonly to?: number
}

export interface CitizenPhone {
  /** E.164. */
  readonly number: string
  readonly proven: boolean
  /** Milliseconds; of a proven phone, when the register last said that it is this person's. */
  readonly from: number
}

export interface Citizen {
  readonly id: string
  readonly name?: string
  readonly documents: readonly CitizenDocument[]
  readonly phones: readonly CitizenPhone[]
  readonly proofing: Level
  readonly status: 'active' | 'suspended' | 'erased'
}

/** The document the person goes by: proven before claimed, then the order of `documentKinds`, then the newest. */
export function primaryDocument(citizen: Citizen): CitizenDocument | undefined {
  return standing(citizen)[0]
}

/** `YYYY-MM-DD` from the first standing document whose number holds it. */
export function birthDateOf(citizen: Citizen): string | undefined {
  return standing(citizen)
    .map(({ number }) => birthDateIn(number))
    .find((date) => date !== undefined)
}

/** 已满N周岁; undefined where no document says the date of birth. */
export function ageOver(citizen: Citizen, years: number, now: number): boolean | undefined {
  const birthDate = birthDateOf(citizen)
  return birthDate === undefined ? undefined : ageOn(birthDate, now) >= years
}

function standing(citizen: Citizen): readonly CitizenDocument[] {
  const rank = ({ status, kind }: CitizenDocument): number =>
    (status === 'proven' ? 0 : documentKinds.length) + documentKinds.indexOf(kind)
  return citizen.documents
    .filter(({ status }) => status === 'proven' || status === 'claimed')
    .toSorted((a, b) => rank(a) - rank(b) || b.from - a.from)
}
