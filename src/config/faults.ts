/** The faults that the schema of the settings finds, as an operator reads them. */
import type { z } from 'zod'

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
}

/** What zod finds, in our words: what is missing, of another kind, or no setting at all. */
export function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `${issue.keys.map((key) => `"${key}"`).join(', ')} is not a setting; see config/README.md`
  }
  // Absent and undefined are one: zod names a choice's values where it misses one, which says what is wanted.
  if (issue.input === undefined) return 'is missing; see config/README.md'
  if (issue.code === 'invalid_type') return `must be ${kinds[issue.expected] ?? issue.expected}; see config/README.md`
  if (issue.code === 'invalid_union' && 'discriminator' in issue)
    return `${issue.discriminator} is missing, or none that there is; see config/README.md`
  return issue.message
}
