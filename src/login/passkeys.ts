/**
 * The passkeys of a citizen's account: added after a fresh sign-in, named, seen, and removed. Each change is recorded
 * before it is done, and told to his phones, since whoever has one can sign in as him.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { AuditEvent, Recorder } from '#src/audit/recorder.ts'
import type { Level } from '#src/identity/assurance.ts'
import { maskName } from '#src/identity/name.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Enrolment } from '#src/verifiers/passkey/enrolment.ts'
import type { Passkey, PasskeyStore } from '#src/verifiers/passkey/store.ts'
import type { CitizenNotices } from './citizen-notices.ts'
import type { Shown } from './method-challenge.ts'
import type { Directory } from './directory.ts'
import type { Trail } from './visit.ts'

/** The session in which an account is changed. */
export interface Changer {
  readonly person: string
  readonly session: string
  readonly level: Level
  /** When it began, in seconds. */
  readonly since: number
  readonly trail: Omit<Trail, 'application'>
}

/** Why none can be added: the account or session is not verified, the sign-in too long ago, or there are enough. */
export type Bar = 'low' | 'stale' | 'full'

export interface Passkeys {
  of(person: string): Promise<readonly Passkey[]>
  /** What keeps this session from adding one now; undefined: nothing. */
  bar(changer: Changer): Promise<Bar | undefined>
  begin(changer: Changer): Promise<Shown | { readonly code: string }>
  /** @returns the code of a sentence where nothing was added */
  add(changer: Changer, challenge: string, answer: string, name: string): Promise<{ readonly code: string } | undefined>
  /** Nothing where it is not this person's, or the name is none. */
  rename(changer: Changer, id: string, name: string): Promise<void>
  remove(changer: Changer, id: string): Promise<void>
  /** Ends all of an account that goes to its true holder (DESIGN D8). */
  endAll(person: string): Promise<void>
}

interface Dependencies {
  readonly store: PasskeyStore
  readonly enrolment: Enrolment
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'spend'>
  readonly directory: Pick<Directory, 'byId'>
  readonly recorder: Pick<Recorder, 'record'>
  readonly notices: Pick<CitizenNotices, 'tell'>
  readonly perPerson: number
  /** Seconds. */
  readonly freshness: number
  readonly validity: number
  readonly now?: () => number
}

/** What is kept, sealed, of a device that is asked to make one. */
interface Asked {
  readonly person: string
  readonly session: string
  readonly challenge: string
  readonly handle: string
  readonly expiresAt: number
}

const codeOf: Readonly<Record<Bar, string>> = {
  low: 'passkey_not_added',
  stale: 'passkey_stale',
  full: 'passkey_full',
}
const kind = 'PasskeyEnrolment'
const lateMs = 3_600_000
const longestName = 40

/** A name without what cannot be seen; empty where nothing is left. */
const nameOf = (text: string): string =>
  [...text.replace(/[\p{C}\p{Z}\s]+/gu, ' ').trim()].slice(0, longestName).join('').trim()

const random = () => randomBytes(32).toString('base64url')

export function createPasskeys(deps: Dependencies): Passkeys {
  const { store, enrolment, artifacts, directory, recorder, notices, now = Date.now } = deps

  const record = (
    { person, trail, level }: Changer,
    event: Pick<AuditEvent, 'type' | 'outcome' | 'reason' | 'facts'>,
  ) => recorder.record({ ...trail, ...event, person, level, verifier: 'passkey' })

  const tell = async (person: string, event: 'passkey-added' | 'passkey-removed'): Promise<void> => {
    const citizen = await directory.byId(person)
    const phones = citizen?.phones.filter(({ proven }) => proven).map(({ number }) => number) ?? []
    if (citizen && phones.length > 0) await notices.tell(citizen, event, phones)
  }

  const bar: Passkeys['bar'] = async ({ person, level, since }) => {
    const citizen = await directory.byId(person)
    if (level < 2 || citizen?.status !== 'active' || citizen.proofing < 2) return 'low'
    if ((await store.of(person)).length >= deps.perPerson) return 'full'
    return now() - since * 1000 > deps.freshness * 1000 ? 'stale' : undefined
  }

  const refuse = async (changer: Changer, code: string, why: string) => {
    await record(changer, { type: 'passkey.added', outcome: 'refused', reason: code, facts: { why } })
    return { code }
  }

  /** His own one of this id. */
  const own = async ({ person }: Changer, id: string): Promise<Passkey | undefined> => {
    const passkey = await store.find(id)
    return passkey?.person === person ? passkey : undefined
  }

  /** Many at once may all have found room: the oldest stay, as many as there may be. Gives those that went. */
  const trim = async (person: string): Promise<readonly string[]> => {
    const beyond = (await store.of(person)).slice(deps.perPerson).map(({ id }) => id)
    for (const id of beyond) {
      await recorder.record({ type: 'passkey.removed', outcome: 'ok', reason: 'full', person })
      await store.remove(id)
    }
    return beyond
  }

  return {
    of: store.of,
    bar,

    async begin(changer) {
      const barred = await bar(changer)
      if (barred) return { code: codeOf[barred] }
      const { person, session } = changer
      const existing = await store.of(person)
      const expiresAt = now() + deps.validity * 1000
      const asked: Asked = { person, session, challenge: random(), handle: existing[0]?.handle ?? random(), expiresAt }
      const name = (await directory.byId(person))?.name
      const options = await enrolment.options({ ...asked, existing, label: name === undefined ? '*' : maskName(name) })
      const challenge = randomUUID()
      await artifacts.put(kind, challenge, asked, { expiresAt: expiresAt + lateMs, account: person })
      return { challenge, show: { options } }
    },

    async add(changer, challenge, answer, name) {
      const { person, session, level } = changer
      const barred = await bar(changer)
      if (barred) return refuse(changer, codeOf[barred], barred)
      const asked = challenge === '' ? undefined : (await artifacts.get<Asked>(kind, challenge))?.value
      if (!asked || now() >= asked.expiresAt) return refuse(changer, 'passkey_not_added', 'expired')
      if (asked.person !== person || asked.session !== session) return refuse(changer, 'passkey_not_added', 'foreign')
      if (!(await artifacts.spend(kind, challenge, asked.expiresAt)))
        return refuse(changer, 'passkey_not_added', 'used')
      const verified = await enrolment.verify(asked.challenge, answer)
      if ('wrong' in verified) return refuse(changer, 'passkey_not_added', verified.wrong)
      const { made } = verified
      if (await store.find(made.id)) return refuse(changer, 'passkey_not_added', 'known')
      const passkey: Passkey = {
        ...made,
        ...{ person, handle: asked.handle, addedAt: level, createdAt: now() },
        name: nameOf(name) || '—',
      }
      await record(changer, { type: 'passkey.added', outcome: 'ok', facts: { syncable: made.syncable } })
      await tell(person, 'passkey-added')
      if (!(await store.add(passkey))) return refuse(changer, 'passkey_not_added', 'known')
      return (await trim(person)).includes(passkey.id) ? refuse(changer, 'passkey_full', 'full') : undefined
    },

    async rename(changer, id, text) {
      const name = nameOf(text)
      if (name === '' || !(await own(changer, id))) return
      await record(changer, { type: 'passkey.renamed', outcome: 'ok' })
      await store.rename(id, name)
    },

    async remove(changer, id) {
      if (!(await own(changer, id))) return
      await record(changer, { type: 'passkey.removed', outcome: 'ok' })
      await tell(changer.person, 'passkey-removed')
      await store.remove(id)
    },

    async endAll(person) {
      for (const { id } of await store.of(person)) {
        await recorder.record({ type: 'passkey.removed', outcome: 'ok', reason: 'reclaimed', person })
        await store.remove(id)
      }
    },
  }
}
