/**
 * A breaker before a verifier's back end: after a few failures in a row it says *unavailable* at once for a while, so
 * that a gateway that hangs does not hold every citizen for its whole deadline; then one question tries it again.
 */
import { PeerRefusal } from '#src/crypto/signed-http.ts'
import { AppError, isAppError } from '#src/errors.ts'
import type { Verifier } from './verifier.ts'

interface Options {
  /** Failures in a row that open it. */
  readonly failures: number
  readonly pauseMs: number
  readonly now?: () => number
}

/** A peer that refuses one question is up: a number it does not like must not close the door to everybody. */
const isBroken = (error: unknown) => isAppError(error, 'verifier_unavailable') && !(error.cause instanceof PeerRefusal)

export function withBreaker(verifier: Verifier, { failures, pauseMs, now = Date.now }: Options): Verifier {
  let failed = 0
  let openUntil = 0
  let probing = false
  const down = () => failed >= failures && (now() < openUntil || probing)

  return {
    ...verifier,
    down,
    async begin(claim, input) {
      if (down()) throw new AppError('verifier_unavailable', { detail: `${verifier.name}: the breaker is open` })
      const probe = failed >= failures
      if (probe) probing = true
      try {
        const begun = await verifier.begin(claim, input)
        failed = 0
        return begun
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
