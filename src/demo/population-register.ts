/**
 * A simulator of the population register (人口库) over a file of synthetic people. The file is read at each question,
 * so an edit in the middle of a demonstration counts at once, and a broken file is a register that is down.
 */

import { AppError } from '#src/errors.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import { sameName } from '#src/identity/name.ts'
import type { PopulationRegister, RegisterAnswer } from '#src/identity/registry.ts'
import { populationFile, readPopulation, type Population } from './cast.ts'

export interface FileRegister extends PopulationRegister {
  /** Simulates a register that cannot be reached, until set back. */
  setDown(down: boolean): void
}

export function createFileRegister(file: string | URL = populationFile): FileRegister {
  let down = false

  async function load(): Promise<Population> {
    if (down) throw new AppError('register_unavailable', { detail: 'set down' })
    return readPopulation(file).catch((cause: unknown) => {
      throw new AppError('register_unavailable', { cause })
    })
  }

  return {
    name: 'demo',

    setDown(value) {
      down = value
    },

    async check(query): Promise<RegisterAnswer> {
      const { people } = await load()
      const { number } = parseDocument(query.kind, query.number)
      // Two people may have had one number (重号), so the name decides whose question this is.
      const named = people.filter(
        ({ kind, name, formerNames }) =>
          kind === query.kind && [name, ...formerNames].some((known) => sameName(known, query.name)),
      )
      const holder = named.find((person) => person.number === number)
      const person = holder ?? named.find(({ formerNumbers }) => formerNumbers.includes(number))
      if (person === undefined) return { result: 'mismatch' }
      if (person.state !== 'living') return { result: person.state }
      if (holder === undefined) return { result: 'renumbered' }
      if (!sameName(person.name, query.name)) return { result: 'renamed' }
      if (query.phone === undefined || person.phone === undefined) return { result: 'match', phone: 'unknown' }
      return { result: 'match', phone: person.phone === query.phone ? 'match' : 'mismatch' }
    },

    async changes(after, limit) {
      const { changes } = await load()
      const start = Number(after ?? '0')
      if (!/^\d{1,9}$/.test(after ?? '0') || start > changes.length) {
        throw new AppError('bad_request', { detail: 'the cursor is not one of this register' })
      }
      const page = changes.slice(start, start + limit)
      return { changes: page, cursor: String(start + page.length) }
    },
  }
}
