/**
 * What a node does with its keys, wherever they stand: in sealed files, in the key daemon, in hardware. The rooms above
 * see these ports only, and a ring whose content changes while the server runs.
 */
import type { Decrypter } from './decrypter.ts'
import type { KeyWrapper } from './key-wrapper.ts'
import type { Mac } from './mac.ts'
import type { PublicJwk, Signer } from './signer.ts'

/**
 * `next` is published and not used yet, so that who keeps a key set for long knows it in time; `active` is used;
 * `retired` is published until the last thing it signed has expired, and then gone.
 */
export type KeyState = 'next' | 'active' | 'retired'

/** What a key is for: tokens, tokens to us, the audit trail, and the secrets of `Keys`. */
export type KeyUse = 'sig' | 'enc' | 'audit' | 'wrapping' | 'index' | 'pairwise' | 'rows' | 'cookies' | 'codes'

/** What may be said of a key to anybody: the audit trail tells changes by it. */
export interface KeyDescription {
  /** Of a secret its use and number: `wrapping-2`. */
  readonly kid: string
  readonly use: KeyUse
  readonly alg: string
  readonly state: KeyState
}

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
  /** Every key there is, those that are only published or only still verify among them. */
  readonly described: readonly KeyDescription[]
  /** Those that are published; of each algorithm one is active. */
  readonly signers: readonly Stated<Signer>[]
  /** Those that tokens may be encrypted to; the retired ones still decrypt. */
  readonly decrypters: readonly Stated<Decrypter>[]
  /** Signs checkpoints of the audit trail. */
  readonly audit: Signer
  /** Verify checkpoints, those of former keys as well. */
  readonly checkpointKeys: readonly PublicJwk[]
  readonly wrapper: KeyWrapper
  /** Newest first: it makes new indexes; what is not found by it is looked up by the others. */
  readonly index: readonly IndexKey[]
  /** Pairwise subjects; never changes. */
  readonly pairwise: Mac
  /** Protects rows that give rights (DESIGN D11). */
  readonly rows: Mac
  /** Bind one-time codes to their challenge. Newest first: the first is for new codes, all of them check one. */
  readonly codes: readonly [Mac, ...Mac[]]
  /** Hides addresses in the counters of the throttle. */
  readonly limits: Mac
  /** Newest first: the first signs cookies, all of them verify. In this process, since the engine signs them at once. */
  readonly cookies: readonly Buffer[]
}

export interface KeyRing<Content extends Pick<Keys, 'described'> = Keys> {
  current(): Content
  /** Called after each change; `current` gives the new keys then. */
  onChange(listener: () => void): void
  close(): Promise<void>
}
