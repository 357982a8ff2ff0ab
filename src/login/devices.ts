/**
 * Known devices: a browser that has signed in by a phone keeps a reserve of codes and answers for it, which no stranger
 * can use up. The store holds a hash over the phone's key and the device's random value: it names nobody, and ties no
 * two phones of a device together.
 */
import { randomBytes } from 'node:crypto'
import { sm3 } from 'jose'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Directory } from './directory.ts'

export interface Devices {
  /** The key of this device for this phone, for counters of its own; undefined for a device that is not known. */
  known(device: string | undefined, phone: string): Promise<string | undefined>
  /** Keeps that a person has signed in; gives the device's value, a new one where the browser brought none. */
  remember(device: string | undefined, phone: string, person: string): Promise<string>
}

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'byAccount' | 'remove'>
  readonly directory: Pick<Directory, 'phoneKey' | 'hasPhone'>
  /** Devices kept for one person; the one that signed in longest ago goes first. */
  readonly perPerson: number
  readonly now?: () => number
}

interface Known {
  readonly key: string
  readonly person: string
}

const kind = 'Device'
const yearMs = 365 * 86_400_000

export function createDevices(deps: Dependencies): Devices {
  const { artifacts, directory, perPerson, now = Date.now } = deps
  const keyOf = (phoneKey: string, device: string) => sm3(`${phoneKey}|${device}`).toString('base64url')

  return {
    async known(device, phone) {
      if (device === undefined) return undefined
      const key = keyOf(await directory.phoneKey(phone), device)
      const found = await artifacts.get<Known>(kind, key)
      if (!found) return undefined
      // A number that was given up is no longer his, and his devices are none of the new holder's.
      return (await directory.hasPhone(found.value.person, phone)) ? key : undefined
    },

    async remember(given, phone, person) {
      const device = given ?? randomBytes(32).toString('base64url')
      const key = keyOf(await directory.phoneKey(phone), device)
      await artifacts.put(kind, key, { key, person } satisfies Known, { account: person, expiresAt: now() + yearMs })
      const all = await artifacts.byAccount<Known>(kind, person)
      await Promise.all(all.slice(perPerson).map(({ value }) => artifacts.remove(kind, value.key)))
      return device
    },
  }
}
