/**
 * What stands before every verifier that asks somebody else: a deadline, a breaker, and a look at what it answers, so
 * that one that is slow, dead or lying fails closed in time, hides itself for a while, and proves no more than it may.
 */
import { z } from 'zod'
import { AppError, isAppError } from '#src/errors.ts'
import { sessionLevel, type Level } from '#src/identity/assurance.ts'
import { createBreaker, type BreakerLimits } from '#src/peers/breaker.ts'
import { backEndDeadlineMs, within } from './deadline.ts'
import type { Evidence, Outcome, Verifier } from './verifier.ts'

interface Options extends BreakerLimits {
  readonly timeoutMs?: number
}

const level = z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)])

/** What an evidence of this verifier may say, capped; undefined where it says something else. */
function checked(verifier: Verifier, evidence: Evidence, now: number): Evidence | undefined {
  const { amr, at } = evidence
  const isOwn = evidence.verifier === verifier.name && amr.length > 0 && amr.every((one) => verifier.amr.includes(one))
  const parsed = level.safeParse(evidence.level)
  if (!isOwn || !parsed.success || !Number.isFinite(at) || at > now) return undefined
  return { ...evidence, level: sessionLevel(parsed.data as Level, verifier.cap) }
}

/** A failure of whatever kind is one of the back end; what the citizen gave wrongly keeps its own code. */
const unavailable = (verifier: Verifier, cause: unknown): unknown =>
  isAppError(cause) && (cause.status < 500 || cause.code === 'verifier_unavailable')
    ? cause
    : new AppError('verifier_unavailable', { detail: verifier.name, cause })

export function guarded(verifier: Verifier, { timeoutMs = backEndDeadlineMs, ...limits }: Options): Verifier {
  const breaker = createBreaker({
    ...limits,
    whenDown: () => new AppError('verifier_unavailable', { detail: `${verifier.name} is left alone for a while` }),
    isBroken: (error) => !isAppError(error) || error.status >= 500,
  })
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    breaker.run(async () => {
      try {
        return await within(timeoutMs, 'verifier_unavailable', work)
      } catch (cause) {
        throw unavailable(verifier, cause)
      }
    })

  return {
    ...verifier,
    down: () => breaker.down() || (verifier.down?.() ?? false),
    begin: (claim, input) => ask(() => verifier.begin(claim, input)),
    finish: (claim, keep, input) =>
      ask(async (): Promise<Outcome> => {
        const outcome = await verifier.finish(claim, keep, input)
        if (!outcome.ok) return outcome
        const evidence = checked(verifier, outcome.evidence, claim.now)
        if (!evidence) throw new AppError('verifier_unavailable', { detail: `${verifier.name} said what it may not` })
        return { ok: true, evidence }
      }),
  }
}
