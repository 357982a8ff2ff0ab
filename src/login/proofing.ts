/**
 * Proofing (DESIGN D8). Three elements, a name and number that the register knows and a phone that is that person's, make
 * an account real (L2); name and number with somebody's phone only claim it (L1). A stronger proof takes the account from
 * whoever held it. The register is asked only after the phone is proven, and no answer to a stranger says that name and
 * number fit an account (PAGES "Order is security").
 */
import type { Recorder } from '#src/audit/recorder.ts'
import { isUnder14 } from '#src/identity/calendar.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { birthDateIn, isFormatOnly, type Document } from '#src/identity/id-number.ts'
import type { RegisterAnswer } from '#src/identity/registry.ts'
import type { Directory } from './directory.ts'
import type { Ownership, PersonalProof } from './ownership.ts'
import type { RegisterCheck } from './register-check.ts'
import type { Limit, Throttle } from './throttle.ts'
import type { Trail } from './visit.ts'

export interface ProofingInput {
  readonly document: Document
  readonly name: string
  /** E.164, proven a moment ago. */
  readonly phone: string
  /** The account he signed in to, if any. */
  readonly citizen?: Citizen
  /** His account without a number, if he was known by a code before. */
  readonly onto?: Citizen | undefined
  readonly trail: Trail
}

export type Proofed =
  { readonly ok: true; readonly citizen: Citizen } | { readonly ok: false; readonly reason: ProofingRefusal }

export type ProofingRefusal =
  | 'under-14'
  | 'mismatch'
  | 'not-possible'
  | 'document-void'
  | 'renamed'
  | 'renumbered'
  | 'taken'
  | 'closed'
  | 'phone-not-yours'
  | 'too-often'
  | 'unavailable'

interface Dependencies {
  readonly directory: Pick<Directory, 'phoneKey' | 'documentKey'>
  readonly check: RegisterCheck
  readonly throttle: Throttle
  readonly recorder: Recorder
  readonly ownership: Ownership
  readonly now?: () => number
}

type Point = readonly [limit: Limit, key: string]
type Answer = Awaited<ReturnType<RegisterCheck>> | { readonly result: 'too-often' }

export interface Proofing {
  /** Asks the register and opens, binds or refuses; whatever happened is in the audit trail. */
  prove(input: ProofingInput): Promise<Proofed>
  /** For a verifier of the person himself (card, face, platform, certificate), which needs no phone of his. */
  provePersonally(proof: PersonalProof): Promise<Proofed>
}

const refused = (reason: ProofingRefusal): Proofed => ({ ok: false, reason })

/** A deceased person and a cancelled registration are one answer to whoever asks. */
const refusalOf: Readonly<Record<Exclude<RegisterAnswer['result'], 'match'>, ProofingRefusal>> = {
  mismatch: 'mismatch',
  deceased: 'not-possible',
  cancelled: 'not-possible',
  'document-void': 'document-void',
  renamed: 'renamed',
  renumbered: 'renumbered',
}

export function createProofing(deps: Dependencies): Proofing {
  const { directory, check, throttle, recorder, ownership, now = Date.now } = deps

  /**
   * Takes the points that a check costs, or undefined where there are none. A phone that has used up its own does not use
   * up the number's; and where others have used up the number's, each phone still has one check of it, or whoever knows
   * a number could keep its holder from registering.
   */
  const paid = async ({ document: { kind, number }, phone }: ProofingInput): Promise<readonly Point[] | undefined> => {
    const byPhone: Point = ['register-phone', await directory.phoneKey(phone)]
    const byNumber: Point = ['register-number', await directory.documentKey(kind, number)]
    const byPair: Point = ['register-pair', `${byNumber[1]}:${byPhone[1]}`]
    if (!(await throttle.take(...byPhone)).allowed) return undefined
    for (const own of [byNumber, byPair]) if ((await throttle.take(...own)).allowed) return [byPhone, own]
    return undefined
  }

  const ask = async (input: ProofingInput): Promise<Answer> => {
    const points = await paid(input)
    if (!points) return { result: 'too-often' }
    const { document, name, phone } = input
    const answer = await check({ kind: document.kind, number: document.number, name, phone })
    // Where nothing was learnt nothing is counted: the page asks to try again in ten minutes.
    if (answer.result === 'unavailable') await Promise.all(points.map((point) => throttle.giveBack(...point)))
    return answer
  }

  /** What succeeded is on record already, from before it was done. */
  const recordRefused = async (trail: Trail, proofed: Proofed): Promise<Proofed> => {
    if (!proofed.ok)
      await recorder.record({ ...trail, type: 'account.proofed', outcome: 'refused', reason: proofed.reason })
    return proofed
  }

  /** What the register said, and why nothing comes of it, if so. */
  const recordAnswer = async (
    { trail, document }: Pick<ProofingInput, 'trail'> & { readonly document: Pick<Document, 'kind'> },
    answer: string,
    reason?: ProofingRefusal,
  ): Promise<Proofed> => {
    await recorder.record({
      ...trail,
      type: 'register.checked',
      outcome: reason === undefined ? 'ok' : reason === 'unavailable' ? 'failed' : 'refused',
      ...(reason === undefined ? {} : { reason }),
      facts: { register: answer, kind: document.kind },
    })
    return refused(reason ?? 'mismatch')
  }

  return {
    async prove(input) {
      const { trail, document } = input
      const refuse = (reason: ProofingRefusal, answer = 'not-asked') => recordAnswer(input, answer, reason)

      if (document.birthDate !== undefined && isUnder14(document.birthDate, now())) return refuse('under-14')
      const answer = await ask(input)
      if (answer.result === 'too-often') return refuse('too-often')
      if (answer.result === 'unavailable') return refuse('unavailable', 'unavailable')
      // The register need not hold these: what it does not know is claimed by its format.
      const byFormat = answer.result === 'mismatch' && isFormatOnly(document.kind)
      if (answer.result !== 'match' && !byFormat) return refuse(refusalOf[answer.result], answer.result)
      await recordAnswer(input, answer.result === 'match' ? `match, phone ${answer.phone}` : answer.result)
      const { name, phone, onto } = input
      return recordRefused(
        trail,
        answer.result === 'match' && answer.phone === 'match'
          ? await ownership.prove({ document, name, phone, level: 2, onto, trail })
          : await ownership.claim(input, answer.result === 'match'),
      )
    },

    async provePersonally(proof) {
      const { trail, document, name } = proof
      const refuse = (reason: ProofingRefusal, answer = 'not-asked') => recordAnswer(proof, answer, reason)
      const birthDate = birthDateIn(document.number)
      if (birthDate !== undefined && isUnder14(birthDate, now())) return refuse('under-14')
      // What was shown is true, but he may have died, been renamed, or have reported the card as lost.
      const answer = await check({ kind: document.kind, number: document.number, name })
      if (answer.result === 'unavailable') return refuse('unavailable', 'unavailable')
      if (answer.result !== 'match') return refuse(refusalOf[answer.result], answer.result)
      await recordAnswer(proof, 'match')
      return recordRefused(trail, await ownership.prove(proof))
    },
  }
}
