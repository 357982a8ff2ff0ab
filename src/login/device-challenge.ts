/**
 * The challenge that a citizen's own device answers, beside the code to his phone: begun by the page's script, once for
 * each try, so that two tabs hold two of them. An answer, right or wrong, ends its challenge.
 */
import { randomUUID } from 'node:crypto'
import type { Recorder } from '#src/audit/recorder.ts'
import { sessionLevel } from '#src/identity/assurance.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Verifiers } from '#src/verifiers/registry.ts'
import type { Begun, Claim, Evidence, Verifier } from '#src/verifiers/verifier.ts'
import type { Challenge } from './attempt.ts'
import type { Refused } from './challenge.ts'
import type { Directory } from './directory.ts'
import { offered } from './policy.ts'
import type { Throttle } from './throttle.ts'
import { trailOf, type Visit } from './visit.ts'

/** What a page's script is given: which challenge to answer, and how to ask the device. */
export interface Shown {
  readonly challenge: string
  readonly show: Begun['show']
}

export interface DeviceChallenges {
  /** Is this way offered: beside the phone, as the only one that reaches the level asked, or not at all? */
  way(visit: Visit): 'none' | 'beside' | 'only'
  begin(visit: Visit): Promise<Shown | Refused>
  /** Judges an answer; whatever came of it is in the audit trail. */
  judge(
    visit: Visit,
    challenge: string,
    answer: string,
  ): Promise<{ readonly evidence: Evidence; readonly challenge: Challenge } | Refused>
}

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'spend'>
  readonly directory: Pick<Directory, 'find'>
  readonly verifiers: Verifiers
  readonly throttle: Throttle
  readonly recorder: Pick<Recorder, 'record'>
  readonly now?: () => number
}

interface Stored extends Pick<Begun, 'keep' | 'expiresAt'> {
  readonly verifier: string
}

const kind = 'DeviceChallenge'
/** A late answer is told that it is late. */
const lateMs = 3_600_000

const refused = (code: string, why: string) => ({ refusal: { code }, why })

export function createDeviceChallenges(deps: Dependencies): DeviceChallenges {
  const { artifacts, directory, verifiers, throttle, recorder, now = Date.now } = deps

  const claimOf = ({ uid, channel, locale, largeType, purpose }: Visit): Claim => ({
    ...{ attempt: uid, channel: channel.name, locale, largeType, purpose },
    now: now(),
  })
  const verifierFor = ({ channel, asked }: Visit): Verifier | undefined =>
    offered(channel, verifiers, asked).find(({ by }) => by === 'device')

  const weigh = async (visit: Visit, id: string, answer: string) => {
    if (!(await throttle.take('device-answer', visit.uid)).allowed) return refused('passkey_exhausted', 'exhausted')
    const stored = id === '' ? undefined : (await artifacts.get<Stored>(kind, id))?.value
    const verifier = stored && verifiers.get(stored.verifier)
    if (!stored || !verifier) return refused('passkey_expired', 'gone')
    if (!(await artifacts.spend(kind, id, stored.expiresAt + lateMs))) return refused('passkey_used', 'used')
    const outcome = await verifier.finish(claimOf(visit), stored.keep, answer)
    if (!outcome.ok) {
      const code = outcome.reason === 'expired' ? 'passkey_expired' : 'passkey_refused'
      return refused(code, outcome.detail ?? outcome.reason)
    }
    const { evidence } = outcome
    const person = 'person' in evidence.subject ? await directory.find(evidence.subject.person) : undefined
    if (person?.status !== 'active') return refused('passkey_refused', 'account')
    const level = sessionLevel(evidence.level, verifier.cap)
    const challenge = { id, verifier: verifier.name, keep: {}, expiresAt: stored.expiresAt, resendAt: now() }
    return { evidence: { ...evidence, level }, challenge }
  }

  return {
    way(visit) {
      if (!verifierFor(visit)) return 'none'
      return offered(visit.channel, verifiers, visit.asked).every(({ by }) => by === 'device') ? 'only' : 'beside'
    },

    async begin(visit) {
      const verifier = verifierFor(visit)
      if (!verifier) return { code: 'verifier_unavailable' }
      if (!(await throttle.take('device-begin', visit.uid)).allowed) return { code: 'passkey_exhausted' }
      const { show, keep, expiresAt } = await verifier.begin(claimOf(visit), undefined)
      const challenge = randomUUID()
      const stored: Stored = { verifier: verifier.name, keep, expiresAt }
      await artifacts.put(kind, challenge, stored, { expiresAt: expiresAt + lateMs })
      return { challenge, show }
    },

    async judge(visit, challenge, answer) {
      const judged = await weigh(visit, challenge, answer)
      const isRight = 'evidence' in judged
      await recorder.record({
        ...trailOf(visit),
        type: 'challenge.answered',
        outcome: isRight ? 'ok' : 'refused',
        ...(isRight ? {} : { reason: judged.refusal.code, facts: { why: judged.why } }),
        verifier: isRight ? judged.evidence.verifier : 'passkey',
      })
      return isRight ? judged : judged.refusal
    },
  }
}
