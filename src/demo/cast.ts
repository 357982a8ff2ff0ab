/**
 * The cast of the demo city (DESIGN D14). `config/demo/population.json` is the one source of these synthetic people;
 * this file reads it and refuses what a real register could not hold.
 */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import { documentKinds, parseDocument } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import { parsePhone } from '#src/identity/phone.ts'
import type { RegisterChange } from '#src/identity/registry.ts'

export const populationFile = new URL('../../config/demo/population.json', import.meta.url)

const kind = z.enum(documentKinds)
const name = z.string().refine((text) => stands(() => parseName(text) === text))
const phone = z.string().refine((text) => stands(() => parsePhone(text) === text))

const personSchema = z
  .strictObject({
    key: z.string().regex(/^[a-z-]+$/),
    about: z.string(),
    kind,
    number: z.string(),
    name,
    /** E.164; absent: the register knows none. */
    phone: phone.optional(),
    state: z.enum(['living', 'deceased', 'cancelled', 'document-void']).default('living'),
    formerNames: z.array(name).default([]),
    formerNumbers: z.array(z.string()).default([]),
    formerPhones: z.array(phone).default([]),
  })
  .refine((person) =>
    [person.number, ...person.formerNumbers].every((number) =>
      stands(() => parseDocument(person.kind, number).number === number),
    ),
  )

const at = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
const change = { at, kind, number: z.string() }
const changeSchema = z.discriminatedUnion('change', [
  z.strictObject({ ...change, change: z.enum(['deceased', 'cancelled', 'document-void']) }),
  z.strictObject({ ...change, change: z.literal('renamed'), newName: name }),
  z.strictObject({ ...change, change: z.literal('renumbered'), newNumber: z.string() }),
]) satisfies z.ZodType<RegisterChange>

const populationSchema = z.strictObject({
  about: z.string(),
  people: z.array(personSchema),
  changes: z.array(changeSchema),
})

export type CastMember = Readonly<z.infer<typeof personSchema>>

export interface Population {
  readonly people: readonly CastMember[]
  /** Oldest first. */
  readonly changes: readonly RegisterChange[]
}

/** @throws AppError `config_invalid` with the path of each fault, never its value */
export async function readPopulation(file: string | URL = populationFile): Promise<Population> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AppError('config_invalid', { detail: 'the population file cannot be read', cause })
  })
  const parsed = populationSchema.safeParse(fromJson(text))
  if (parsed.success) return parsed.data
  throw new AppError('config_invalid', { detail: parsed.error.issues.map(({ path }) => path.join('.')).join(', ') })
}

/** The cast member of that key. @throws AppError `config_invalid` */
export function castMember(population: Population, key: string): CastMember {
  const member = population.people.find((person) => person.key === key)
  if (member === undefined) throw new AppError('config_invalid', { detail: `nobody in the cast is called ${key}` })
  return member
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No cause: the parser's message quotes the text.
    throw new AppError('config_invalid', { detail: 'the population file is not JSON' })
  }
}

function stands(claim: () => boolean): boolean {
  try {
    return claim()
  } catch {
    return false
  }
}
