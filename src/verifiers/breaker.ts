/** The breaker before a verifier's back end: a broken method says so at once, and hides itself where another is offered. */
import { AppError, isAppError } from '#src/errors.ts'
import { createBreaker, type BreakerLimits } from '#src/peers/breaker.ts'
import { PeerRefusal } from '#src/peers/signed-http.ts'
import type { Verifier } from './verifier.ts'

/** A peer that refuses one question is up: a number it does not like must not close the door to everybody. */
const isBroken = (error: unknown) => isAppError(error, 'verifier_unavailable') && !(error.cause instanceof PeerRefusal)

export function withBreaker(verifier: Verifier, limits: BreakerLimits): Verifier {
  const whenDown = () => new AppError('verifier_unavailable', { detail: `${verifier.name}: the breaker is open` })
  const breaker = createBreaker({ ...limits, whenDown, isBroken })
  return {
    ...verifier,
    down: breaker.down,
    begin: (claim, input) => breaker.run(() => verifier.begin(claim, input)),
  }
}
