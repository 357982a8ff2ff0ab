/**
 * What a change in the register does to the account it is about (DESIGN D6). Each is recorded before it is carried out,
 * and may be told twice: what stands already is not done again. A change about nobody here is nothing.
 */
import type { Recorder, AuditEvent } from '#src/audit/recorder.ts'
import { isAppError } from '#src/errors.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import { parseName } from '#src/identity/name.ts'
import type { RegisterChange } from '#src/identity/registry.ts'
import type { Directory } from './directory.ts'

interface Dependencies {
  readonly directory: Pick<Directory, 'byDocument' | 'suspend' | 'rename' | 'endDocument'>
  readonly recorder: Pick<Recorder, 'record'>
  /** Ends every session of a person. */
  readonly endSessions: (person: string) => Promise<unknown>
  /** Told of a change that cannot be read: it is passed over, or it would hold up all that follow. */
  readonly onFault: (error: unknown) => void
  readonly now?: () => number
}

export function createRegisterChanges(deps: Dependencies): (change: RegisterChange) => Promise<void> {
  const { directory, recorder, endSessions, onFault, now = Date.now } = deps

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
    const { number } = parseDocument(old.kind, newNumber, now())
    const other = await directory.byDocument(old.kind, number)
    // He has an account by the new number as well: it keeps it, and this one is left without.
    const free = other === undefined || other.id === owner.id
    await record(owner, change, 'document.renumbered', { free })
    const replace = () => directory.endDocument(owner.id, old, 'replaced', free ? number : undefined)
    await endDocument(owner, replace, free)
  }

  const apply = async (change: RegisterChange): Promise<void> => {
    const { kind, number } = parseDocument(change.kind, change.number, now())
    const owner = await directory.byDocument(kind, number)
    // A number that was corrected is somebody else's now, if anybody's.
    const stands = owner?.documents.some(
      (one) => one.kind === kind && one.number === number && (one.status === 'proven' || one.status === 'claimed'),
    )
    if (!owner || !stands) return
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

type Numbered = Parameters<Directory['endDocument']>[1]
