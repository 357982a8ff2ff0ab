/**
 * The index versions of a person's row, as one text that a driver keeps beside it and finds rows by: the distinct sets
 * of versions that his documents and phones have, `2+1`, or `1|2+1` where they differ (DESIGN D6).
 */
import { indexVersionOf } from '#src/crypto/sealer.ts'
import type { PersonRow } from './storage.ts'

const versionsOf = (indexes: readonly string[]): readonly number[] =>
  indexes.map(indexVersionOf).toSorted((a, b) => b - a)

export function indexSetsOf({ documents, phones }: Pick<PersonRow, 'documents' | 'phones'>): string {
  const sets = [...documents, ...phones].map(({ indexes }) => versionsOf(indexes).join('+'))
  return [...new Set(sets)].toSorted().join('|')
}

/** The sets of such a text. */
export const setsIn = (text: string): readonly (readonly number[])[] =>
  text === '' ? [] : text.split('|').map((set) => set.split('+').map(Number))

/** Is everything found by one of these versions? */
export const isFound = (text: string, inForce: readonly number[]): boolean =>
  setsIn(text).every((set) => set.some((version) => inForce.includes(version)))

/**
 * Is there anything to make anew or to drop, for whoever has these versions in force? What is newer than his newest is
 * another node's, which has seen a key that he has not.
 */
export const isBehind = (text: string, inForce: readonly number[]): boolean =>
  setsIn(text).some(
    (set) => inForce.some((version) => !set.includes(version)) || set.some((version) => version < Math.min(...inForce)),
  )
