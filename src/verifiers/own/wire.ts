/**
 * What a city's own verifier is asked and may answer, strictly: the members of the port (`verifier.ts`) and no others.
 * A module answers in the same shapes as a service does over HTTP; docs/own-verifier.schema.json is made from here.
 */
import { z } from 'zod'
import { documentKinds } from '#src/identity/id-number.ts'

const bilingual = z.strictObject({ zh: z.string().min(1).max(100), en: z.string().min(1).max(100) })
// That its values are JSON is known where it was read from JSON.
const json = z.record(z.string(), z.unknown())
const time = z.int().positive().describe('milliseconds since 1970')
const web = z.url({ protocol: /^https?$/ }).max(2_000)
const reference = z
  .string()
  .regex(/^[\x21-\x7e]{1,100}$/)
  .describe("the back end's own transaction, for the audit trail; nothing personal")

export const fieldSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  label: bilingual,
  hint: bilingual.optional(),
  kind: z.enum(['text', 'digits', 'password']),
  autocomplete: z
    .string()
    .regex(/^[a-z][a-z -]{0,50}$/)
    .optional(),
})

/** What `begin` answers. */
export const begunSchema = z.strictObject({
  show: json.describe('to the page, nothing secret: by "form" { fields }, by "redirect" nothing'),
  keep: json.describe('kept sealed by us, given back with the answer'),
  expiresAt: time,
  reference: reference.optional(),
  leaveTo: web.optional().describe('by "redirect": where the citizen goes on'),
})
export const formSchema = z.strictObject({ fields: z.array(fieldSchema).min(1).max(8) })

const subject = z.union([
  z.strictObject({
    kind: z.enum(documentKinds),
    number: z.string().min(1).max(50),
    name: z.string().min(1).max(200),
  }),
  z.strictObject({ phone: z.string().min(1).max(20) }),
  z.strictObject({
    issuer: z.string().max(100).describe('own: and the name of the verifier'),
    code: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  }),
])

/** What `finish` answers: evidence, or why there is none. */
export const outcomeSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    evidence: z.strictObject({
      verifier: z.string().describe('as it was asked for'),
      amr: z.array(z.string()).min(1).describe('RFC 8176, of those that the settings declare'),
      level: z.literal([1, 2, 3]).describe('not above the cap that the settings declare'),
      at: time.describe('not before the challenge, not after the question'),
      reference: reference.optional(),
      subject,
    }),
  }),
  z.strictObject({
    ok: z.literal(false),
    reason: z.enum(['mismatch', 'expired', 'foreign', 'rejected']),
    detail: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,40}$/)
      .optional()
      .describe('a stable code of what was wrong, for the audit trail alone'),
  }),
])

export type OwnBegun = z.infer<typeof begunSchema>
export type OwnOutcome = z.infer<typeof outcomeSchema>

const asked = {
  verifier: z.string().describe('the name that the settings gave it'),
  challenge: z.uuid().describe('the same at begin and finish; each answer says it again'),
  channel: z.string(),
  locale: z.enum(['zh', 'en']),
  largeType: z.boolean(),
  purpose: z.string().describe("the application's name in the citizen's language"),
  now: time,
}
const { challenge } = asked

export const beginQuestionSchema = z.strictObject({
  ...asked,
  returnTo: z
    .strictObject({ url: web, state: z.string() })
    .optional()
    .describe('by "redirect": where the citizen comes back to, with this state as a parameter'),
  named: z
    .strictObject({ kind: z.enum(documentKinds), number: z.string(), name: z.string() })
    .optional()
    .describe('of one that is "named": whom the citizen says he is'),
})
export const finishQuestionSchema = z.strictObject({
  ...asked,
  keep: json,
  answer: z.union([z.string(), z.record(z.string(), z.string())]),
})

/** The schema in JSON (2020-12) of the two questions and the two answers over HTTP, as it is published. */
export function wireSchema(): object {
  const [evident, refused] = outcomeSchema.options
  const messages = {
    form: formSchema.describe('what begin shows of one by "form"'),
    beginQuestion: beginQuestionSchema,
    beginAnswer: begunSchema.extend({ challenge }),
    finishQuestion: finishQuestionSchema,
    finishAnswer: z.union([evident.extend({ challenge }), refused.extend({ challenge })]),
  }
  const defs = Object.entries(messages).map(([name, schema]) => {
    const { $schema: _, ...def } = z.toJSONSchema(schema, { io: 'input' })
    return [name, def]
  })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What a verifier of a city of its own is asked over HTTP, and what it answers',
    $defs: Object.fromEntries(defs),
  }
}
