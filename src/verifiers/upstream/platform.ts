/** Port: how a platform is asked, whichever protocol it speaks. `index.ts` makes a verifier of it. */
import type { Claim } from '../verifier.ts'

export interface Departure {
  readonly leaveTo: string
  /** What must be known again when the citizen comes back. */
  readonly own: Readonly<Record<string, string>>
}

/** The claims that were told, or a code for the trail of why the answer does not count. */
export type Told = { readonly claims: unknown } | { readonly fault: string; readonly givenUp?: boolean }

export interface Platform {
  /** Where its answers come from; ours would be a circle. */
  readonly origins: readonly string[]
  leave(claim: Claim & { readonly returnTo: NonNullable<Claim['returnTo']> }, reference: string): Promise<Departure>
  /** @throws PeerFailure where the platform is broken; what the citizen brings wrongly is a fault */
  ask(claim: Claim, own: Departure['own'], reference: string, input: unknown): Promise<Told>
}
