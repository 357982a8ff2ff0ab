/**
 * What left for which application, and when: written before userinfo answers, shown to the citizen on his own page
 * (DESIGN D7; PIPL 17, 44–45). One row a person, application and day.
 */
import { dayInChina } from '#src/identity/calendar.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

export interface Release {
  readonly application: string
  readonly claims: readonly string[]
  /** The last time that day, in milliseconds. */
  readonly at: number
}

export interface Releases {
  keep(personId: string, application: string, claims: readonly string[]): Promise<void>
  /** Newest first. */
  of(personId: string): Promise<readonly Release[]>
  /** What left before belongs to whoever had claimed the account; the audit trail keeps it. */
  hide(personId: string): Promise<void>
}

interface Dependencies {
  readonly artifacts: SealedArtifacts
  readonly retentionDays: number
  readonly now?: () => number
}

const kind = 'Release'

/** Different claims of one day stand side by side, so that no later, smaller release hides a larger one. */
const idOf = (personId: string, { application, claims, at }: Release): string =>
  [personId, application, dayInChina(at), ...claims].join('|')

export function createReleases({ artifacts, retentionDays, now = Date.now }: Dependencies): Releases {
  const hide: Releases['hide'] = async (personId) => {
    const some = await artifacts.byAccount<Release>(kind, personId)
    for (const { value } of some) await artifacts.remove(kind, idOf(personId, value))
    // The store gives them in bounded portions.
    if (some.length > 0) await hide(personId)
  }

  return {
    async keep(personId, application, claims) {
      const at = now()
      const release: Release = { application, claims, at }
      const belonging = { expiresAt: at + retentionDays * 86_400_000, account: personId }
      await artifacts.put(kind, idOf(personId, release), release, belonging)
    },
    async of(personId) {
      const found = await artifacts.byAccount<Release>(kind, personId)
      return found.map(({ value }) => value).toSorted((a, b) => b.at - a.at)
    },
    hide,
  }
}
