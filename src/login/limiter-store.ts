/**
 * Stands rate-limiter-flexible on our own storage port: its SQLite driver does not fit `node:sqlite`, and limits must
 * live where the other nodes see them.
 */
import { RateLimiterRes } from 'rate-limiter-flexible'
import RateLimiterStoreAbstract from 'rate-limiter-flexible/lib/RateLimiterStoreAbstract.js'
import type { Count, Counters } from '#src/storage/storage.ts'

interface Options {
  readonly counters: Counters
  readonly keyPrefix: string
  readonly points: number
  readonly seconds: number
  readonly now: () => number
}

export class StorageLimiter extends RateLimiterStoreAbstract {
  readonly #counters: Counters
  readonly #now: () => number

  constructor({ counters, keyPrefix, points, seconds, now }: Options) {
    super({ storeClient: counters, keyPrefix, points, duration: seconds })
    this.#counters = counters
    this.#now = now
  }

  _upsert(key: string, points: number, durationMs: number, restart = false): Promise<Count> {
    return this.#counters.add(key, points, this.#now(), durationMs, restart)
  }

  async _get(key: string): Promise<Count | null> {
    return (await this.#counters.get(key, this.#now())) ?? null
  }

  _delete(key: string): Promise<boolean> {
    return this.#counters.remove(key)
  }

  _getRateLimiterRes(_key: string, changed: number, count: Count): RateLimiterRes {
    const left = Math.max(this.points - count.points, 0)
    return new RateLimiterRes(left, Math.max(count.expiresAt - this.#now(), 0), count.points, count.points === changed)
  }
}
