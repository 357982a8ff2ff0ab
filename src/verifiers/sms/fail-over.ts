/**
 * Several gateways in order as one: each has its breaker and its part of the time, and where one refuses, fails or is
 * left alone, the next is asked. A gateway that does not answer may have sent the text all the same: then too the next
 * sends it, with the same code, since two texts with one code confuse nobody, and none keeps a citizen out.
 */
import { createBreaker, type BreakerLimits } from '#src/peers/breaker.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { backEndDeadlineMs, within } from '../deadline.ts'
import type { SmsGateway } from './gateway.ts'

export interface Member {
  readonly gateway: SmsGateway
  /** The most it may take, alone. */
  readonly timeoutMs: number
}

interface Options extends BreakerLimits {
  /** Hears of each gateway that did not take a text, also where the next one did. */
  readonly onFailure?: (gateway: string, error: unknown) => void
}

/** A text's reference among all gateways, as evidence and audit trail have it. */
export const messageOf = (gateway: string, reference: string): string => `${gateway}:${reference}`

/** Somewhat less than whoever asks waits, so that the reason comes before the silence. */
const spare = 0.95

/** A gateway that refuses one number is up. */
const isBroken = (error: unknown) => !(error instanceof PeerRefusal)

export function createFailOver(members: readonly Member[], { onFailure = () => {}, ...limits }: Options): SmsGateway {
  const whenDown = () => new PeerFailure('the breaker is open')
  const guarded = members.map((member) => ({ ...member, breaker: createBreaker({ ...limits, isBroken, whenDown }) }))

  return {
    name: members.map(({ gateway }) => gateway.name).join(', '),
    down: () => guarded.every(({ breaker }) => breaker.down()),

    async send(phone, text, withinMs = backEndDeadlineMs) {
      const until = performance.now() + withinMs * spare
      const up = guarded.filter(({ breaker }) => !breaker.down())
      let fault: unknown
      for (const [at, { gateway, timeoutMs, breaker }] of up.entries()) {
        // Those behind keep their part of the time; what one that failed early did not use is theirs too.
        const ms = Math.min(timeoutMs, (until - performance.now()) / (up.length - at))
        const send = () => gateway.send(phone, text, ms * spare)
        try {
          const { reference } = await breaker.run(() => within(ms, 'verifier_unavailable', send))
          return { reference: messageOf(gateway.name, reference) }
        } catch (error) {
          onFailure(gateway.name, error)
          if (fault === undefined || isBroken(error)) fault = error
        }
      }
      throw fault ?? whenDown()
    },

    async close() {
      await Promise.all(members.map(({ gateway }) => gateway.close?.()))
    },
  }
}
