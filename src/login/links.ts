/**
 * Codes by which an issuer knows the holder of an account (网络身份应用标识): one code opens one account, to the level at
 * which it was linked, since whoever links his own code to another's account must gain nothing by it (NIST SP 800-63B
 * §4.1). Which of two tabs links last is no matter of safety: both have proven the code.
 */
import type { Mac } from '#src/crypto/mac.ts'
import type { Level } from '#src/identity/assurance.ts'
import { linkKind } from '#src/storage/storage.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

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
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put' | 'byAccount' | 'remove'>
  /** Under a key that never changes; what it gives names nobody. */
  readonly pseudonym: Mac
  readonly now?: () => number
}

/** One that was not used for so long is forgotten; each use keeps it on. */
const keptMs = 3 * 365 * 86_400_000

export function createLinks({ artifacts, pseudonym, now = Date.now }: Dependencies): Links {
  const idOf = async ({ issuer, code }: Code) =>
    (await pseudonym(JSON.stringify(['yihao link', issuer, code]))).toString('base64url')

  const of = async (person: string) => (await artifacts.byAccount<Link>(linkKind, person)).map(({ value }) => value)
  const remove = (id: string) => artifacts.remove(linkKind, id)

  const touch = async (link: Link): Promise<void> => {
    await artifacts.put(linkKind, link.id, link, { expiresAt: now() + keptMs, account: link.person })
  }

  return {
    touch,
    find: async (code) => (await artifacts.get<Link>(linkKind, await idOf(code)))?.value,
    async put(code, person, level) {
      await touch({ id: await idOf(code), issuer: code.issuer, person, level, at: now() })
    },
    of,
    remove,
    endAll: async (person) => void (await Promise.all((await of(person)).map(({ id }) => remove(id)))),
  }
}
