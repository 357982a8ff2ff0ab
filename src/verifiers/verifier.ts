/**
 * Port: one way to prove who you are (DESIGN D10). A verifier is stateless: what must survive between two requests it
 * hands back as `keep`, which the sign-in attempt stores sealed; `show` goes to the page and holds nothing secret.
 * A wrong answer is an answer; only a broken back end throws (`verifier_unavailable`).
 * Every implementation passes `test/contracts/verifier.ts`.
 */
import type { Level } from '#src/identity/assurance.ts'
import type { Locale } from '#src/errors.ts'
import type { DocumentKind } from '#src/identity/id-number.ts'
import type { Json } from '#src/storage/storage.ts'

type Bilingual = Readonly<Record<Locale, string>>

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
  /** Of one by `redirect`: where the citizen comes back to, and the parameter `state` by which he is known there. */
  readonly returnTo?: { readonly url: string; readonly state: string }
}

/** Whom the citizen says he is, given to `begin` of a verifier that is `named`; normalised. */
export interface Named {
  readonly kind: DocumentKind
  readonly number: string
  readonly name: string
}

export interface Begun {
  readonly show: { readonly [key: string]: Json }
  readonly keep: { readonly [key: string]: Json }
  /** Answers after this moment are late. */
  readonly expiresAt: number
  /** The back end's own transaction, for the audit trail. */
  readonly reference?: string
  /** Of one by `redirect`: the address where the citizen goes on. Nothing personal is in it. */
  readonly leaveTo?: string
}

/** What was proven, to which level, by which method (RFC 8176), when; and nothing more. */
export interface Evidence {
  readonly verifier: string
  readonly amr: readonly string[]
  readonly level: Level
  readonly at: number
  /** The back end's own transaction, for the audit trail. */
  readonly reference?: string
  /**
   * Who it was proven of: a phone somebody holds, a document somebody is, a person by his id, or somebody whom an issuer
   * knows by a code for this server alone (网络身份应用标识).
   */
  readonly subject:
    | { readonly phone: string }
    | { readonly kind: DocumentKind; readonly number: string; readonly name: string }
    | { readonly person: string }
    | { readonly issuer: string; readonly code: string }
}

export type Refusal = 'mismatch' | 'expired' | 'foreign' | 'rejected'

export type Outcome =
  | { readonly ok: true; readonly evidence: Evidence }
  /** `detail`: a stable code of what was wrong, for the audit trail alone. */
  | {
      readonly ok: false
      readonly reason: Refusal
      readonly detail?: string
      /** Code of the sentence (`fault.…`) that says more than that it went wrong, where its reader may know. */
      readonly say?: string
      /** Whose document was shown by somebody else, as far as that was seen: no document may be tried without end. */
      readonly about?: Named
    }

/**
 * How the citizen answers: with a code sent to his phone; by a device beside him that the page's script asks (a passkey,
 * a card reader, a token); at another site, from which he comes back; or in the fields of a form.
 */
export type AnsweredBy = 'phone' | 'device' | 'redirect' | 'form'

export interface Verifier {
  readonly name: string
  /** RFC 8176 values. */
  readonly amr: readonly string[]
  /** The most it can prove alone (DESIGN D8). */
  readonly cap: Level
  /** Wrong answers a challenge survives. */
  readonly tries: number
  readonly by: AnsweredBy
  /** Has the page to ask first who he is? `begin` is then given a `Named`. */
  readonly named?: boolean
  /** Only for whoever has got something beforehand (a passkey, a token): it stands in for no other way. */
  readonly enrolled?: boolean
  /** It looks at faces: never for those under 14, never without consent, never the only way to a level. */
  readonly facial?: boolean
  /**
   * Who receives what leaves the device, told before the citizen agrees to it; `version` counts up when the text changes.
   * `stays`: no image leaves the device, and the receiver is who runs it.
   */
  readonly consent?: { readonly receiver: Bilingual; readonly version: string; readonly stays?: boolean }
  /** What it is called and what it is for, where the settings say so; else the pages' own words do. */
  readonly label?: Bilingual
  readonly help?: Bilingual
  /** Applications that it does not serve: a platform cannot be asked to prove who signs in to itself. */
  readonly notFor?: readonly string[]
  /** Origins, besides our own, that the page's script talks to: programs on the loopback of a terminal. */
  readonly connects?: readonly string[]
  /** Origins that its page shows in a frame, and so never sees: the live picture of a terminal's camera. */
  readonly frames?: readonly string[]
  /** Is its back end known to be broken? It is offered then only where nothing else is. */
  readonly down?: () => boolean
  /** @param input a phone of one by `phone`; a `Named` of one that is named; else nothing */
  begin(claim: Claim, input: unknown): Promise<Begun>
  /**
   * @param input what the citizen answered: a text by `phone` and `device`; by `form` its fields, by `redirect` the
   * parameters he came back with (without `state`), each one text
   */
  finish(claim: Claim, keep: unknown, input: unknown): Promise<Outcome>
}
