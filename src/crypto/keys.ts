/**
 * What a node does with its keys, wherever they stand: in sealed files, in the key daemon, in hardware. The rooms above
 * see these ports only, and a ring whose content changes while the server runs.
 */
import type { Decrypter } from './decrypter.ts'
import type { KeyWrapper } from './key-wrapper.ts'
import type { Mac } from './mac.ts'
import type { Signer } from './signer.ts'

/**
 * `next` is published and not used yet, so that who keeps a key set for long knows it in time; `active` is used;
 * `retired` is published until the last thing it signed has expired, and then gone.
 */
export type KeyState = 'next' | 'active' | 'retired'

export interface Stated<Key> {
  readonly key: Key
  readonly state: KeyState
}

/** A key of the blind index; its version stands in front of each index it made. */
export interface IndexKey {
  readonly version: number
  readonly mac: Mac
}

export interface Keys {
  /** Those that are published; of each algorithm one is active. */
  readonly signers: readonly Stated<Signer>[]
  /** Those that tokens may be encrypted to; the retired ones still decrypt. */
  readonly decrypters: readonly Stated<Decrypter>[]
  /** Signs checkpoints of the audit trail. */
  readonly audit: Signer
  readonly wrapper: KeyWrapper
  /** Newest first: it makes new indexes; what is not found by it is looked up by the others. */
  readonly index: readonly IndexKey[]
  /** Pairwise subjects; never changes. */
  readonly pairwise: Mac
  /** Protects rows that give rights (DESIGN D11). */
  readonly rows: Mac
  /** Binds one-time codes to their challenge. */
  readonly codes: Mac
  /** Hides addresses in the counters of the throttle. */
  readonly limits: Mac
  /** Newest first: the first signs cookies, all of them verify. In this process, since the engine signs them at once. */
  readonly cookies: readonly Buffer[]
}

export interface KeyRing {
  current(): Keys
  /** Called after each change; `current` gives the new keys then. */
  onChange(listener: () => void): void
  close(): Promise<void>
}
