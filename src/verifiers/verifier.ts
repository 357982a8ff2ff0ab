/**
 * Port: one way to prove who you are (DESIGN D10). A verifier is stateless: what must survive between two requests it
 * hands back as `keep`, which the sign-in attempt stores sealed; `show` goes to the page and holds nothing secret.
 * A wrong code is an answer; only a broken back end throws (`verifier_unavailable`).
 * Every implementation passes `test/contracts/verifier.ts`.
 */
import type { Level } from '#src/identity/assurance.ts'
import type { Locale } from '#src/errors.ts'
import type { Json } from '#src/storage/storage.ts'

/** What the attempt knows when a verifier is asked. */
export interface Claim {
  /** Binds the challenge to one attempt; an answer under another attempt is refused. */
  readonly attempt: string
  readonly channel: string
  readonly locale: Locale
  readonly largeType: boolean
  /** The application's name in the citizen's language, for the texts he reads. */
  readonly purpose: string
  readonly now: number
}

export interface Begun {
  readonly show: { readonly [key: string]: Json }
  readonly keep: { readonly [key: string]: Json }
  /** Answers after this moment are late. */
  readonly expiresAt: number
  /** The back end's own transaction, for the audit trail. */
  readonly reference?: string
}

/** What was proven, to which level, by which method (RFC 8176), when; and nothing more. */
export interface Evidence {
  readonly verifier: string
  readonly amr: readonly string[]
  readonly level: Level
  readonly at: number
  /** The back end's own transaction, for the audit trail. */
  readonly reference?: string
  /** Who it was proven of: a phone somebody holds, a document somebody is, or a person by his id. */
  readonly subject:
    | { readonly phone: string }
    | { readonly kind: string; readonly number: string; readonly name?: string }
    | { readonly person: string }
}

export type Refusal = 'mismatch' | 'expired' | 'foreign' | 'rejected'

export type Outcome =
  | { readonly ok: true; readonly evidence: Evidence }
  /** `detail`: a stable code of what was wrong, for the audit trail alone. */
  | { readonly ok: false; readonly reason: Refusal; readonly detail?: string }

export interface Verifier {
  readonly name: string
  /** RFC 8176 values. */
  readonly amr: readonly string[]
  /** The most it can prove alone (DESIGN D8). */
  readonly cap: Level
  /** Wrong answers a challenge survives. */
  readonly tries: number
  /** The citizen's own device answers for him, so nothing has to be asked before it begins: neither phone nor name. */
  readonly byDevice?: boolean
  /** Is its back end known to be broken? It is offered then only where nothing else is. */
  readonly down?: () => boolean
  begin(claim: Claim, input: unknown): Promise<Begun>
  finish(claim: Claim, keep: unknown, input: unknown): Promise<Outcome>
}
