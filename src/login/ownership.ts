/**
 * Whose account a document is (DESIGN D8): what is proven goes to its holder, opening his account where he has none, and
 * ends what others held of it; what is only claimed goes to whoever comes first, as long as nobody has it.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import { isAppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { isFormatOnly, type Document } from '#src/identity/id-number.ts'
import { sameName } from '#src/identity/name.ts'
import { createTurns } from '#src/storage/turns.ts'
import type { CitizenNotices } from './citizen-notices.ts'
import { mayGrow, newPersonId, type Directory, type Opening, type Proof } from './directory.ts'
import { takeover } from './takeover.ts'
import type { Trail } from './visit.ts'

/** What was shown of a person: his name and document, and a phone that is his, if he brought one. */
export interface PersonalProof {
  readonly document: Pick<Document, 'kind' | 'number'>
  readonly name: string
  readonly level: Exclude<Level, 1>
  /** E.164 */
  readonly phone?: string
  /** The account without a number of the same holder, which becomes the document's where that has none (`mayGrow`). */
  readonly onto?: Citizen | undefined
  /** The account that the browser is signed in to, at level 2 or more: if it is this one, he only proves more of himself. */
  readonly signedIn?: string | undefined
  readonly trail: Trail
}

export interface PersonalClaim {
  readonly document: Pick<Document, 'kind' | 'number'>
  readonly name: string
  /** E.164, in the hand of whoever claims. */
  readonly phone: string
  /** The account he signed in to, if any. */
  readonly citizen?: Citizen
  readonly trail: Trail
}

export type Owned =
  | { readonly ok: true; readonly citizen: Citizen }
  | { readonly ok: false; readonly reason: 'taken' | 'closed' | 'phone-not-yours' }

interface Dependencies {
  readonly directory: Directory
  readonly recorder: Pick<Recorder, 'record'>
  readonly notices: CitizenNotices
  /** Ends every session of a person that is below this level, and any that is just about to begin. */
  readonly endSessions: (person: string, below: Level) => Promise<unknown>
  /** Ends the ways to sign in that others may have added: passkeys, and codes that are linked. */
  readonly endWays: (person: string) => Promise<unknown>
  /** Hides what was agreed to and released before the account was its owner's. */
  readonly hidePast: (person: string) => Promise<unknown>
}

export interface Ownership {
  /** Gives the account of a document to whom it was proven of, whoever held it with less; on record before it is done. */
  prove(proof: PersonalProof): Promise<Owned>
  /** @param known the register knows this name and number; else the number is claimed by its format and stays free */
  claim(claim: PersonalClaim, known: boolean): Promise<Owned>
}

const refused = (reason: Extract<Owned, { ok: false }>['reason']): Owned => ({ ok: false, reason })

const opensBy = (phone: string, { status, phones }: Citizen): boolean =>
  status === 'active' && phones.some(({ number }) => number === phone)

/**
 * Is the owner of this document whom it was proven of? A new name reaches his account by the register's feed; until then
 * nobody can tell him from another with his number (重号; passports of two states), not even the register.
 */
const isHolder = ({ name = '', documents }: Citizen, { document: { kind, number }, name: proven }: PersonalProof) =>
  sameName(name, proven) &&
  documents.some((one) => one.kind === kind && one.number === number && one.status !== 'replaced')

export function createOwnership(deps: Dependencies): Ownership {
  const { directory, recorder, notices, endWays, endSessions, hidePast } = deps
  const inTurn = createTurns()

  /** Recorded before it is done: what cannot be recorded does not happen (DESIGN D11). */
  const open = async (opening: Omit<Opening, 'id'>, trail: Trail): Promise<Owned> => {
    const id = newPersonId()
    for (const type of ['account.opened', 'account.proofed'] as const)
      await recorder.record({ ...trail, type, outcome: 'ok', person: id, level: opening.proofing })
    return { ok: true, citizen: await directory.open({ ...opening, id }) }
  }

  const endClaim = async (person: string, below: Level): Promise<void> => {
    await endWays(person)
    await endSessions(person, below)
    await hidePast(person)
  }

  /**
   * Binds what was proven; whoever held the account with less is out, and everybody concerned is told. The binding comes
   * last, since only without it will the next proof do again what a failure left undone.
   */
  const give = async (owner: Citizen, proof: Proof, trail: Trail): Promise<Owned> => {
    const level = Math.max(owner.proofing, proof.proofing)
    const record = (type: 'account.reclaimed' | 'phone.bound' | 'account.proofed') =>
      recorder.record({ ...trail, type, outcome: 'ok', person: owner.id, level })
    const held = owner.phones.map(({ number, proven }) => ({ id: number, proven }))
    const { reclaimed, known, others, ended } = takeover({ ...owner, phones: held }, proof)
    const own = proof.phone === undefined || known ? [] : [proof.phone]
    const numbers = (phones: readonly { readonly id: string }[]) => phones.map(({ id }) => id)

    if (reclaimed) await record('account.reclaimed')
    else if (own.length > 0) await record('phone.bound')
    await record('account.proofed')
    if (reclaimed) {
      await notices.tell(owner, 'claim-ended', numbers(ended))
      await notices.tell(owner, 'reclaimed', own)
    }
    if (own.length > 0) await notices.tell(owner, 'phone-bound', numbers(others))
    if (reclaimed) {
      // His phones go first: he cannot sign in again and agree to something behind what is ended here.
      for (const phone of numbers(ended)) await directory.endPhone(owner.id, phone)
      await endClaim(owner.id, proof.proofing)
    }
    const bound = await directory.bindProven(owner.id, proof)
    // A sign-in may have been under way.
    if (bound.reclaimed) await endClaim(owner.id, proof.proofing)
    return { ok: true, citizen: bound.citizen }
  }

  /** An account without a number gets its first. Nobody else has held it, so nobody is put out. */
  const grow = async (onto: Citizen, proof: PersonalProof, bound: Proof): Promise<Owned> => {
    const { trail, level } = proof
    await recorder.record({ ...trail, type: 'account.proofed', outcome: 'ok', person: onto.id, level })
    try {
      return { ok: true, citizen: (await directory.bindProven(onto.id, { ...bound, first: true })).citizen }
    } catch (error) {
      if (!isAppError(error, 'conflict')) throw error
      const { onto: _, ...alone } = proof
      return settle(alone)
    }
  }

  /** Whoever loses a race for a document settles with the owner that then exists. */
  async function settle(proof: PersonalProof): Promise<Owned> {
    const { document, name, phone, level, trail } = proof
    const { kind, number } = document
    const bound: Proof = { name, document: { kind, number }, proofing: level, ...(phone ? { phone } : {}) }
    const owner = await directory.byDocument(kind, number)
    if (owner && owner.status !== 'active') return refused('closed')
    if (owner && !isHolder(owner, proof)) return refused('taken')
    if (owner) return give(owner, { ...bound, held: owner.id === proof.signedIn }, trail)
    if (proof.onto && mayGrow(proof.onto, level)) return grow(proof.onto, proof, bound)
    const claim = phone === undefined ? undefined : await directory.byUnreservedClaim(kind, number, phone)
    try {
      if (claim && phone !== undefined && opensBy(phone, claim)) return await give(claim, bound, trail)
      const opening = { name, document: { kind, number, status: 'proven' as const }, proven: true, proofing: level }
      return await open({ ...opening, ...(phone ? { phone } : {}) }, trail)
    } catch (error) {
      if (isAppError(error, 'conflict')) return settle(proof)
      throw error
    }
  }

  const prove = (proof: PersonalProof): Promise<Owned> =>
    inTurn(`${proof.document.kind}|${proof.document.number}`, () => settle(proof))

  /** A stranger's phone claims what nobody has; of an account that is there it learns nothing, and its owner is told. */
  const claim = async (input: PersonalClaim, known: boolean): Promise<Owned> => {
    const { document, name, phone, citizen, trail } = input
    const { kind, number } = document
    const unreserved = isFormatOnly(kind)
    const owner = known ? await directory.byDocument(kind, number) : undefined
    if (owner) {
      // He knows already that name and number fit: the claim is his own.
      const own = owner.id === citizen?.id && owner.phones.every(({ proven }) => !proven)
      if (own) return refused('phone-not-yours')
      if (owner.status === 'active' && sameName(owner.name ?? '', name)) await notices.tellOfTry(owner)
      return refused('taken')
    }
    const earlier = unreserved ? await directory.byUnreservedClaim(kind, number, phone) : undefined
    if (earlier && !opensBy(phone, earlier)) return refused('taken')
    if (earlier) {
      const { id: person, proofing: level } = earlier
      await recorder.record({ ...trail, type: 'account.proofed', outcome: 'ok', person, level })
      return { ok: true, citizen: earlier }
    }
    try {
      const opening = { name, document: { kind, number, status: 'claimed' as const }, phone, proven: false }
      return await open({ ...opening, proofing: 1, unreserved }, trail)
    } catch (error) {
      if (isAppError(error, 'conflict')) return claim(input, known)
      throw error
    }
  }

  return { prove, claim }
}
