/** Wires whose account is whose: ownership of documents, the codes linked to accounts, and what ends with either. */
import type { Recorder } from '../audit/recorder.ts'
import type { Mac } from '../crypto/mac.ts'
import type { Level } from '../identity/assurance.ts'
import type { CitizenNotices } from '../login/citizen-notices.ts'
import type { Directory } from '../login/directory.ts'
import { createLinking, type Linking } from '../login/linking.ts'
import { createLinks, type Links } from '../login/links.ts'
import { createOwnership, type Ownership } from '../login/ownership.ts'
import type { SealedArtifacts } from '../storage/sealed-artifacts.ts'

interface Parts {
  readonly artifacts: SealedArtifacts
  readonly directory: Directory
  readonly recorder: Recorder
  readonly notices: CitizenNotices
  readonly pairwiseMac: Mac
  readonly endPasskeys: (person: string) => Promise<unknown>
  /** Those below a level, or all. */
  readonly endSessions: (person: string, below?: Level) => Promise<unknown>
  readonly hidePast: (person: string) => Promise<unknown>
  readonly freshness: number
  readonly now: () => number
}

export interface Accounts {
  readonly links: Links
  readonly linking: Linking
  readonly ownership: Ownership
}

export function wireAccounts({ endPasskeys, endSessions, pairwiseMac, ...parts }: Parts): Accounts {
  const links = createLinks({ ...parts, pseudonym: pairwiseMac })
  const linking = createLinking({ ...parts, links, endSessions: (person) => endSessions(person) })
  const ownership = createOwnership({
    ...parts,
    endSessions,
    endWays: (person) => Promise.all([endPasskeys(person), links.endAll(person)]),
  })
  return { links, linking, ownership }
}
