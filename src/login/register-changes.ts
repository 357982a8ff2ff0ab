/**
 * What a change in the register does to the account it is about (DESIGN D6). Each is recorded before it is carried out,
 * and may be told twice: what stands already is not done again. A change about nobody here is nothing.
 */
import type { Recorder, AuditEvent } from '#src/audit/recorder.ts'
import { AppError, isAppError } from '#src/errors.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { parseDocument, type DocumentKind } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import type { RegisterAnswer, RegisterChange } from '#src/identity/registry.ts'
import type { Directory } from './directory.ts'
import type { RegisterCheck } from './register-check.ts'

type Numbered = Parameters<Directory['endDocument']>[1]

interface Dependencies {
  readonly directory: Pick<Directory, 'byDocument' | 'suspend' | 'rename' | 'endDocument'>
  readonly check: RegisterCheck
  readonly recorder: Pick<Recorder, 'record'>
  /** Ends every session of a person. */
  readonly endSessions: (person: string) => Promise<unknown>
  /** Told of a change that cannot be read: it is passed over, or it would hold up all that follow. */
  readonly onFault: (error: unknown) => void
  readonly now?: () => number
}

type Result = RegisterAnswer['result']
const over: readonly Result[] = ['deceased', 'cancelled']

/**
 * A change names a number only, and two people may have had one (重号): it counts where the register answers so to our
 * owner's name. A number that was corrected is asked about by the new one, which must be known as his.
 */
const confirming: Readonly<Record<RegisterChange['change'], readonly Result[]>> = {
  deceased: over,
  cancelled: over,
  'document-void': ['document-void', ...over],
  renamed: ['renamed'],
  renumbered: ['match', 'renamed', 'renumbered', 'document-void', ...over],
}

export function createRegisterChanges(deps: Dependencies): (change: RegisterChange) => Promise<void> {
  const { directory, check, recorder, endSessions, onFault, now = Date.now } = deps

  const parsed = (kind: DocumentKind, number: string): string => parseDocument(kind, number, now()).number

  const record = (owner: Citizen, { change, kind }: RegisterChange, type: AuditEvent['type'], more = {}) =>
    recorder.record({
      type,
      outcome: 'ok',
      reason: change,
      person: owner.id,
      facts: { from: 'register', kind, ...more },
    })

  /** Sessions end before and after, so that neither a crash in between nor a sign-in meanwhile leaves one open. */
  const withoutSessions = async <T>(owner: Citizen, act: () => Promise<T>): Promise<void> => {
    await endSessions(owner.id)
    await act()
    await endSessions(owner.id)
  }

  /** Does the register, asked by the name we know, say of our owner what the change says of his number? */
  const isAbout = async ({ name }: Citizen, change: RegisterChange, document: Numbered): Promise<boolean> => {
    if (name === undefined) return false
    const number = change.change === 'renumbered' ? parsed(change.kind, change.newNumber) : document.number
    const { result } = await check({ kind: document.kind, number, name })
    if (result === 'unavailable') throw new AppError('register_unavailable', { detail: 'a change waits' })
    return confirming[change.change].includes(result)
  }

  const suspend = async (owner: Citizen, change: RegisterChange): Promise<void> => {
    if (owner.status !== 'active') return
    await record(owner, change, 'account.suspended')
    await withoutSessions(owner, () => directory.suspend(owner.id))
  }

  const rename = async (owner: Citizen, change: RegisterChange, newName: string): Promise<void> => {
    const name = parseName(newName)
    if (owner.name === name) return
    await record(owner, change, 'person.renamed')
    await directory.rename(owner.id, name)
  }

  /** A document that is not the person's only proven one takes no session with it. */
  const endDocument = async (owner: Citizen, act: () => Promise<Citizen>, replaced = false): Promise<void> => {
    const proven = owner.documents.filter(({ status }) => status === 'proven')
    if (proven.length > 1 || replaced) await act()
    else await withoutSessions(owner, act)
  }

  const renumber = async (owner: Citizen, change: RegisterChange, old: Numbered, newNumber: string): Promise<void> => {
    const number = parsed(old.kind, newNumber)
    const other = await directory.byDocument(old.kind, number)
    // He has an account by the new number as well: it keeps it, and this one is left without.
    const free = other === undefined || other.id === owner.id
    await record(owner, change, 'document.renumbered', { free })
    const replace = () => directory.endDocument(owner.id, old, 'replaced', free ? number : undefined)
    await endDocument(owner, replace, free)
  }

  /** A restore ends the old number again and does not know the new one. */
  const isHalfDone = async (change: RegisterChange): Promise<boolean> =>
    change.change === 'renumbered' &&
    (await directory.byDocument(change.kind, parsed(change.kind, change.newNumber))) === undefined

  const apply = async (change: RegisterChange): Promise<void> => {
    const { kind } = change
    const number = parsed(kind, change.number)
    const owner = await directory.byDocument(kind, number)
    const status = owner?.documents.find((one) => one.kind === kind && one.number === number)?.status
    // A number that was corrected is somebody else's now, if anybody's.
    const stands = status === 'proven' || status === 'claimed' || (status === 'replaced' && (await isHalfDone(change)))
    if (!owner || !stands || !(await isAbout(owner, change, { kind, number }))) return
    const old = { kind, number }
    switch (change.change) {
      case 'deceased':
      case 'cancelled':
        return suspend(owner, change)
      case 'document-void':
        await record(owner, change, 'document.void')
        return endDocument(owner, () => directory.endDocument(owner.id, old, 'void'))
      case 'renamed':
        return rename(owner, change, change.newName)
      case 'renumbered':
        return renumber(owner, change, old, change.newNumber)
    }
  }

  return async (change) => {
    try {
      await apply(change)
    } catch (error) {
      if (!isAppError(error) || error.status !== 400) throw error
      onFault(error)
    }
  }
}
