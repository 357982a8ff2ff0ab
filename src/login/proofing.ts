/**
 * Proofing by three elements (DESIGN D8): a name and number that the register knows, and a phone that is that person's.
 * Name and number with somebody's phone only claim an account (L1). The register is asked only after the phone is
 * proven, and the answer never says which field was wrong (PAGES "Order is security").
 */
import type { Recorder } from '#src/audit/recorder.ts'
import { isAppError } from '#src/errors.ts'
import { isUnder14 } from '#src/identity/calendar.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { Document } from '#src/identity/id-number.ts'
import type { RegisterAnswer } from '#src/identity/registry.ts'
import type { Directory } from './directory.ts'
import type { RegisterCheck } from './register-check.ts'
import type { Throttle } from './throttle.ts'
import type { Trail } from './visit.ts'

export interface ProofingInput {
  readonly document: Document
  readonly name: string
  /** E.164, proven a moment ago. */
  readonly phone: string
  /** The account he signed in to, if any. */
  readonly citizen?: Citizen
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
  | 'phone-not-yours'
  | 'too-often'
  | 'unavailable'

interface Dependencies {
  readonly directory: Directory
  readonly check: RegisterCheck
  readonly throttle: Throttle
  readonly recorder: Recorder
  /** Ends every session of a person. */
  readonly endSessions: (person: string) => Promise<unknown>
  readonly now?: () => number
}

export interface Proofing {
  /** Asks the register and opens, binds or refuses; whatever happened is in the audit trail. */
  prove(input: ProofingInput): Promise<Proofed>
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
  const { directory, check, throttle, recorder, endSessions, now = Date.now } = deps

  /** Asks within the limits; a phone that has used up its own does not use up the number's. */
  const ask = async ({
    document,
    name,
    phone,
  }: ProofingInput): Promise<Awaited<ReturnType<RegisterCheck>> | { result: 'too-often' }> => {
    const limits = [
      ['register-phone', await directory.phoneIndex(phone)],
      ['register-number', await directory.documentIndex(document.kind, document.number)],
    ] as const
    for (const [limit, key] of limits) {
      if (!(await throttle.take(limit, key)).allowed) return { result: 'too-often' }
    }
    const answer = await check({ kind: document.kind, number: document.number, name, phone })
    if (answer.result === 'unavailable') {
      // Nothing was learnt, so nothing is counted: the page asks to try again in ten minutes.
      await Promise.all(limits.map(([limit, key]) => throttle.giveBack(limit, key)))
    }
    return answer
  }

  /** Opens or binds; whoever loses a race for the same document settles with the owner that then exists. */
  const settle = async (input: ProofingInput, phoneIsTheirs: boolean): Promise<Proofed> => {
    const { document, name, phone, citizen } = input
    const owner = await directory.byDocument(document.kind, document.number)
    if (owner && owner.status !== 'active') return refused('taken')
    // The person's own phone opens his account; somebody else's opens nobody's (three elements).
    if (owner && phoneIsTheirs) {
      const bound = await directory.bindProven(owner.id, { name, document, phone, proofing: 2 })
      // Whoever had only claimed the account is out, with his phone.
      if (owner.proofing < 2) await endSessions(owner.id)
      return { ok: true, citizen: bound }
    }
    if (owner) return refused(owner.id === citizen?.id ? 'phone-not-yours' : 'taken')
    try {
      const opened = await directory.open({
        name,
        document: { kind: document.kind, number: document.number, status: phoneIsTheirs ? 'proven' : 'claimed' },
        phone,
        proven: phoneIsTheirs,
        proofing: phoneIsTheirs ? 2 : 1,
      })
      return { ok: true, citizen: opened }
    } catch (error) {
      if (isAppError(error, 'conflict')) return settle(input, phoneIsTheirs)
      throw error
    }
  }

  return {
    async prove(input) {
      const { trail, document } = input
      const record = (answer: string, reason?: ProofingRefusal) =>
        recorder.record({
          ...trail,
          type: 'register.checked',
          outcome: reason === undefined ? 'ok' : reason === 'unavailable' ? 'failed' : 'refused',
          ...(reason === undefined ? {} : { reason }),
          facts: { register: answer, kind: document.kind },
        })
      const refuse = async (reason: ProofingRefusal, answer = 'not-asked'): Promise<Proofed> => {
        await record(answer, reason)
        return refused(reason)
      }

      if (document.birthDate !== undefined && isUnder14(document.birthDate, now())) return refuse('under-14')
      const answer = await ask(input)
      if (answer.result === 'too-often') return refuse('too-often')
      if (answer.result === 'unavailable') return refuse('unavailable', 'unavailable')
      if (answer.result !== 'match') return refuse(refusalOf[answer.result], answer.result)
      await record(`match, phone ${answer.phone}`)

      const proofed = await settle(input, answer.phone === 'match')
      await recorder.record({
        ...trail,
        type: 'account.proofed',
        outcome: proofed.ok ? 'ok' : 'refused',
        ...(proofed.ok ? { person: proofed.citizen.id, level: proofed.citizen.proofing } : { reason: proofed.reason }),
      })
      return proofed
    },
  }
}
