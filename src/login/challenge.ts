/**
 * The challenge of a sign-in: has a code sent within its limits, and judges the answer so that many at once are no more
 * than the limit and a right one counts once (facts/security §2, 43–47).
 */
import { randomUUID } from 'node:crypto'
import type { Recorder } from '#src/audit/recorder.ts'
import { isAppError } from '#src/errors.ts'
import { sessionLevel } from '#src/identity/assurance.ts'
import type { Storage } from '#src/storage/storage.ts'
import type { Verifiers } from '#src/verifiers/registry.ts'
import type { Claim, Evidence } from '#src/verifiers/verifier.ts'
import type { Attempt, Challenge } from './attempt.ts'
import type { Directory } from './directory.ts'
import { offered } from './policy.ts'
import type { Throttle } from './throttle.ts'
import { trailOf, type Visit } from './visit.ts'

/** Why there is no challenge, or no evidence: the code of a sentence and what it speaks of. */
export interface Refused {
  readonly code: string
  readonly variables?: { readonly [name: string]: number }
}

export interface Challenges {
  /** Has a code sent to the phone by the first verifier that can reach the level asked. */
  send(visit: Visit, phone: string): Promise<{ readonly challenge: Challenge } | Refused>
  /** Judges an answer to the attempt's challenge; whatever came of it is in the audit trail. */
  judge(visit: Visit, attempt: Attempt, answer: string): Promise<{ readonly evidence: Evidence } | Refused>
}

interface Dependencies {
  readonly directory: Pick<Directory, 'phoneIndex'>
  readonly throttle: Throttle
  readonly verifiers: Verifiers
  readonly recorder: Recorder
  readonly storage: Pick<Storage, 'artifacts'>
  readonly resendAfterMs: number
  readonly now?: () => number
}

const minutes = (ms: number) => Math.max(1, Math.ceil(ms / 60_000))
/** Marks outlive what they mark, so that clock steps find them. */
const markGraceMs = 3_600_000

export function createChallenges(deps: Dependencies): Challenges {
  const { directory, throttle, verifiers, recorder, storage, now = Date.now } = deps

  const claimOf = ({ uid, channel, locale, largeType, purpose }: Visit): Claim => ({
    attempt: uid,
    channel: channel.name,
    locale,
    largeType,
    purpose,
    now: now(),
  })

  const weigh = async (
    visit: Visit,
    { challenge, phone }: Attempt,
    given: string,
  ): Promise<{ evidence: Evidence } | Refused> => {
    const verifier = challenge && verifiers.get(challenge.verifier)
    if (!challenge || !verifier || phone === undefined) return { code: 'code_expired' }
    // The challenge's own tries first: guessing at a dead code must not use up the phone's day.
    const answer = await throttle.take('answer', challenge.id)
    if (!answer.allowed) return { code: 'code_exhausted' }
    const key = await directory.phoneIndex(phone)
    const day = await throttle.take('failures-day', key)
    if (!day.allowed) return { code: 'code_failures_day' }
    let outcome
    try {
      outcome = await verifier.finish(claimOf(visit), challenge.keep, given)
    } catch (error) {
      if (!isAppError(error, 'verifier_unavailable')) throw error
      await Promise.all([throttle.giveBack('failures-day', key), throttle.giveBack('answer', challenge.id)])
      return { code: error.code }
    }
    if (!outcome.ok && outcome.reason === 'mismatch') {
      if (day.left === 0) return { code: 'code_failures_day' }
      const count = Math.min(answer.left, day.left)
      return count > 0 ? { code: 'code_wrong', variables: { count } } : { code: 'code_exhausted' }
    }
    // Only a wrong guess is a failure of the day.
    await throttle.giveBack('failures-day', key)
    if (!outcome.ok) return { code: 'code_expired' }
    const first = await storage.artifacts.spend('Challenge', challenge.id, challenge.expiresAt + markGraceMs)
    if (!first) return { code: 'code_used' }
    const { evidence } = outcome
    return { evidence: { ...evidence, level: sessionLevel(evidence.level, verifier.cap) } }
  }

  return {
    async send(visit, phone) {
      const [verifier] = offered(visit.channel, verifiers, visit.asked)
      if (!verifier) return { code: 'verifier_unavailable' }
      const record = (outcome: 'ok' | 'refused' | 'failed', reason?: string) =>
        recorder.record({
          ...trailOf(visit),
          type: 'challenge.sent',
          outcome,
          ...(reason === undefined ? {} : { reason }),
          verifier: verifier.name,
        })
      const key = await directory.phoneIndex(phone)
      for (const [limit, code] of [
        ['send-pause', 'code_too_soon'],
        ['send-day', 'code_too_many'],
      ] as const) {
        const ticket = await throttle.take(limit, key)
        if (ticket.allowed) continue
        await record('refused', code)
        return { code, variables: { minutes: minutes(ticket.retryAfterMs) } }
      }
      try {
        const { keep, expiresAt } = await verifier.begin(claimOf(visit), phone)
        await record('ok')
        const resendAt = now() + deps.resendAfterMs
        return { challenge: { id: randomUUID(), verifier: verifier.name, keep, expiresAt, resendAt } }
      } catch (error) {
        if (!isAppError(error, 'verifier_unavailable')) throw error
        // No code went out, so there is none to wait for; the day's count stays, since a slow gateway may yet send it.
        await throttle.giveBack('send-pause', key)
        await record('failed', error.code)
        return { code: error.code }
      }
    },

    async judge(visit, attempt, answer) {
      const judged = await weigh(visit, attempt, answer)
      const unavailable = 'code' in judged && judged.code === 'verifier_unavailable'
      await recorder.record({
        ...trailOf(visit),
        type: 'challenge.answered',
        outcome: 'evidence' in judged ? 'ok' : unavailable ? 'failed' : 'refused',
        ...('evidence' in judged ? {} : { reason: judged.code }),
        ...(attempt.challenge ? { verifier: attempt.challenge.verifier } : {}),
      })
      return judged
    },
  }
}
