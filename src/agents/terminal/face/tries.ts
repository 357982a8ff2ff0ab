/**
 * How often a day faces were shown with one card at this terminal and none was its holder's. The server counts what it is
 * told, and somebody who leaves before the outcome is there, or takes it nowhere, tells it nothing. A card is known by a
 * digest under a key that ends with the program, for a day at most.
 */
import { createHmac, randomBytes } from 'node:crypto'

export interface Tries {
  /** Whether this card may be shown once more. */
  left(text: Uint8Array): boolean
  /** @param text as it was read */
  count(text: Uint8Array): void
}

const most = 10
const dayMs = 86_400_000

export function createTries(now: () => number): Tries {
  const key = randomBytes(32)
  const counted = new Map<string, { readonly times: number; readonly until: number }>()
  const nameOf = (text: Uint8Array) => createHmac('sha256', key).update(text).digest('base64')
  const forgetOld = () => {
    for (const [name, { until }] of counted) if (until <= now()) counted.delete(name)
  }

  return {
    left(text) {
      forgetOld()
      return (counted.get(nameOf(text))?.times ?? 0) < most
    },
    count(text) {
      const name = nameOf(text)
      const { times, until } = counted.get(name) ?? { times: 0, until: now() + dayMs }
      counted.set(name, { times: times + 1, until })
    },
  }
}
