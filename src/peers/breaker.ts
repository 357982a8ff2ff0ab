/**
 * A breaker before a service of somebody else: after a few failures in a row it says *down* at once for a while, so that
 * a service that hangs does not hold every citizen for its whole deadline; then one question tries it again.
 */
export interface Breaker {
  /** Would a question be turned away now? */
  down(): boolean
  /** Asks, or throws `whenDown` without asking. */
  run<T>(ask: () => Promise<T>): Promise<T>
}

export interface BreakerLimits {
  /** Failures in a row that open it. */
  readonly failures: number
  readonly pauseMs: number
  readonly now?: () => number
}

interface Options extends BreakerLimits {
  readonly whenDown: () => Error
  /** Which errors mean that the service is broken; one that refuses a question is up. */
  readonly isBroken?: (error: unknown) => boolean
}

export function createBreaker({
  failures,
  pauseMs,
  whenDown,
  isBroken = () => true,
  now = Date.now,
}: Options): Breaker {
  let failed = 0
  let openUntil = 0
  let probing = false
  const open = () => failed >= failures
  const down = () => open() && (now() < openUntil || probing)

  return {
    down,
    async run(ask) {
      if (down()) throw whenDown()
      const probe = open()
      if (probe) probing = true
      try {
        const answer = await ask()
        failed = 0
        return answer
      } catch (error) {
        if (isBroken(error)) {
          failed += 1
          openUntil = now() + pauseMs
        }
        throw error
      } finally {
        if (probe) probing = false
      }
    },
  }
}
