/**
 * Port: where passkeys are kept. `login/passkey-store.ts` keeps them in the store, sealed; `test/contracts/passkey-store.ts`
 * is what every implementation must pass.
 */
import type { Level } from '#src/identity/assurance.ts'

export interface Passkey {
  /** The credential id, base64url. */
  readonly id: string
  readonly person: string
  /** The user handle that the authenticator holds: random, one for a person, and says nothing. Base64url. */
  readonly handle: string
  /** COSE_Key, base64url. */
  readonly publicKey: string
  /** The signature counter at its last use; 0 where the authenticator does not count. */
  readonly counter: number
  readonly transports: readonly string[]
  /** It may leave its device (backup eligibility, WebAuthn §6.1.3); fixed when it is made. */
  readonly syncable: boolean
  /** It has left it (backup state), as of its last use. */
  readonly synced: boolean
  /** The level of the session that added it. */
  readonly addedAt: Level
  /** What its owner calls it. */
  readonly name: string
  /** Milliseconds. */
  readonly createdAt: number
  readonly usedAt?: number
}

export interface Use {
  readonly counter: number
  readonly synced: boolean
  readonly at: number
}

export interface PasskeyStore {
  find(id: string): Promise<Passkey | undefined>
  /** Those of a person, oldest first. */
  of(person: string): Promise<readonly Passkey[]>
  /** False where a credential of this id is or was anybody's (WebAuthn §7.1, step 26): nothing is written then. */
  add(passkey: Passkey): Promise<boolean>
  /** Keeps what a use has told. False where it was removed meanwhile, or another use has had this count. */
  used(passkey: Passkey, use: Use): Promise<boolean>
  rename(id: string, name: string): Promise<void>
  /** For good: no use that is under way and no restore of a backup brings it back. */
  remove(id: string): Promise<void>
}
