/**
 * The limits of sign-in: how often a code may be sent, guessed, and the register asked (PAGES.md, NIST SP 800-63B
 * §3.2.2). Keys are blind indexes, keyed hashes and random ids, never plain numbers or addresses. A point is taken before
 * the act it pays for, so that many at once get no more than the limit.
 */
import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Config } from '#src/config.ts'
import type { Storage } from '#src/storage/storage.ts'
import { StorageLimiter } from './limiter-store.ts'

export type Limit =
  | 'send-pause'
  | 'send-day'
  | 'send-day-device'
  | 'unsent-day'
  | 'send-address'
  | 'answer'
  | 'failures-day'
  | 'failures-day-device'
  | 'failures-address'
  | 'method-begin'
  | 'method-answer'
  | 'method-number'
  | 'register-phone'
  | 'register-number'
  | 'register-pair'

export type Ticket =
  { readonly allowed: true; readonly left: number } | { readonly allowed: false; readonly retryAfterMs: number }

export interface Throttle {
  /** Takes a point; refused tickets say when the window opens again. */
  take(limit: Limit, key: string): Promise<Ticket>
  /** Gives back a point that an allowed ticket took, where the act it paid for did not count. */
  giveBack(limit: Limit, key: string): Promise<void>
}

interface Dependencies {
  readonly storage: Pick<Storage, 'counters'>
  readonly login: Config['login']
  readonly sms: Config['verifiers']['sms']
  readonly now?: () => number
}

const daySeconds = 86_400
const lineSeconds = 60
/** What one attempt may ask of a method: a signature is not guessed, so this only bounds the work. */
const methodBegins = 60
const methodAnswers = 10
/** What a day may ask about one number, whoever asks. */
const methodNumbers = 10

export function createThrottle({ storage, login, sms, now = Date.now }: Dependencies): Throttle {
  const limiter = (keyPrefix: Limit, points: number, seconds: number) =>
    new StorageLimiter({ counters: storage.counters, keyPrefix, points, seconds, now })

  const limiters: Record<Limit, RateLimiterAbstract> = {
    'send-pause': limiter('send-pause', 1, sms.resendAfter),
    'send-day': limiter('send-day', sms.perPhoneDaily, daySeconds),
    'send-day-device': limiter('send-day-device', sms.perDeviceDaily, daySeconds),
    'unsent-day': limiter('unsent-day', sms.perPhoneDaily, daySeconds),
    'send-address': limiter('send-address', login.perAddress.sends, lineSeconds),
    answer: limiter('answer', sms.tries, Math.max(sms.validity, sms.largeTypeValidity)),
    // Not opened again by a new code (NIST SP 800-63B §3.1.3.2): the key is the phone, not the challenge.
    'failures-day': limiter('failures-day', login.failuresDaily, daySeconds),
    'failures-day-device': limiter('failures-day-device', login.deviceFailuresDaily, daySeconds),
    'failures-address': limiter('failures-address', login.perAddress.failures, lineSeconds),
    'method-begin': limiter('method-begin', methodBegins, login.attempt),
    'method-answer': limiter('method-answer', methodAnswers, login.attempt),
    'method-number': limiter('method-number', methodNumbers, daySeconds),
    'register-phone': limiter('register-phone', login.registerChecksDaily, daySeconds),
    'register-number': limiter('register-number', login.registerChecksDaily, daySeconds),
    'register-pair': limiter('register-pair', 1, daySeconds),
  }

  /** A line moves on at its pace: the n-th of a minute has his turn n / points minutes after its start. */
  const turnMs = ({ consumedPoints, msBeforeNext }: RateLimiterRes, points: number): number => {
    const elapsedMs = lineSeconds * 1000 - msBeforeNext
    return Math.min((consumedPoints / points) * lineSeconds * 1000 - elapsedMs, login.perAddress.longestWait * 1000)
  }

  const waitMs = (limit: Limit, refusal: RateLimiterRes): number =>
    limit === 'send-address' || limit === 'failures-address'
      ? turnMs(refusal, limiters[limit].points)
      : refusal.msBeforeNext

  return {
    async take(limit, key) {
      try {
        const { remainingPoints } = await limiters[limit].consume(key)
        return { allowed: true, left: remainingPoints }
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return { allowed: false, retryAfterMs: waitMs(limit, refusal) }
        throw refusal
      }
    },
    async giveBack(limit, key) {
      await limiters[limit].reward(key)
    },
  }
}
