/**
 * Key sets at the addresses of applications (`jwks_uri`): fetched when they are due, kept for as long as their answer
 * allows within bounds, so that a key the application has withdrawn ends here too. While the address is out of order the
 * last set stands for a day, and then none (fail closed).
 */
import { getDocument, type AddressOptions } from '#src/peers/registered-address.ts'
import { parseClientKeys, type ClientKey } from './client-keys.ts'
import { standardKeys, type Dialect } from './dialect.ts'

const maxBytes = 65_536
const shortestMs = 60_000
const longestMs = 3_600_000
const withoutAnswerMs = 86_400_000
/** Between two tries while the address does not answer. */
const retryMs = 30_000

export interface ClientKeySets {
  /** The keys as they stand; those of the last answer while the address is out of order. */
  of(address: string, dialect?: Dialect): Promise<readonly ClientKey[]>
  isFresh(address: string, dialect?: Dialect): boolean
}

interface Held {
  readonly keys: readonly ClientKey[]
  readonly answeredAt: number
  readonly dueAt: number
}

interface Dependencies extends AddressOptions {
  readonly onUnavailable: (error: unknown) => void
  readonly now?: () => number
}

export function createClientKeySets({ onUnavailable, now = Date.now, ...options }: Dependencies): ClientKeySets {
  const sets = new Map<string, Held>()
  const running = new Map<string, Promise<Held>>()

  const nameOf = (address: string, dialect: Dialect): string => `${dialect.crv ?? ''} ${address}`

  const fetched = async (address: string, dialect: Dialect): Promise<Held> => {
    try {
      const { text, maxAge } = await getDocument(address, maxBytes, options)
      const keys = parseClientKeys(standardKeys(JSON.parse(text), dialect))
      const held = Math.min(Math.max(maxAge * 1000, shortestMs), longestMs)
      return { keys, answeredAt: now(), dueAt: now() + held }
    } catch (error) {
      onUnavailable(error)
      const last = sets.get(nameOf(address, dialect))
      const stands = last !== undefined && now() < last.answeredAt + withoutAnswerMs
      return { keys: stands ? last.keys : [], answeredAt: last?.answeredAt ?? 0, dueAt: now() + retryMs }
    }
  }

  const isFresh = (address: string, dialect: Dialect = {}): boolean =>
    now() < (sets.get(nameOf(address, dialect))?.dueAt ?? 0)

  return {
    isFresh,
    async of(address, dialect = {}) {
      const name = nameOf(address, dialect)
      const held = sets.get(name)
      if (held && isFresh(address, dialect)) return held.keys
      const one = running.get(name) ?? fetched(address, dialect).finally(() => running.delete(name))
      running.set(name, one)
      const next = await one
      sets.set(name, next)
      return next.keys
    },
  }
}
