/**
 * What a platform says of a citizen, in our words: document, name and level, by the tables of the settings. What they do
 * not list is refused, and so is what has come from us in the first place.
 */
import type { UpstreamSettings } from '#src/config/upstream.ts'
import { sessionLevel, type Level } from '#src/identity/assurance.ts'
import { parseDocument, type DocumentKind } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import { fieldAt, fieldsAt } from '../field.ts'

export type AccountSettings = Pick<UpstreamSettings, 'fields' | 'kinds' | 'levels' | 'cap' | 'loop'>

export interface Account {
  readonly subject: { readonly kind: DocumentKind; readonly number: string; readonly name: string }
  readonly level: Level
}

/** Why it counts for nothing, as a code for the trail: none of them says who it was. */
export type AccountFault = 'loop' | 'level-unknown' | 'kind-unknown' | 'number' | 'name'

function attempted<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

const listed = <T>(table: Readonly<Record<string, T>>, key: string | undefined): T | undefined =>
  key !== undefined && Object.hasOwn(table, key) ? table[key] : undefined

/** Addresses are one whatever their case and the slash behind them. */
const sameParty = (a: string, b: string): boolean =>
  a.replace(/\/+$/, '').toLowerCase() === b.replace(/\/+$/, '').toLowerCase()

/** @param ours the names by which the platform may know us */
export function readAccount(
  answer: unknown,
  { fields, kinds, levels, cap, loop }: AccountSettings,
  ours: readonly string[],
  now: number,
): Account | AccountFault {
  const parties = loop.fields.flatMap((field) => fieldsAt(answer, field))
  if (parties.some((party) => ours.some((name) => sameParty(name, party)))) return 'loop'
  const level = listed<Level>(levels, fieldAt(answer, fields.level))
  if (level === undefined) return 'level-unknown'
  const kind: DocumentKind | undefined =
    fields.kind === undefined ? 'resident-id-card' : listed<DocumentKind>(kinds, fieldAt(answer, fields.kind))
  if (kind === undefined) return 'kind-unknown'
  const document = attempted(() => parseDocument(kind, fieldAt(answer, fields.number) ?? '', now))
  if (!document) return 'number'
  const name = attempted(() => parseName(fieldAt(answer, fields.name) ?? ''))
  if (name === undefined) return 'name'
  return { subject: { kind, number: document.number, name }, level: sessionLevel(level, cap) }
}
