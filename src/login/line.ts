/**
 * The line before a busy address. A service hall or a carrier's NAT is one address for many people, so nobody is refused
 * for it: beyond its pace each waits for his turn, never longer than the longest wait, and his place is kept. Nothing
 * is held open meanwhile; the page says how long. Addresses stand in the counters under a keyed hash only.
 */
import { randomUUID } from 'node:crypto'
import type { Mac } from '#src/crypto/mac.ts'
import type { Storage } from '#src/storage/storage.ts'
import { networkOf } from './network.ts'
import type { Throttle } from './throttle.ts'

/** A turn that comes at a time, for one pass. */
export interface Place {
  readonly id: string
  readonly at: number
}

export interface Line {
  /** Undefined: go on. Else the place to come back with. */
  pass(limit: 'send-address' | 'failures-address', address: string, place?: Place): Promise<Place | undefined>
  /** The answer was no failure: it does not count. */
  forgive(address: string): Promise<void>
}

interface Dependencies {
  readonly throttle: Throttle
  readonly storage: Pick<Storage, 'artifacts'>
  readonly mac: Mac
  readonly now?: () => number
}

/** A place that nobody came back for is forgotten. */
const keptMs = 3_600_000

export function createLine({ throttle, storage, mac, now = Date.now }: Dependencies): Line {
  const keyOf = async (address: string) => (await mac(`address|${networkOf(address)}`)).toString('base64url')

  return {
    async pass(limit, address, place) {
      if (place && now() < place.at) return place
      const turn = place !== undefined && now() < place.at + keptMs
      if (turn && (await storage.artifacts.spend('Place', place.id, place.at + 2 * keptMs))) return undefined
      const ticket = await throttle.take(limit, await keyOf(address))
      return ticket.allowed ? undefined : { id: randomUUID(), at: now() + ticket.retryAfterMs }
    },
    forgive: async (address) => throttle.giveBack('failures-address', await keyOf(address)),
  }
}
