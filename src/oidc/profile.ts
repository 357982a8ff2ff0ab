/**
 * The application profiles (DESIGN D12) as a table: one word in the application's file decides how it authenticates,
 * what it must prove at the endpoints, and how far it may reach. A new profile is a row.
 */
import type { Level } from '#src/identity/assurance.ts'

export interface Profile {
  /** The highest level an application of this profile is told or may ask for. */
  readonly top: Level
  /** May it be granted the whole ID number? */
  readonly idNumber: boolean
  /** How it authenticates: by its own key, by a shared secret, or not at all. */
  readonly credentials: readonly ('key' | 'secret' | 'none')[]
  /** Does its refresh token change at each use (RFC 9700 §2.2.2)? Not where FAPI 2.0 §5.3.2.1 binds it to a key. */
  readonly rotates: boolean
  /** FAPI 2.0 Security Profile: pushed requests, sender-constrained tokens. */
  readonly fapi: boolean
  /** May a nonce stand in for PKCE, for what cannot change? Then it has an end date. */
  readonly withoutPkce: boolean
  readonly applicationType: 'web' | 'native'
}

export const profiles = {
  high: {
    top: 4,
    idNumber: true,
    credentials: ['key'],
    rotates: false,
    fapi: true,
    withoutPkce: false,
    applicationType: 'web',
  },
  standard: {
    top: 2,
    idNumber: false,
    credentials: ['secret', 'key'],
    rotates: true,
    fapi: false,
    withoutPkce: false,
    applicationType: 'web',
  },
  public: {
    top: 2,
    idNumber: false,
    credentials: ['none'],
    rotates: true,
    fapi: false,
    withoutPkce: false,
    applicationType: 'native',
  },
  legacy: {
    top: 2,
    idNumber: false,
    credentials: ['secret'],
    rotates: true,
    fapi: false,
    withoutPkce: true,
    applicationType: 'web',
  },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles
export const profileNames = Object.keys(profiles) as [ProfileName, ...ProfileName[]]

export const profileOf = ({ profile }: { readonly profile: ProfileName }): Profile => profiles[profile]
