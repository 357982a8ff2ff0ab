/** The breaker before a population register: while it is down the answer is *unavailable*, never *mismatch*. */
import { AppError } from '#src/errors.ts'
import type { PopulationRegister } from '#src/identity/registry.ts'
import { createBreaker, type BreakerLimits } from '#src/peers/breaker.ts'

export function withBreaker(register: PopulationRegister, limits: BreakerLimits): PopulationRegister {
  const whenDown = () => new AppError('register_unavailable', { detail: 'the breaker is open' })
  const breaker = createBreaker({ ...limits, whenDown })
  return {
    name: register.name,
    check: (query) => breaker.run(() => register.check(query)),
    // The feed is asked in the background and has its own pace; its failures say nothing of a citizen's question.
    changes: (after, limit) => register.changes(after, limit),
  }
}
