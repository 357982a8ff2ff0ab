/**
 * The 256 bytes of text on the chip of an identity card (GA/T 490), read and written: UTF-16LE in fields of fixed
 * width, padded with spaces. Four layouts: the resident identity card, the residence permit of people from Hong Kong,
 * Macao and Taiwan (marked J), and the foreigner's card of 2017 (I) and of 2023 (Y).
 *
 * GA/T 490 itself is not published. The fields of the first 220 bytes of a resident's card are confirmed by several
 * sources; all of the others are known from the headers of vendors alone, which agree with one another. So nothing is
 * refused there that a reader could have left out: what is behind byte 220 is heard where it has its shape, and only
 * the mark I, whose layout has nothing in common with the others, decides by itself. Otherwise the number says the kind.
 */
import { parseDate } from './calendar.ts'
import type { DocumentKind } from './id-number.ts'

export const cardTextLength = 256

export type CardMark = ' ' | 'J' | 'I' | 'Y'

export interface CardText {
  readonly mark: CardMark
  readonly kind: DocumentKind
  /** As on the card; of a foreigner's, the Chinese name, which may be empty. */
  readonly name: string
  /** Of a foreigner's card. */
  readonly latinName?: string
  /** GB/T 2261.1: 1 male, 2 female, 0 unknown, 9 not said. */
  readonly sex: '0' | '1' | '2' | '9'
  /** GB/T 3304, as it stands: codes beyond its 56 exist (穿青人, 入籍 …). */
  readonly folk?: string
  /** `YYYY-MM-DD`, like the two that follow. */
  readonly birthDate: string
  readonly address?: string
  readonly number: string
  /** Who issued it; of the card of 2017 a code. */
  readonly authority?: string
  readonly validFrom: string
  /** `indefinite` where the card says 长期. */
  readonly validUntil: string
  /** Of a residence permit: the number of the travel permit, and how often it was issued. */
  readonly permitNumber?: string
  readonly issues?: string
  /** Of a foreigner's card: GB/T 2659. */
  readonly nationality?: string
}

/** What is wrong with a text: stable codes, without a word of what it says. */
export type CardTextFault = 'length' | 'encoding' | 'padding' | 'mark' | 'name' | 'sex' | 'birth-date' | 'validity'

export type CardTextReading =
  { readonly ok: true; readonly card: CardText } | { readonly ok: false; readonly fault: CardTextFault }

type Field =
  Exclude<keyof CardText, 'kind' | 'mark'> | 'mark' | 'latinMore' | 'reserved' | 'reservedToo' | 'renewals' | 'version'
type Layout = readonly (readonly [field: Field, characters: number])[]

const common = [
  ['name', 15],
  ['sex', 1],
] as const
const validity = [
  ['validFrom', 8],
  ['validUntil', 8],
] as const

const layouts: Readonly<Record<CardMark, Layout>> = {
  ' ': [
    ...common,
    ...([
      ['folk', 2],
      ['birthDate', 8],
      ['address', 35],
      ['number', 18],
      ['authority', 15],
    ] as const),
    ...validity,
    ...([
      ['reserved', 14],
      ['mark', 1],
      ['reservedToo', 3],
    ] as const),
  ],
  J: [
    ...common,
    ...([
      ['reserved', 2],
      ['birthDate', 8],
      ['address', 35],
      ['number', 18],
      ['authority', 15],
    ] as const),
    ...validity,
    ...([
      ['permitNumber', 9],
      ['issues', 2],
      ['reserved', 3],
      ['mark', 1],
      ['reservedToo', 3],
    ] as const),
  ],
  I: [
    ...([
      ['latinName', 60],
      ['sex', 1],
      ['number', 15],
      ['nationality', 3],
      ['name', 15],
    ] as const),
    ...validity,
    ...([
      ['birthDate', 8],
      ['version', 2],
      ['authority', 4],
      ['mark', 1],
      ['reservedToo', 3],
    ] as const),
  ],
  Y: [
    ...common,
    ...([
      ['renewals', 2],
      ['birthDate', 8],
      ['latinName', 35],
      ['number', 18],
      ['reserved', 15],
    ] as const),
    ...validity,
    ...([
      ['latinMore', 11],
      ['nationality', 3],
      ['mark', 1],
      ['reservedToo', 3],
    ] as const),
  ],
}

const kinds: Readonly<Record<CardMark, DocumentKind>> = {
  ' ': 'resident-id-card',
  J: 'hk-macao-taiwan-residence-permit',
  I: 'foreigner-permanent-resident-card',
  Y: 'foreigner-permanent-resident-card',
}

/** Behind byte 220, where readers differ: heard where it has its shape, and left out elsewhere. */
const lenient: Partial<Record<Field, RegExp>> = {
  permitNumber: /^[A-Z\d]+$/,
  issues: /^\d+$/,
  nationality: /^[A-Z\d]{2,3}$/,
  latinMore: /^[^\p{Cc}]+$/u,
}
/** Fields whose bytes may be anything. */
const unheard: ReadonlySet<Field> = new Set(['mark', 'reserved', 'reservedToo', 'renewals', 'version'])
/** Fields that may be empty. */
const sparse: ReadonlySet<Field> = new Set(['folk', 'address', 'authority'])

const longTerm = '长期'
const numberAt = 61
const markAt = 124

/** The layout by its mark; where readers left that out, by the number, which three of them have at one place. */
function markOf(text: string): CardMark | undefined {
  const said = text[markAt]
  if (said === 'I') return 'I'
  const number = text.slice(numberAt, numberAt + 18)
  const meant = /^8[123]0000/.test(number) ? 'J' : number.startsWith('9') ? 'Y' : ' '
  return said === meant || said === ' ' || said === '\0' ? meant : undefined
}

function slices(text: string, layout: Layout): readonly (readonly [Field, string])[] {
  let at = 0
  return layout.map(([field, characters]) => [field, text.slice(at, (at += characters))])
}

const fault = (code: CardTextFault): CardTextReading => ({ ok: false, fault: code })

/** Reads the text of a card. What it says of its number is for `parseDocument` to judge. */
export function decodeCardText(bytes: Uint8Array): CardTextReading {
  if (bytes.length !== cardTextLength) return fault('length')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf16le')
  const mark = markOf(text)
  if (mark === undefined) return fault('mark')
  const read: Partial<Record<Field, string>> = {}
  let latin = ''
  for (const [field, padded] of slices(text, layouts[mark])) {
    const value = padded.replace(/ +$/, '')
    const shape = lenient[field]
    if (unheard.has(field) || (shape && !shape.test(value))) continue
    // Half a character at the end of a field, or what no card prints, is no text.
    if (!padded.isWellFormed() || /\p{Cc}/u.test(padded)) return fault('encoding')
    // A Latin name that runs on may break at a space.
    if (field === 'latinName' || field === 'latinMore') latin += padded
    else if (value !== '' || !sparse.has(field)) read[field] = value
    if (value.startsWith(' ') && field !== 'latinMore') return fault('padding')
  }
  const latinName = latin.replace(/ +$/, '')
  return checked(mark, latinName === '' ? read : { ...read, latinName })
}

function checked(mark: CardMark, read: Partial<Record<Field, string>>): CardTextReading {
  const { name = '', latinName, sex = '', number = '', ...rest } = read
  if ((latinName ?? name) === '') return fault('name')
  if (!/^[0129]$/.test(sex)) return fault('sex')
  const birthDate = parseDate(rest.birthDate ?? '')
  if (birthDate === undefined) return fault('birth-date')
  const validFrom = parseDate(rest.validFrom ?? '')
  const validUntil = rest.validUntil === longTerm ? 'indefinite' : parseDate(rest.validUntil ?? '')
  if (validFrom === undefined || validUntil === undefined || validUntil < validFrom) return fault('validity')
  const names = { name, ...(latinName === undefined ? {} : { latinName }) }
  const said = { ...names, sex: sex as CardText['sex'], number, birthDate, validFrom, validUntil }
  return { ok: true, card: { ...rest, ...said, mark, kind: kinds[mark] } }
}

/** Digits of a date, and 长期, as the card has them. */
function written(field: Field, card: Omit<CardText, 'kind'>): string {
  if (field === 'validUntil' && card.validUntil === 'indefinite') return longTerm
  if (field === 'birthDate' || field === 'validFrom' || field === 'validUntil') return card[field].replaceAll('-', '')
  if (field === 'latinMore') return (card.latinName ?? '').slice(35)
  if (field === 'latinName' && card.mark === 'Y') return (card.latinName ?? '').slice(0, 35)
  return (card as Partial<Record<Field, string>>)[field] ?? ''
}

/** Writes the text of a card, for simulators and tests. @throws RangeError for what does not fit */
export function encodeCardText(card: Omit<CardText, 'kind'>): Buffer {
  const text = layouts[card.mark].map(([field, characters]) => {
    const value = written(field, card)
    if (value.length > characters) throw new RangeError(`card text: ${field} is longer than ${characters} characters`)
    return value.padEnd(characters)
  })
  return Buffer.from(text.join(''), 'utf16le')
}
