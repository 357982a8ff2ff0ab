/**
 * Whom an evidence is of. A person named by his device must stand; a document goes through the register and becomes the
 * account of its holder; a code opens the account it is linked to, or none yet.
 */
import { isAppError } from '#src/errors.ts'
import { sessionLevel, type Level } from '#src/identity/assurance.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import type { Evidence } from '#src/verifiers/verifier.ts'
import type { KnownCode } from './attempt.ts'
import type { Directory } from './directory.ts'
import type { Links } from './links.ts'
import { lacksNumber } from './policy.ts'
import type { Proofing, ProofingRefusal } from './proofing.ts'
import { trailOf, type Visit } from './visit.ts'

export type Recognised =
  | { readonly evidence: Evidence; readonly code?: KnownCode }
  /** `why` for the trail; `code` of the sentence where the method's own does not say it. */
  | { readonly why: string; readonly code?: string }

export type Recognition = (visit: Visit, evidence: Evidence, code?: KnownCode) => Promise<Recognised>

interface Dependencies {
  readonly directory: Pick<Directory, 'find' | 'byId'>
  readonly proofing: Pick<Proofing, 'provePersonally'>
  readonly links: Pick<Links, 'find' | 'touch'>
  readonly now?: () => number
}

type DocumentSubject = Extract<Evidence['subject'], { number: string }>

/** The sentences of registering, but for those that speak of a phone and of what was typed. */
const sentenceOf = (reason: ProofingRefusal) =>
  `${reason === 'mismatch' || reason === 'taken' || reason === 'renamed' || reason === 'renumbered' ? 'person' : 'proof'}_${reason}`

export function createRecognition({ directory, proofing, links, now = Date.now }: Dependencies): Recognition {
  /** As citizens' own input is read, so that one document is one text whoever names it. */
  const readable = ({ kind, number, name }: DocumentSubject) => {
    try {
      return { document: parseDocument(kind, number, now()), name: parseName(name) }
    } catch (error) {
      if (isAppError(error) && error.status === 400) return undefined
      throw error
    }
  }

  const ofDocument = async (visit: Visit, evidence: Evidence, waiting?: KnownCode): Promise<Recognised> => {
    const { subject, level } = evidence
    if (!('number' in subject)) return { why: 'subject' }
    const document = readable(subject)
    if (!document) return { why: 'document' }
    const onto = waiting?.person === undefined ? undefined : await directory.byId(waiting.person)
    const signedIn = visit.session && visit.session.level >= 2 ? visit.session.person : undefined
    const proofed = await proofing.provePersonally({
      ...document,
      // What proves less than a real name proves nobody; and no channel proves more than its top, or the session that
      // follows would be one of less than the proof, and end with those that the proof puts out.
      level: Math.max(2, Math.min(level, visit.channel.top)) as Exclude<Level, 1>,
      onto,
      signedIn,
      trail: trailOf(visit),
    })
    if (!proofed.ok) return { why: proofed.reason, code: sentenceOf(proofed.reason) }
    return { evidence: { ...evidence, subject: { person: proofed.citizen.id } } }
  }

  const ofCode = async (evidence: Evidence): Promise<Recognised> => {
    const { subject } = evidence
    if (!('issuer' in subject)) return { why: 'subject' }
    const { issuer, code } = subject
    const link = await links.find({ issuer, code })
    const person = link && (await directory.byId(link.person))
    if (link && person && person.status !== 'active') return { why: 'account' }
    if (!link || !person) return { evidence, code: { issuer, code } }
    const level = sessionLevel(evidence.level, link.level)
    await links.touch(link)
    const known = { ...evidence, level, subject: { person: person.id } }
    return lacksNumber(person) ? { evidence: known, code: { issuer, code, person: person.id } } : { evidence: known }
  }

  return async (visit, evidence, waiting) => {
    const { subject, level } = evidence
    if ('phone' in subject) return { evidence }
    if ('issuer' in subject) return ofCode(evidence)
    if ('number' in subject) return level < 2 ? { why: 'level' } : ofDocument(visit, evidence, waiting)
    const person = await directory.find(subject.person)
    return person?.status === 'active' ? { evidence } : { why: 'account' }
  }
}
