/**
 * Port: something that signs. A key file today, a cryptographic machine (密码机, GM/T 0018) tomorrow: hence asynchronous.
 * Every implementation passes `test/contracts/signer.ts`.
 */

export interface PublicJwk {
  readonly kty: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
  readonly kid: string
  readonly alg: string
  readonly use: 'sig' | 'enc'
}

export interface Signer {
  /** JWS name: `SGD_SM3_SM2` (GM/T 0125), `ES256`, `RS256`. */
  readonly alg: string
  readonly kid: string
  readonly publicJwk: PublicJwk
  /** The signature in JWS form: 64-byte r‖s for the elliptic curves. */
  sign(input: Uint8Array): Promise<Uint8Array>
}
