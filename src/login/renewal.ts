/**
 * Renews, behind the requests, what hangs on keys that are no longer the newest (DESIGN D6): data keys are wrapped under
 * the current wrapping key, and documents and phones get an index of each version in force and lose those of versions
 * that are retired. What is left to do stands in the rows themselves, so a crash costs nothing and any node may go on;
 * a row is written only as the next version of what was read, so that no change of somebody else is lost.
 */
import { wrappingKeyOf } from '#src/crypto/key-wrapper.ts'
import { isAppError } from '#src/errors.ts'
import { isBehind } from '#src/storage/index-sets.ts'
import type { DataKeyRow, Dependence, PersonRow, Storage } from '#src/storage/storage.ts'
import { createPersonRows, type Sealing } from './person-rows.ts'
import { createRenewalAccounts, type RenewalAccount, type RenewalTelling } from './renewal-account.ts'

export interface Renewal {
  /** Looks now, and renews what there is to renew; resolves when that is done. To be called when keys have changed. */
  wake(): Promise<void>
  /** Ends after the rows in hand. */
  stop(): Promise<void>
}

interface Dependencies extends Sealing, RenewalTelling {
  readonly storage: Pick<Storage, 'people' | 'dataKeys'>
  readonly onFault: (error: unknown) => void
}

/** Another node may write a row that hangs on an older key for as long as it has not seen the newer one. */
const everyMs = 60_000
const batch = 16
const pauseMs = 10

/** Begins at once. */
export function createRenewal(dependencies: Dependencies): Renewal {
  const { storage, recorder, onProgress, onFault, now, ...sealing } = dependencies
  const { people, dataKeys } = storage
  const { sealer } = sealing
  const rows = createPersonRows(sealing, now)
  const account = createRenewalAccounts({ recorder, onProgress, now })
  let stopped = false
  let running: Promise<void> | undefined
  let again = false
  let endPause = () => {}

  const pause = (ms: number) =>
    new Promise<void>((done) => {
      const timer = setTimeout(done, ms)
      endPause = () => (clearTimeout(timer), done())
    })

  /** The keys or sets of versions that rows hang on and should not. */
  const behind = async (on: Dependence): Promise<readonly string[]> => {
    const values = await people.dependences(on)
    if (on === 'indexes') return values.filter((value) => isBehind(value, sealer.indexVersions()))
    const current = wrappingKeyOf(await sealer.newDataKey('renewal'))
    return values.filter((value) => value !== current)
  }

  const renewed = (on: Dependence, row: PersonRow) => (on === 'wrapping' ? rows.rewrapped(row) : rows.reindexed(row))

  /** Whoever loses the race for a row looks again, and each round somebody has won. */
  const renewPerson = async (id: string, own: RenewalAccount, seen = 0): Promise<void> => {
    const row = await people.byId(id)
    if (!row || row.version === seen) return own.add('failed')
    const next = await renewed(own.on, row)
    if (next === row) return
    await own.begin()
    if (await people.renew({ ...next, version: row.version + 1 })) return own.add('people')
    return renewPerson(id, own, row.version)
  }

  /** A row that does not open is counted and stays as it is; where the store or the keys are out of reach, all wait. */
  const attempt = async (own: RenewalAccount, renew: Promise<void>): Promise<void> => {
    try {
      await renew
    } catch (error) {
      if (!isAppError(error, 'sealed_value_invalid') && !isAppError(error, 'conflict')) throw error
      own.add('failed')
    }
  }

  const renewDataKey = async ({ id, wrapped }: DataKeyRow, own: RenewalAccount): Promise<void> => {
    const next = await sealer.rewrap(wrapped, id)
    if (next === undefined) return
    await own.begin()
    if (await dataKeys.replace(id, wrapped, next)) own.add('dataKeys')
  }

  const renewPeople = async (value: string, own: RenewalAccount): Promise<void> => {
    for (let after = ''; !stopped;) {
      const ids = await people.dependents(own.on, value, after, batch)
      await Promise.all(ids.map((id) => attempt(own, renewPerson(id, own))))
      const last = ids.at(-1)
      if (last === undefined) return
      own.goOn()
      after = last
      if (!stopped) await pause(pauseMs)
    }
  }

  const pass = async (on: Dependence): Promise<void> => {
    const values = await behind(on)
    const own = account(on, values)
    if (on === 'wrapping') for (const row of await dataKeys.list()) await attempt(own, renewDataKey(row, own))
    for (const value of values) await renewPeople(value, own)
    await own.end(stopped ? 'interrupted' : 'ended')
  }

  const run = async (): Promise<void> => {
    try {
      do {
        again = false
        if (!stopped) await pass('wrapping')
        if (!stopped) await pass('indexes')
      } while (again && !stopped)
    } catch (error) {
      onFault(error)
    } finally {
      running = undefined
    }
  }

  const wake = (): Promise<void> => {
    if (stopped) return Promise.resolve()
    again = true
    return (running ??= run())
  }
  const timer = setInterval(() => void wake(), everyMs)
  timer.unref()
  void wake()

  return {
    wake,
    async stop() {
      stopped = true
      clearInterval(timer)
      endPause()
      await running
    },
  }
}
