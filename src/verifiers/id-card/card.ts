/** Whether a card says one thing throughout, is valid today, and whose it is. */
import { dayInChina } from '#src/identity/calendar.ts'
import { decodeCardText, type CardText } from '#src/identity/card-text.ts'
import { parseDocument, type Document, type DocumentKind } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'

export interface Holder {
  readonly kind: DocumentKind
  readonly number: string
  readonly name: string
}

export interface Card {
  readonly holder: Holder
  readonly birthDate: string
}

/** What is wrong, as a stable code for the audit trail, and the sentence for its reader where he may know. */
export interface Wrong {
  readonly why: string
  readonly say?: string
  /** Whose card it is, where each try with it counts. */
  readonly about?: Holder
}

const sexes: Readonly<Partial<Record<CardText['sex'], Document['sex']>>> = { 1: 'male', 2: 'female' }

/** Undefined instead of an error: the trail gets a code of ours. */
function attempted<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}

/**
 * @param now milliseconds
 * @returns the holder, or a stable code of what is wrong: `card-…`; its own date is printed on it, so that may be told
 */
export function holderOf(text: Uint8Array, now: number): Card | Wrong {
  const read = decodeCardText(text)
  if (!read.ok) return { why: `card-${read.fault}` }
  const { card } = read
  const document = attempted(() => parseDocument(card.kind, card.number, now))
  // A card has its number as it is: no short one of 1989, nothing to fold.
  if (!document || document.number !== card.number) return { why: 'card-number' }
  const name = attempted(() => parseName(card.latinName ?? card.name))
  if (name === undefined) return { why: 'card-name' }
  if (document.birthDate !== undefined && document.birthDate !== card.birthDate)
    return { why: 'card-birth-date-number' }
  const sex = sexes[card.sex]
  if (document.sex !== undefined && sex !== undefined && document.sex !== sex) return { why: 'card-sex-number' }
  const today = dayInChina(now)
  if (today < card.validFrom) return { why: 'card-not-yet-valid', say: 'card_not-yet-valid' }
  if (card.validUntil !== 'indefinite' && today > card.validUntil) return { why: 'card-expired', say: 'card_expired' }
  return { holder: { kind: card.kind, number: document.number, name }, birthDate: card.birthDate }
}
