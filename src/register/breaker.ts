/**
 * A breaker around a register: after a few failures in a row it answers *unavailable* at once for a while, so that a
 * register that hangs does not hold every citizen for its whole timeout, and one that recovers is found again.
 */
import { AppError } from '#src/errors.ts'
import type { PopulationRegister } from '#src/identity/registry.ts'

interface Options {
  /** Failures in a row that open it. */
  readonly failures: number
  /** How long it stays open before one question is let through. */
  readonly pauseMs: number
  readonly now?: () => number
}

export function withBreaker(
  register: PopulationRegister,
  { failures, pauseMs, now = Date.now }: Options,
): PopulationRegister {
  let failed = 0
  let openUntil = 0
  let probing = false

  const guarded = async <T>(ask: () => Promise<T>): Promise<T> => {
    const open = failed >= failures
    if (open && (now() < openUntil || probing))
      throw new AppError('register_unavailable', { detail: 'the breaker is open' })
    probing = open
    try {
      const answer = await ask()
      failed = 0
      return answer
    } catch (error) {
      failed += 1
      openUntil = now() + pauseMs
      throw error
    } finally {
      probing = false
    }
  }

  return {
    name: register.name,
    check: (query) => guarded(() => register.check(query)),
    // The feed is asked in the background and has its own pace; its failures say nothing of a citizen's question.
    changes: (after, limit) => register.changes(after, limit),
  }
}
