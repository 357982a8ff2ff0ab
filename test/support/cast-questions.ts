/** What a register is asked about the cast of the demo city: one question for each answer it can give. */
import { castMember, readPopulation, type CastMember } from '#src/demo/cast.ts'
import type { RegisterQuery } from '#src/identity/registry.ts'
import type { RegisterQuestions } from '../contracts/population-register.ts'

export const population = await readPopulation()
export const member = (key: string): CastMember => castMember(population, key)

export function asked(key: string, over: Partial<RegisterQuery> = {}): RegisterQuery {
  const { kind, number, name, phone } = member(key)
  return { kind, number, name, phone, ...over }
}

export const castQuestions: RegisterQuestions = {
  match: asked('yan'),
  otherPhone: '+8619900000099',
  unknownNumber: '11010519491231002X',
  deceased: asked('deceased'),
  cancelled: asked('cancelled'),
  'document-void': asked('void'),
  renamed: asked('renamed', { name: member('renamed').formerNames[0] }),
  renumbered: asked('renumbered', { number: member('renumbered').formerNumbers[0] }),
}
