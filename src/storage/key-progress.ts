/**
 * How far wrapping anew and indexing anew have come, for the operator and for whoever retires a key (DESIGN D6). Counted
 * in batches through an index, from the rows themselves: no number of it is kept anywhere that could be wrong.
 */
import { wrappingKeyOf } from '#src/crypto/key-wrapper.ts'
import { setsIn } from './index-sets.ts'
import type { DataKeys, Dependence, PeopleCounting } from './storage.ts'

export interface Counted {
  readonly people: PeopleCounting
  readonly dataKeys: Pick<DataKeys, 'list'>
}

export interface WrappingProgress {
  /** Id of the wrapping key. */
  readonly key: string
  /** How many people's data keys, and how many of the store's own, are under it. */
  readonly people: number
  readonly dataKeys: number
}

export interface IndexProgress {
  readonly version: number
  /** People who are found by this version, whatever they have, and those of whom something is found by no other. */
  readonly people: number
  readonly only: number
}

const batch = 5_000

async function peopleOf({ people }: Counted, on: Dependence, value: string): Promise<number> {
  let count = 0
  for (let after = ''; ;) {
    const ids = await people.dependents(on, value, after, batch)
    count += ids.length
    const last = ids.at(-1)
    if (last === undefined || ids.length < batch) return count
    after = last
  }
}

/** Of each wrapping key that anything is under. */
export async function wrappingProgress(rows: Counted): Promise<readonly WrappingProgress[]> {
  const dataKeys = (await rows.dataKeys.list()).map(({ wrapped }) => wrappingKeyOf(wrapped))
  const keys = new Set([...(await rows.people.dependences('wrapping')), ...dataKeys])
  const counted: WrappingProgress[] = []
  for (const key of [...keys].toSorted()) {
    const people = await peopleOf(rows, 'wrapping', key)
    counted.push({ key, people, dataKeys: dataKeys.filter((one) => one === key).length })
  }
  return counted
}

/** Of each index version that anybody has. */
export async function indexProgress(rows: Counted): Promise<readonly IndexProgress[]> {
  const counts = new Map<number, { people: number; only: number }>()
  for (const text of await rows.people.dependences('indexes')) {
    const sets = setsIn(text)
    const people = await peopleOf(rows, 'indexes', text)
    for (const version of new Set(sets.flat())) {
      const sum = counts.get(version) ?? { people: 0, only: 0 }
      if (sets.every((set) => set.includes(version))) sum.people += people
      if (sets.some((set) => set.length === 1 && set[0] === version)) sum.only += people
      counts.set(version, sum)
    }
  }
  return [...counts].map(([version, sum]) => ({ version, ...sum })).toSorted((a, b) => a.version - b.version)
}

/**
 * How many rows would not open, or not be found, without this key: it may be retired where there is none, and every node
 * has the key that came after it.
 */
export async function stillUnder(
  rows: Counted,
  key: { readonly wrapping: string } | { readonly index: number },
): Promise<number> {
  if ('index' in key) return (await indexProgress(rows)).find(({ version }) => version === key.index)?.only ?? 0
  const under = (await wrappingProgress(rows)).find((one) => one.key === key.wrapping)
  return under ? under.people + under.dataKeys : 0
}
