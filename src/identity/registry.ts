/**
 * Port: the population register (人口库), which alone knows whether name and number belong together (DESIGN, "The
 * house"). A driver stands behind it; `test/contracts/population-register.ts` is what each must pass.
 */

import type { DocumentKind } from './id-number.ts'

export interface RegisterQuery {
  readonly kind: DocumentKind
  /** Normalised, as `parseDocument` gives it. */
  readonly number: string
  readonly name: string
  /** E.164; asked only after it was proven (PAGES "Order is security"). */
  readonly phone?: string
}

/**
 * What the register says of a name and a number. A number nobody has and a name that does not fit are one answer, and
 * nothing else is said of a person until the name fits, a present or a former one.
 */
export type RegisterAnswer =
  /** Both are this living person's. The phone is theirs (three elements), somebody else's, or not on record or not asked. */
  | { readonly result: 'match'; readonly phone: 'match' | 'mismatch' | 'unknown' }
  | { readonly result: 'mismatch' }
  | { readonly result: 'deceased' }
  /** The registration was ended for another reason: emigration, a double registration. */
  | { readonly result: 'cancelled' }
  /** The person is registered, but this document was withdrawn or reported lost. */
  | { readonly result: 'document-void' }
  /** The number is right; the name given is a former one. */
  | { readonly result: 'renamed' }
  /** The number given was this person's until it was corrected (重号更正). The new one is not told: it is on the card. */
  | { readonly result: 'renumbered' }

interface ChangeOf<Kind extends string> {
  /** Milliseconds. */
  readonly at: number
  readonly kind: DocumentKind
  /** The number the person had before the change. */
  readonly number: string
  readonly change: Kind
}

export type RegisterChange =
  | ChangeOf<'deceased' | 'cancelled' | 'document-void'>
  | (ChangeOf<'renamed'> & { readonly newName: string })
  | (ChangeOf<'renumbered'> & { readonly newNumber: string })

export interface RegisterChanges {
  /** Oldest first. */
  readonly changes: readonly RegisterChange[]
  /** Opaque; given back as `after`, it continues behind the last of these changes, also when there were none. */
  readonly cursor: string
}

export interface PopulationRegister {
  readonly name: string
  /** @throws AppError `register_unavailable`: unavailable is never mismatch */
  check(query: RegisterQuery): Promise<RegisterAnswer>
  /**
   * Changes for accounts to follow; without `after` from the first one on.
   * @throws AppError `register_unavailable`, or `bad_request` for a cursor that this register never gave
   */
  changes(after: string | undefined, limit: number): Promise<RegisterChanges>
}
