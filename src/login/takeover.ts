/**
 * What a proof of identity does to the phones and sessions of an account that somebody holds already (DESIGN D8). Pure,
 * and a function of levels, so that a verifier of level 3 only has to say its level.
 */
import type { Level } from '#src/identity/assurance.ts'

interface HeldPhone {
  /** The id of its row, or its number: what tells it from the others. */
  readonly id: string
  readonly proven: boolean
}

export interface Takeover<Phone> {
  /** The account was in other hands, as far as anybody can know: every session of less than this proof ends. */
  readonly reclaimed: boolean
  /** The phone opened the account before. */
  readonly known: boolean
  /** Other phones that still open it, once the register says so again. */
  readonly others: readonly Phone[]
  /** Phones that open it no more. */
  readonly ended: readonly Phone[]
}

/**
 * A proof reclaims where it is stronger than all before it and does not come from a phone of the account: three elements
 * take it from whoever only claimed it, card, face or window also from whoever had proven a phone.
 * @param proof.phone `id` of the phone the proof came with, if any
 * @param proof.held whether it was given in a session of the account: whoever proves more of himself puts nobody out
 */
export function takeover<Phone extends HeldPhone>(
  account: { readonly proofing: number; readonly phones: readonly Phone[] },
  proof: { readonly proofing: Level; readonly phone?: string | undefined; readonly held?: boolean | undefined },
): Takeover<Phone> {
  const known = account.phones.some(({ id }) => id === proof.phone)
  const reclaimed = proof.proofing > account.proofing && !known && proof.held !== true
  const rest = account.phones.filter(({ id }) => id !== proof.phone)
  const stays = ({ proven }: Phone) => proven && !(reclaimed && proof.proofing >= 3)
  return { reclaimed, known, others: rest.filter(stays), ended: rest.filter((phone) => !stays(phone)) }
}
