/**
 * People as the rooms see them: each row goes in with its MAC and comes out only if that holds (DESIGN D11). A row that
 * somebody changed outside counts as absent, and an alarm is raised once for each; but its numbers are not free, and
 * whoever asks for them is refused with `row_tampered`.
 */
import { AppError } from '#src/errors.ts'
import type { PersonMac } from './person-mac.ts'
import type { People, PersonRow, Storage, Store, StoredPerson } from './storage.ts'

interface Dependencies {
  readonly mac: PersonMac
  /** Told of a person whose row was changed outside, once each; to be kept from whoever may not know whose it is. */
  readonly onTampered: (id: string) => void
}

/** Bounds what is remembered of a store that was changed all over. */
const toldAtMost = 10_000

function createProtectedPeople(people: People<StoredPerson>, { mac, onTampered }: Dependencies): People {
  const told = new Set<string>()
  const alarm = (id: string): void => {
    if (told.has(id) || told.size >= toldAtMost) return
    told.add(id)
    onTampered(id)
  }

  const sound = async (row: StoredPerson | undefined): Promise<PersonRow | undefined> => {
    if (!row) return undefined
    if (!(await mac.holds(row))) {
      alarm(row.id)
      return undefined
    }
    const { mac: _, ...person } = row
    return person
  }
  const withMac = async (person: PersonRow): Promise<StoredPerson> => ({ ...person, mac: await mac.of(person) })

  return {
    byId: async (id) => sound(await people.byId(id)),
    async byDocument(kind, indexes) {
      const row = await people.byDocument(kind, indexes)
      const person = await sound(row)
      // To say that nobody has the number would be to call it free.
      if (row && !person) throw new AppError('row_tampered')
      return person
    },
    async byPhone(indexes) {
      const rows = await Promise.all((await people.byPhone(indexes)).map(sound))
      return rows.filter((row) => row !== undefined)
    },
    insert: async (person) => people.insert(await withMac(person)),
    update: async (person) => people.update(await withMac(person)),
    renew: async (person) => people.renew(await withMac(person)),
    erase: people.erase,
    dependences: people.dependences,
    dependents: people.dependents,
  }
}

/** The store with its people's rows protected. */
export const protectPeople = (store: Store, dependencies: Dependencies): Storage => ({
  ...store,
  people: createProtectedPeople(store.people, dependencies),
})
