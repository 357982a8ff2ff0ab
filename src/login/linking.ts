/**
 * What follows from a code being proven together with an account (DESIGN D8): it is linked once, on record before it is
 * done and told to the account's phones; an account without a number that went by it is merged into the other.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { KnownCode } from './attempt.ts'
import type { CitizenNotices } from './citizen-notices.ts'
import type { Directory } from './directory.ts'
import type { Link, Links } from './links.ts'
import { lacksNumber } from './policy.ts'
import { trailOf, type Visit } from './visit.ts'

export interface Linking {
  link(visit: Visit, code: KnownCode, person: string, level: Level): Promise<void>
  /** What the code opens now. */
  find: Links['find']
  /** May a code be linked to the session of this browser? A verified one, whose holder was there a moment ago. */
  isFresh(session: NonNullable<Visit['session']>): boolean
  /** Of the account, each with the issuer's name. */
  of(person: string): Promise<readonly Link[]>
  /** The owner himself ends it; nothing where it is not his, or the only way into his account. */
  unlink(person: string, id: string, trail: Partial<ReturnType<typeof trailOf>>): Promise<void>
}

interface Dependencies {
  readonly links: Links
  readonly directory: Pick<Directory, 'byId' | 'suspend'>
  readonly notices: Pick<CitizenNotices, 'tell'>
  readonly endSessions: (person: string) => Promise<unknown>
  readonly recorder: Pick<Recorder, 'record'>
  /** Seconds after a sign-in in which ways to sign in may be added without another. */
  readonly freshness: number
  readonly now?: () => number
}

export function createLinking(deps: Dependencies): Linking {
  const { links, directory, notices, endSessions, recorder, freshness, now = Date.now } = deps

  /** The text of the national service names it; a text says nothing of any other that could mislead. */
  const tell = async (person: string, event: 'link-added' | 'link-removed', issuer: string): Promise<void> => {
    const citizen = await directory.byId(person)
    const phones = citizen?.phones.filter(({ proven }) => proven).map(({ number }) => number) ?? []
    if (citizen && phones.length > 0) await notices.tell(citizen, issuer === 'ctid' ? event : `other-${event}`, phones)
  }

  /** The account without a number is the same holder's: it ends, and what it was signed in to ends with it. */
  const merge = async (visit: Visit, earlier: string): Promise<void> => {
    const citizen = await directory.byId(earlier)
    if (!citizen || citizen.status !== 'active' || !lacksNumber(citizen)) return
    await recorder.record({ ...trailOf(visit), type: 'account.merged', outcome: 'ok', person: earlier })
    await links.endAll(earlier)
    await directory.suspend(earlier)
    await endSessions(earlier)
  }

  const removed = async ({ id, person, issuer }: Link, trail: Parameters<Linking['unlink']>[2]): Promise<void> => {
    await recorder.record({ ...trail, type: 'link.removed', outcome: 'ok', person, facts: { issuer } })
    await links.remove(id)
    await tell(person, 'link-removed', issuer)
  }

  return {
    async link(visit, code, person, level) {
      if (code.person === person) return
      await recorder.record({
        ...{ ...trailOf(visit), type: 'link.added', outcome: 'ok', person, level },
        facts: { issuer: code.issuer },
      })
      // Another tab may have opened one for it since.
      const earlier = new Set([code.person, (await links.find(code))?.person])
      for (const one of earlier) if (one !== undefined && one !== person) await merge(visit, one)
      const before = await links.find(code)
      if (before && before.person !== person) await removed(before, trailOf(visit))
      await links.put(code, person, level)
      await tell(person, 'link-added', code.issuer)
    },

    find: links.find,
    isFresh: ({ level, since }) => level >= 2 && now() - since <= freshness * 1000,
    of: links.of,

    async unlink(person, id, trail) {
      const own = (await links.of(person)).find((link) => link.id === id)
      const citizen = await directory.byId(person)
      // An account without a number has no other door.
      if (!own || !citizen || lacksNumber(citizen)) return
      await removed(own, trail)
    },
  }
}
