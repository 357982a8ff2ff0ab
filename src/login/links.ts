/**
 * Codes by which an issuer knows the holder of an account (网络身份应用标识): one code opens one account, to the level at
 * which it was linked, since whoever links his own code to another's account must gain nothing by it (NIST SP 800-63B
 * §4.1). Which of two tabs links last is no matter of safety: both have proven the code.
 */
import { randomUUID } from 'node:crypto'
import type { Mac } from '#src/crypto/mac.ts'
import type { Level } from '#src/identity/assurance.ts'
import { linkKind } from '#src/storage/storage.ts'
import type { Opened, SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

export interface Code {
  readonly issuer: string
  readonly code: string
}

export interface Link {
  readonly id: string
  readonly issuer: string
  readonly person: string
  readonly level: Level
  /** Milliseconds. */
  readonly at: number
}

export interface Links {
  find(code: Code): Promise<Link | undefined>
  /** Takes the place of what the code opened before. */
  put(code: Code, person: string, level: Level): Promise<void>
  /** Keeps one that was used. */
  touch(link: Link): Promise<void>
  of(person: string): Promise<readonly Link[]>
  remove(id: string): Promise<void>
  /** Ends all of an account that goes to its true holder (DESIGN D8). */
  endAll(person: string): Promise<void>
}

interface Dependencies {
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'byUid' | 'byAccount' | 'spend' | 'remove'>
  /** Under a key that never changes; what it gives names nobody. */
  readonly pseudonym: Mac
  readonly now?: () => number
}

/** One that was not used for so long is forgotten; each use keeps it on. */
const keptMs = 3 * 365 * 86_400_000
/** Marks of ids stand for ever: the end of the year 9999, which every store can count to. */
const forEver = Date.UTC(9999, 11, 31)

interface Stored extends Link {
  readonly code: string
}

/** One that is spent was removed, whoever may have put its row back. */
const standing = (found: Opened<Stored> | undefined): Stored | undefined =>
  found && found.spentAt === undefined ? found.value : undefined

const shown = ({ code: _, ...link }: Stored): Link => link

export function createLinks({ artifacts, pseudonym, now = Date.now }: Dependencies): Links {
  const keyOf = async ({ issuer, code }: Code) =>
    (await pseudonym(JSON.stringify(['yihao link', issuer, code]))).toString('base64url')

  const write = async (link: Stored): Promise<void> => {
    const { id, person: account, code: uid } = link
    await artifacts.put(linkKind, id, link, { expiresAt: now() + keptMs, account, uid, unless: { kind: linkKind, id } })
  }
  const byKey = async (key: string) => standing(await artifacts.byUid<Stored>(linkKind, key))
  const of = async (person: string) =>
    (await artifacts.byAccount<Stored>(linkKind, person)).flatMap((found) => standing(found) ?? []).map(shown)
  const remove = async (id: string): Promise<void> => {
    await artifacts.spend(linkKind, id, forEver)
    await artifacts.remove(linkKind, id)
  }

  return {
    async find(code) {
      const link = await byKey(await keyOf(code))
      return link && shown(link)
    },
    async put(code, person, level) {
      const key = await keyOf(code)
      const before = await byKey(key)
      if (before) await remove(before.id)
      await write({ id: randomUUID(), issuer: code.issuer, person, level, at: now(), code: key })
    },
    async touch({ id }) {
      const link = standing(await artifacts.get<Stored>(linkKind, id))
      if (link) await write(link)
    },
    of,
    remove,
    endAll: async (person) => void (await Promise.all((await of(person)).map(({ id }) => remove(id)))),
  }
}
