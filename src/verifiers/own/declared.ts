/**
 * The verifier that the settings declare, before a back end of the city's own. What the back end keeps goes through us
 * under a MAC, bound to verifier, attempt, channel and time; what it answers is read strictly and held to the
 * declaration: level, methods, whom it may prove, where it may send a citizen. Whatever else it says is a fault of its.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { OwnVerifier } from '#src/config/own.ts'
import { AppError } from '#src/errors.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import { parsePhone } from '#src/identity/phone.ts'
import type { Json } from '#src/storage/storage.ts'
import { createBinder, type Macs } from '../binder.ts'
import type { Begun, Claim, Evidence, Named, Outcome, Verifier } from '../verifier.ts'
import { begunSchema, formSchema, outcomeSchema, type OwnBegun } from './wire.ts'

/** What answers for a city: the two questions of the port, whose answers nobody has looked at yet. */
export interface BackEnd {
  /** The attempt of this claim stands for ours, whose own name stays here; it is the same at both questions. */
  begin(claim: Claim, input: unknown): Promise<unknown>
  finish(claim: Claim, keep: unknown, input: unknown): Promise<unknown>
}

interface Dependencies {
  readonly name: string
  readonly settings: OwnVerifier
  readonly backEnd: BackEnd
  readonly macs: Macs
}

const boundSchema = z.strictObject({
  attempt: z.string(),
  channel: z.string(),
  challenge: z.string(),
  begunAt: z.number(),
  expiresAt: z.number(),
  reference: z.string(),
  /** Of a form: what was asked for. */
  fields: z.array(z.string()),
  /** Of one that is named: a MAC of whom. */
  whom: z.string().optional(),
  kept: z.record(z.string(), z.unknown()),
})
type Bound = z.infer<typeof boundSchema>
const keepSchema = z.strictObject({ bound: z.string(), mac: z.string() })

const longestAnswer = 65_536
const longestField = 200

/** @throws AppError `verifier_unavailable`, quoting nothing of what was said */
function readAnswer<T>(schema: z.ZodType<T>, answer: unknown, saying: (what: string) => Error): T {
  let text: string | undefined
  try {
    text = JSON.stringify(answer)
  } catch {
    throw saying('is not JSON')
  }
  if (text === undefined || text.length > longestAnswer) throw saying('is nothing, or too long')
  const parsed = schema.safeParse(JSON.parse(text))
  if (!parsed.success) {
    // The place, and not the parser's sentence: that quotes what it was given.
    const places = parsed.error.issues.map(({ path, code }) => `${path.join('.') || 'it'} (${code})`)
    throw saying(`is malformed: ${places.join(', ')}`)
  }
  return parsed.data
}

export function createDeclaredVerifier({ name, settings, backEnd, macs }: Dependencies): Verifier {
  const { by, proves, cap, amr, named, leavesTo } = settings
  const issuer = `own:${name}`
  const fault = (detail: string) => new AppError('verifier_unavailable', { detail: `${name}: ${detail}` })

  const binder = createBinder(`own ${name}`, macs)
  const partsOf = (challenge: string, who: Named) => ['whom', challenge, who.kind, who.number, who.name] as const

  const fieldsOf = ({ show }: OwnBegun): readonly string[] => {
    if (by !== 'form') return []
    const { fields } = readAnswer(formSchema, show, (what) => fault(`what begin shows ${what}`))
    const names = fields.map((field) => field.name)
    if (new Set(names).size < names.length) throw fault('begin shows two fields of one name')
    return names
  }

  const leaving = ({ leaveTo }: OwnBegun): Pick<Begun, 'leaveTo'> => {
    if (by !== 'redirect') {
      if (leaveTo !== undefined) throw fault('begin leaves, and is not by redirect')
      return {}
    }
    if (leaveTo === undefined || !leavesTo.includes(new URL(leaveTo).origin))
      throw fault('begin leaves to where the settings do not')
    return { leaveTo }
  }

  /** What the citizen answered, as the back end may see it; undefined where it is no answer at all. */
  const answerOf = (input: unknown, fields: readonly string[]): string | Record<string, string> | undefined => {
    const text = z.string().min(1)
    if (by === 'device') return text.max(longestAnswer).safeParse(input).data
    const form = z.object(Object.fromEntries(fields.map((field) => [field, text.max(longestField)])))
    const schema = by === 'form' ? form : z.record(z.string(), z.string().max(longestAnswer))
    return schema.safeParse(input).data
  }

  /** Whom it was proven of, in our forms; a fault where it may not be proven of such a one. */
  const subjectOf = async (said: Evidence['subject'], bound: Bound, now: number): Promise<Evidence['subject']> => {
    const kind = 'kind' in said ? 'document' : 'phone' in said ? 'phone' : 'code'
    if (!proves.includes(kind)) throw fault(`finish proves a ${kind}, which the settings do not`)
    if ('code' in said && said.issuer !== issuer) throw fault('finish says another issuer')
    try {
      if ('phone' in said) return { phone: parsePhone(said.phone) }
      if (!('kind' in said)) return said
      const who = { ...said, number: parseDocument(said.kind, said.number, now).number, name: parseName(said.name) }
      if (bound.whom === undefined || (await binder.holds(bound.whom, ...partsOf(bound.challenge, who)))) return who
    } catch {
      throw fault('finish proves what is no document or phone')
    }
    throw fault('finish proves somebody else')
  }

  return {
    name,
    ...{ amr, cap, by, named, enrolled: settings.enrolled, facial: settings.facial },
    ...{ label: settings.label, help: settings.help },
    // An answer ends its challenge, right or wrong.
    tries: 1,
    connects: settings.connects,
    ...(settings.consent ? { consent: settings.consent } : {}),

    async begin(claim, input) {
      const challenge = randomUUID()
      const answer = await backEnd.begin({ ...claim, attempt: challenge }, named ? input : undefined)
      const begun = readAnswer(begunSchema, answer, (what) => fault(`what begin answers ${what}`))
      const expiresAt = Math.min(begun.expiresAt, claim.now + settings.validity * 1000)
      if (expiresAt <= claim.now) throw fault('begin answers a challenge that has ended')
      const { attempt, channel } = claim
      const { keep: kept, show, reference = challenge } = begun
      const whom = named ? await binder.bind(...partsOf(challenge, input as Named)) : undefined
      const fields = [...fieldsOf(begun)]
      const bound: Bound = { attempt, channel, challenge, begunAt: claim.now, expiresAt, reference, fields, whom, kept }
      const text = JSON.stringify(bound)
      return {
        show: show as Begun['show'],
        keep: { bound: text, mac: await binder.bind('kept', text) } satisfies Record<string, Json>,
        expiresAt,
        reference,
        ...leaving(begun),
      }
    },

    async finish(claim, keep, input): Promise<Outcome> {
      const sealed = keepSchema.safeParse(keep).data
      if (!sealed || !(await binder.holds(sealed.mac, 'kept', sealed.bound))) return { ok: false, reason: 'foreign' }
      const bound = boundSchema.parse(JSON.parse(sealed.bound))
      if (bound.attempt !== claim.attempt || bound.channel !== claim.channel) return { ok: false, reason: 'foreign' }
      if (claim.now >= bound.expiresAt) return { ok: false, reason: 'expired' }
      const given = answerOf(input, bound.fields)
      if (given === undefined) return { ok: false, reason: 'mismatch', detail: 'malformed' }

      const answer = await backEnd.finish({ ...claim, attempt: bound.challenge }, bound.kept, given)
      const outcome = readAnswer(outcomeSchema, answer, (what) => fault(`what finish answers ${what}`))
      if (!outcome.ok) return outcome
      const { evidence } = outcome
      if (evidence.level > cap) throw fault('finish says a level above its cap')
      if (evidence.at < bound.begunAt) throw fault('finish says a time before the challenge')
      const subject = await subjectOf(evidence.subject, bound, claim.now)
      return { ok: true, evidence: { ...evidence, reference: evidence.reference ?? bound.reference, subject } }
    },
  }
}
