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
import type { Devices } from './devices.ts'
import type { Directory } from './directory.ts'
import type { Line, Place } from './line.ts'
import { able, offered } from './policy.ts'
import type { Throttle } from './throttle.ts'
import { trailOf, type Visit } from './visit.ts'

/** Why there is no challenge, or no evidence: the code of a sentence and what it speaks of. */
export interface Refused {
  readonly code: string
  readonly variables?: { readonly [name: string]: number }
  /** His turn, to come back with. */
  readonly place?: Place
}

export interface Asked {
  readonly place?: Place | undefined
  /** A verifier of the channel. */
  readonly verifier?: string | undefined
}

export interface Challenges {
  /**
   * Has a code sent to the phone by the first verifier that goes by phone and can reach the level asked, or by the one
   * named.
   * @param place his turn in the line of a busy address, where he has one
   */
  send(visit: Visit, phone: string, asked?: Asked): Promise<{ readonly challenge: Challenge } | Refused>
  /** Judges an answer to the attempt's challenge; whatever came of it is in the audit trail. */
  judge(visit: Visit, attempt: Attempt, answer: string): Promise<{ readonly evidence: Evidence } | Refused>
}

interface Dependencies {
  readonly directory: Pick<Directory, 'phoneKey'>
  readonly throttle: Throttle
  readonly devices: Pick<Devices, 'known'>
  readonly line: Line
  readonly verifiers: Verifiers
  readonly recorder: Recorder
  readonly storage: Pick<Storage, 'artifacts'>
  readonly resendAfterMs: number
  /** Hears why a verifier did not answer, and at which request: the citizen is told only that it did not. */
  readonly onUnavailable?: (error: unknown, reference: string) => void
  readonly now?: () => number
}

const minutes = (ms: number) => Math.max(1, Math.ceil(ms / 60_000))
/** Marks outlive what they mark, so that clock steps find them. */
const markGraceMs = 3_600_000

export const busy = ({ at, id }: Place, now: number): Refused => ({
  code: 'code_busy',
  variables: { count: Math.max(1, Math.ceil((at - now) / 1000)) },
  place: { at, id },
})

export function createChallenges(deps: Dependencies): Challenges {
  const {
    directory,
    throttle,
    devices,
    line,
    verifiers,
    recorder,
    storage,
    onUnavailable = () => {},
    now = Date.now,
  } = deps

  const claimOf = ({ uid, channel, locale, largeType, purpose }: Visit): Claim => ({
    attempt: uid,
    channel: channel.name,
    locale,
    largeType,
    purpose,
    now: now(),
  })

  const weigh = async (visit: Visit, attempt: Attempt, given: string): Promise<{ evidence: Evidence } | Refused> => {
    const { challenge, phone } = attempt
    const verifier = challenge && verifiers.get(challenge.verifier)
    if (!challenge || !verifier || phone === undefined) return { code: 'code_expired' }
    // The challenge's own tries first: guessing at a dead code must not use up the phone's day.
    const answer = await throttle.take('answer', challenge.id)
    if (!answer.allowed) return { code: 'code_exhausted' }
    const device = await devices.known(visit.device, phone)
    const waiting = device === undefined && (await line.pass('failures-address', visit.address, attempt.place))
    if (waiting) {
      await throttle.giveBack('answer', challenge.id)
      return busy(waiting, now())
    }
    // A known device fails on its own account: a stranger's guesses at the phone do not count against it.
    const failures = device === undefined ? 'failures-day' : 'failures-day-device'
    const key = device ?? (await directory.phoneKey(phone))
    /** Only a wrong guess is a failure, of the day and of the address. */
    const forgive = () =>
      Promise.all([throttle.giveBack(failures, key), ...(device === undefined ? [line.forgive(visit.address)] : [])])
    const day = await throttle.take(failures, key)
    if (!day.allowed) return { code: 'code_failures_day' }
    let outcome
    try {
      outcome = await verifier.finish(claimOf(visit), challenge.keep, given)
    } catch (error) {
      if (!isAppError(error, 'verifier_unavailable')) throw error
      onUnavailable(error, visit.reference)
      await Promise.all([forgive(), throttle.giveBack('answer', challenge.id)])
      return { code: error.code }
    }
    if (!outcome.ok && outcome.reason === 'mismatch') {
      if (day.left === 0) return { code: 'code_failures_day' }
      const count = Math.min(answer.left, day.left)
      return count > 0 ? { code: 'code_wrong', variables: { count } } : { code: 'code_exhausted' }
    }
    await forgive()
    if (!outcome.ok) return { code: 'code_expired' }
    const first = await storage.artifacts.spend('Challenge', challenge.id, challenge.expiresAt + markGraceMs)
    if (!first) return { code: 'code_used' }
    const { evidence } = outcome
    return { evidence: { ...evidence, level: sessionLevel(evidence.level, verifier.cap) } }
  }

  return {
    async send(visit, phone, { place, verifier: named } = {}) {
      const ways = named === undefined ? offered : able
      const all = ways(visit.channel, verifiers, visit.asked).filter(({ by }) => by === 'phone')
      const verifier = all.find(({ name }) => name === (named ?? name))
      if (!verifier) return { code: 'verifier_unavailable' }
      const record = (outcome: 'ok' | 'refused' | 'failed', reason?: string, message?: string) =>
        recorder.record({
          ...trailOf(visit),
          type: 'challenge.sent',
          outcome,
          ...(reason === undefined ? {} : { reason }),
          verifier: verifier.name,
          // What a receipt of the carrier will speak of.
          ...(message === undefined ? {} : { facts: { message } }),
        })
      const refuse = async (refused: Refused): Promise<Refused> => {
        await record('refused', refused.code)
        return refused
      }
      const late = (code: string, ms: number) => refuse({ code, variables: { minutes: minutes(ms) } })
      if (verifier.down?.()) {
        // Nothing is sent, so nothing is counted.
        await record('failed', 'verifier_unavailable')
        return { code: 'verifier_unavailable' }
      }

      const phoneKey = await directory.phoneKey(phone)
      const device = await devices.known(visit.device, phone)
      const key = device ?? phoneKey
      const pause = await throttle.take('send-pause', key)
      if (!pause.allowed) return late('code_too_soon', pause.retryAfterMs)
      const waiting = device === undefined && (await line.pass('send-address', visit.address, place))
      if (waiting) {
        await throttle.giveBack('send-pause', key)
        return refuse(busy(waiting, now()))
      }
      // A known device draws on its own reserve first, and then on what everybody may have sent to this phone.
      const reserved = device !== undefined && (await throttle.take('send-day-device', device)).allowed
      const day = reserved ? undefined : await throttle.take('send-day', phoneKey)
      if (day?.allowed === false) {
        await throttle.giveBack('send-pause', key)
        return late('code_too_many', day.retryAfterMs)
      }

      try {
        const { keep, expiresAt, reference } = await verifier.begin(claimOf(visit), phone)
        await record('ok', undefined, reference)
        const resendAt = now() + deps.resendAfterMs
        return { challenge: { id: randomUUID(), verifier: verifier.name, keep, expiresAt, resendAt } }
      } catch (error) {
        if (!isAppError(error, 'verifier_unavailable')) throw error
        onUnavailable(error, visit.reference)
        // No code went out, so there is none to wait for, and an outage uses up nobody's day; but as often only as a
        // gateway that says no and sends all the same may be borne.
        await throttle.giveBack('send-pause', key)
        const unsent = await throttle.take('unsent-day', phoneKey)
        if (unsent.allowed)
          await (reserved ? throttle.giveBack('send-day-device', key) : throttle.giveBack('send-day', phoneKey))
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
