/**
 * The closed table of identity documents and the one way into it, `parseDocument`: citizens' numbers
 * (GB 11643-1999, and 1989 upgraded), residence permits (国办发〔2018〕81号), foreigner cards (2023 and older),
 * travel permits and passports. Area codes are not looked up: a number keeps the code of its first registration.
 */

import { AppError, type ErrorCode } from '#src/errors.ts'
import { dayInChina, parseDate } from './calendar.ts'
import { checkCharacter } from './check-digit.ts'
import { compact } from './half-width.ts'

export const documentKinds = [
  'resident-id-card',
  'hk-macao-taiwan-residence-permit',
  'foreigner-permanent-resident-card',
  'hk-macao-travel-permit',
  'taiwan-travel-permit',
  'passport',
] as const

export type DocumentKind = (typeof documentKinds)[number]

/**
 * Kinds that a population register need not hold: where it knows nothing of one, its format alone makes it a claim, until
 * a register or a window confirms it (DESIGN D8). A passport's number is unique only within the state that issued it,
 * which is not asked yet; so no claim of these kinds reserves its number.
 */
const formatOnly: ReadonlySet<DocumentKind> = new Set(['hk-macao-travel-permit', 'taiwan-travel-permit', 'passport'])
export const isFormatOnly = (kind: DocumentKind): boolean => formatOnly.has(kind)

export type Sex = 'male' | 'female'

declare const brand: unique symbol
/** A normalised document number: equal documents have equal text. */
export type IdNumber = string & { readonly [brand]: 'IdNumber' }

export interface Document {
  readonly kind: DocumentKind
  readonly number: IdNumber
  /** `YYYY-MM-DD`, where the number says it. */
  readonly birthDate?: string
  readonly sex?: Sex
  /** A check character was given and fits; false where only the format could be judged. */
  readonly checked: boolean
}

type Reading = Omit<Document, 'kind' | 'number'> & { readonly number: string }

const readers: Readonly<Record<DocumentKind, (number: string, today: string) => Reading>> = {
  // 810000, 820000 and 830000 are the residence permits' own codes; 9 marks a foreigner.
  'resident-id-card': (number, today) =>
    readCoded(upgrade(number), /^(?!8[123]0000)[1-8]/, today, number.length === 18),
  'hk-macao-taiwan-residence-permit': (number, today) => readCoded(number, /^8[123]0000/, today),
  'foreigner-permanent-resident-card': (number, today) =>
    /^[A-Z]/.test(number) ? readFormat(number, /^[A-Z]{3}\d{12}$/, [15]) : readCoded(number, /^9/, today),
  // Letter and eight digits stay for life; the older eleven-character print adds how often the card was renewed.
  'hk-macao-travel-permit': (number) => {
    const reading = readFormat(number, /^[A-Z]\d{8}(\d\d)?$/, [9, 11])
    must(/^[HM]/.test(number), 'number_region')
    return { ...reading, number: number.slice(0, 9) }
  },
  // Eight digits for life; older booklets add the count of issues and, in brackets, the issuing office.
  'taiwan-travel-permit': (number) => {
    const life = number.replace(/^(\d{10})\([A-Z\d]\)$/, '$1')
    return { ...readFormat(life, /^\d+$/, [8, 10]), number: life.slice(0, 8) }
  },
  // ICAO 9303-4: at most nine characters; short ones exist.
  passport: (number) => readFormat(number, /^[A-Z\d]+$/, [5, 6, 7, 8, 9]),
}

/** @throws AppError `document_kind_unknown` */
export function parseDocumentKind(text: string): DocumentKind {
  const kind = documentKinds.find((known) => known === text)
  if (kind === undefined) throw new AppError('document_kind_unknown')
  return kind
}

/**
 * Reads a number as typed, pasted or read from a card; `now` in milliseconds decides what is a future birth.
 * @throws AppError `number_missing`, `number_characters`, `number_length`, `number_region`, `number_date`, `number_check`
 */
export function parseDocument(kind: DocumentKind, text: string, now: number = Date.now()): Document {
  // The Roman numeral ten (U+2169) is what GB 11643 means by its X, and some keyboards offer it.
  const number = compact(text).replace(/[\u2169\u2179]/g, 'X')
  const read = readers[parseDocumentKind(kind)]
  must(number !== '', 'number_missing')
  const reading = read(number, dayInChina(now))
  return { ...reading, kind, number: reading.number as IdNumber }
}

/** The date of birth inside a normalised number: the 18-character ones hold it at the same place, others not at all. */
export function birthDateIn(number: string): string | undefined {
  return /^\d{17}[\dX]$/.test(number) ? parseDate(number.slice(6, 14)) : undefined
}

/** 6-8-4 for the 18-character numbers, as they are read aloud; others unchanged. */
export function groupNumber(number: string): string {
  return number.replace(/^(.{6})(.{8})(.{4})$/, '$1 $2 $3')
}

/** First and last character only: first 6 + last 4 would leave some 2,654 candidates. */
export function maskNumber(number: string): string {
  return number.length < 3 ? '*'.repeat(number.length) : `${number[0]}${'*'.repeat(number.length - 2)}${number.at(-1)}`
}

function must(holds: boolean, code: ErrorCode): void {
  if (!holds) throw new AppError(code)
}

/** GB 11643-1989: 15 digits, the year in two, all born in 19xx; anything else passes unchanged. */
function upgrade(number: string): string {
  if (!/^\d{15}$/.test(number)) return number
  const body = `${number.slice(0, 6)}19${number.slice(6)}`
  return body + checkCharacter(body)
}

/** Eighteen characters by the rule of GB 11643-1999. */
function readCoded(number: string, region: RegExp, today: string, checked = true): Reading {
  must(/^[\dX]+$/.test(number), 'number_characters')
  must(number.length === 18, 'number_length')
  must(/^\d{17}/.test(number), 'number_characters')
  must(region.test(number), 'number_region')
  const birthDate = birthDateIn(number)
  must(birthDate !== undefined && birthDate >= '1800' && birthDate <= today, 'number_date')
  must(number.endsWith(checkCharacter(number.slice(0, 17))), 'number_check')
  return { number, birthDate, sex: Number(number[16]) % 2 === 1 ? 'male' : 'female', checked }
}

function readFormat(number: string, shape: RegExp, lengths: readonly number[]): Reading {
  must(/^[A-Z\d]+$/.test(number), 'number_characters')
  must(lengths.includes(number.length), 'number_length')
  must(shape.test(number), 'number_characters')
  return { number, checked: false }
}
