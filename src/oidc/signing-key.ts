/** A Signer as the engine's external signing key: no private key ever reaches the engine. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { ExternalSigningKey } from 'oidc-provider'
import type { PublicJwk, Signer } from '#src/crypto/signer.ts'
import { spelt } from './dialect.ts'

export class SigningKey extends ExternalSigningKey {
  readonly #signer: Signer
  readonly #jwk: PublicJwk
  #kid: string
  #alg: string

  constructor(signer: Signer) {
    super()
    this.#signer = signer
    this.#jwk = signer.publicJwk
    this.#kid = signer.kid
    this.#alg = signer.alg
  }

  // The engine assigns both while it registers a key, to what they are already.
  override get kid(): string {
    return this.#kid
  }
  override set kid(kid: string) {
    this.#kid = kid
  }
  override get alg(): string {
    return this.#alg
  }
  override set alg(alg: string) {
    this.#alg = alg
  }
  override get kty(): string {
    return this.#jwk.kty
  }
  override get crv(): string | undefined {
    return this.#jwk.crv
  }
  override get x(): string | undefined {
    return this.#jwk.x
  }
  override get y(): string | undefined {
    return this.#jwk.y
  }
  override get n(): string | undefined {
    return this.#jwk.n
  }
  override get e(): string | undefined {
    return this.#jwk.e
  }

  /** Node cannot import an SM2 JWK; our `jose` takes it as it is. */
  override keyObject(): KeyObject {
    if (this.#jwk.crv === 'sm2p256v1') return this.#jwk as unknown as KeyObject
    return createPublicKey({ key: { ...this.#jwk }, format: 'jwk' })
  }

  override async sign(data: Uint8Array): Promise<Uint8Array> {
    const signature = await this.#signer.sign(data)
    return this.#jwk.crv === 'sm2p256v1' ? spelt(signature) : signature
  }
}
