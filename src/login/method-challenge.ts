/**
 * The challenges of every method but the code to a phone: begun once for each try, so that two tabs hold two of them. An
 * answer, right or wrong, ends its challenge; one that proves somebody is looked up before it counts.
 */
import { randomUUID } from 'node:crypto'
import type { AuditEvent, Recorder } from '#src/audit/recorder.ts'
import { isAppError } from '#src/errors.ts'
import { sessionLevel } from '#src/identity/assurance.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Begun, Claim, Evidence, Named, Outcome, Verifier } from '#src/verifiers/verifier.ts'
import type { Challenge, KnownCode } from './attempt.ts'
import { busy, type Refused } from './challenge.ts'
import type { Line, Place } from './line.ts'
import type { Recognition } from './recognition.ts'
import type { Throttle } from './throttle.ts'
import { trailOf, type Visit } from './visit.ts'

/** What a page is given: which challenge to answer, and what its verifier shows. */
export interface Shown {
  readonly challenge: string
  readonly show: Begun['show']
  /** Where the citizen goes on, of a method by redirect. */
  readonly leaveTo?: string
}

export interface Proven {
  readonly evidence: Evidence
  readonly challenge: Challenge
  /** The code by which an issuer knows him, where the method gives one. */
  readonly code?: KnownCode
}

/** What the attempt holds already. */
export interface Held {
  /** Whom a named method is asked about. */
  readonly named?: Named | undefined
  /** What waits to be linked to the account that this proves. */
  readonly code?: KnownCode | undefined
  /** His turn in the line of a busy address. */
  readonly place?: Place | undefined
  /** The version of the text that he has just agreed to, on record before anything begins. */
  readonly consent?: string | undefined
}

export interface MethodChallenges {
  begin(visit: Visit, verifier: Verifier, held: Held): Promise<Shown | Refused>
  /** Judges an answer; whatever came of it is in the audit trail. */
  judge(visit: Visit, verifier: Verifier, challenge: string, answer: unknown, held: Held): Promise<Proven | Refused>
  /**
   * Ends a challenge with which somebody came back in a browser that does not hold its attempt: whoever left may have
   * sent him, to be signed in by what he proves.
   */
  end(challenge: string, trail: Pick<AuditEvent, 'reference' | 'address'>): Promise<void>
}

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'spend'>
  readonly recognise: Recognition
  readonly throttle: Throttle
  readonly line: Line
  readonly recorder: Pick<Recorder, 'record'>
  readonly issuer: string
  /** Of whom a named method is asked, as a key of counters. */
  readonly numberKey: (named: Named) => Promise<string>
  readonly onUnavailable?: (error: unknown, reference: string) => void
  readonly now?: () => number
}

interface Stored extends Pick<Begun, 'keep' | 'expiresAt' | 'reference'> {
  readonly verifier: string
  readonly attempt: string
}

const kind = 'MethodChallenge'
/** A late answer is told that it is late. */
const lateMs = 3_600_000

/** The passkey has sentences of its own. */
const codeOf = ({ name }: Verifier, what: 'refused' | 'expired' | 'used' | 'exhausted') =>
  `${name === 'passkey' ? name : 'method'}_${what}`

export function createMethodChallenges(deps: Dependencies): MethodChallenges {
  const { artifacts, recognise, throttle, line, recorder, issuer, onUnavailable = () => {}, now = Date.now } = deps

  const claimOf = ({ uid, channel, locale, largeType, purpose }: Visit): Claim => ({
    ...{ attempt: uid, channel: channel.name, locale, largeType, purpose },
    now: now(),
  })

  const put = (id: string, stored: Stored) => artifacts.put(kind, id, stored, { expiresAt: stored.expiresAt + lateMs })

  /** A back end that does not answer is no fault of the citizen's. */
  const reaching = async <T>(visit: Visit, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!isAppError(error, 'verifier_unavailable')) throw error
      onUnavailable(error, visit.reference)
      return undefined
    }
  }

  /** A form may be guessed at, in however many attempts: the address pays for what was wrong. */
  const queue = async ({ address }: Visit, { by }: Verifier, place: Place | undefined) =>
    by === 'form' ? line.pass('failures-address', address, place) : undefined

  /**
   * Whoever holds another's document may hold many a face before a camera: that document pays for each that was not its
   * holder's. Of one that is named it has paid when it began. Each method counts apart, or whoever knows a number, or
   * has found a card, would shut all of them to its holder.
   */
  const mayBeTried = async ({ name, facial, named }: Verifier, outcome: Outcome): Promise<boolean> => {
    const about = outcome.ok ? outcome.evidence.subject : outcome.about
    if (!facial || named || !about || !('number' in about)) return true
    const key = `${name} ${await deps.numberKey(about)}`
    const { allowed } = await throttle.take('method-number', key)
    if (allowed && outcome.ok) await throttle.giveBack('method-number', key)
    return allowed
  }

  const weigh = async (visit: Visit, verifier: Verifier, id: string, answer: unknown, { code, place }: Held) => {
    const refused = (what: Parameters<typeof codeOf>[1], why: string) => ({
      refusal: { code: codeOf(verifier, what) },
      why,
    })
    if (!(await throttle.take('method-answer', visit.uid)).allowed) return refused('exhausted', 'exhausted')
    const waiting = await queue(visit, verifier, place)
    if (waiting) return { refusal: busy(waiting, now()), why: 'busy' }
    const forgive = () => (verifier.by === 'form' ? line.forgive(visit.address) : undefined)
    const stored = id === '' ? undefined : (await artifacts.get<Stored>(kind, id))?.value
    if (!stored) return refused('expired', 'gone')
    if (!(await artifacts.spend(kind, id, stored.expiresAt + lateMs))) return refused('used', 'used')
    // Spent it is worth nothing to anybody: whom it was about goes, and only that it was answered stays.
    await put(id, { ...stored, keep: {} })
    // Whoever tries an answer elsewhere has used it up.
    if (stored.attempt !== visit.uid || stored.verifier !== verifier.name) return refused('refused', 'foreign')
    const outcome = await reaching(visit, () => verifier.finish(claimOf(visit), stored.keep, answer))
    if (outcome?.ok !== false) await forgive()
    if (!outcome) return { refusal: { code: 'verifier_unavailable' }, why: 'unavailable' }
    if (!(await mayBeTried(verifier, outcome))) return { refusal: { code: 'proof_too-often' }, why: 'too-often' }
    if (!outcome.ok) {
      const { reason, detail = reason, say } = outcome
      const common = refused(reason === 'expired' ? 'expired' : 'refused', detail)
      return say === undefined ? common : { ...common, refusal: { code: say } }
    }
    const evidence = { ...outcome.evidence, level: sessionLevel(outcome.evidence.level, verifier.cap) }
    const recognised = await recognise(visit, evidence, code)
    if ('why' in recognised)
      return { refusal: { code: recognised.code ?? codeOf(verifier, 'refused') }, why: recognised.why }
    const challenge = { id, verifier: verifier.name, keep: {}, expiresAt: stored.expiresAt, resendAt: now() }
    return { ...recognised, challenge }
  }

  return {
    async begin(visit, verifier, { named, place, consent: version }) {
      if (!(await throttle.take('method-begin', visit.uid)).allowed) return { code: codeOf(verifier, 'exhausted') }
      // Each asks somebody about a number: nobody learns by it, but it may be paid for, as a text is.
      const waiting = named && (await line.pass('send-address', visit.address, place))
      if (waiting) return busy(waiting, now())
      if (named && !(await throttle.take('method-number', await deps.numberKey(named))).allowed)
        return { code: 'proof_too-often' }
      if (version !== undefined) {
        const facts = { about: verifier.name, version }
        await recorder.record({ ...trailOf(visit), type: 'consent.given', outcome: 'ok', facts })
      }
      const challenge = randomUUID()
      const returnTo = { url: `${issuer}/return/${verifier.name}`, state: `${visit.uid}.${challenge}` }
      const claim = { ...claimOf(visit), ...(verifier.by === 'redirect' ? { returnTo } : {}) }
      let code: 'verifier_unavailable' | 'document_unfit' = 'verifier_unavailable'
      const begun = await reaching(visit, () => verifier.begin(claim, named)).catch((error: unknown) => {
        // Nor is a document that this back end does not know.
        if (!isAppError(error, 'document_unfit')) throw error
        code = 'document_unfit'
        return undefined
      })
      const record = (outcome: 'ok' | 'failed') =>
        recorder.record({
          ...trailOf(visit),
          type: 'challenge.sent',
          outcome,
          ...(begun ? {} : { reason: code }),
          verifier: verifier.name,
          ...(begun?.reference === undefined ? {} : { facts: { message: begun.reference } }),
        })
      // What a device is asked leaves nobody's hands; what a back end is asked is on record.
      if (verifier.by !== 'device' || !begun) await record(begun ? 'ok' : 'failed')
      if (!begun) return { code }
      const { show, keep, expiresAt, reference, leaveTo } = begun
      const stored: Stored = {
        ...{ verifier: verifier.name, attempt: visit.uid, keep, expiresAt },
        ...(reference === undefined ? {} : { reference }),
      }
      await put(challenge, stored)
      return { challenge, show, ...(leaveTo === undefined ? {} : { leaveTo }) }
    },

    async judge(visit, verifier, challenge, answer, held) {
      const judged = await weigh(visit, verifier, challenge, answer, held)
      const isRight = 'evidence' in judged
      await recorder.record({
        ...trailOf(visit),
        type: 'challenge.answered',
        outcome: isRight ? 'ok' : judged.why === 'unavailable' ? 'failed' : 'refused',
        ...(isRight
          ? judged.evidence.reference === undefined
            ? {}
            : { facts: { reference: judged.evidence.reference } }
          : { reason: judged.refusal.code, facts: { why: judged.why } }),
        verifier: verifier.name,
      })
      return isRight ? judged : judged.refusal
    },

    async end(challenge, trail) {
      const stored = (await artifacts.get<Stored>(kind, challenge))?.value
      if (!stored || !(await artifacts.spend(kind, challenge, stored.expiresAt + lateMs))) return
      await put(challenge, { ...stored, keep: {} })
      const refusal = { reason: 'method_refused', facts: { why: 'foreign-browser' } }
      await recorder.record({
        ...{ ...trail, type: 'challenge.answered', outcome: 'refused', ...refusal },
        verifier: stored.verifier,
      })
    },
  }
}
