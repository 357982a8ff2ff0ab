/**
 * A Decrypter as a key of the engine's store: it opens the requests that applications encrypt to us, and no private key
 * ever reaches the engine. In the place of a key, `jose` asks it for the content key.
 */
import type { Decrypter } from '#src/crypto/decrypter.ts'

export class DecryptionKey {
  readonly kty: string
  readonly crv: string | undefined
  readonly x: string | undefined
  readonly y: string | undefined
  readonly kid: string
  readonly alg: string
  readonly use = 'enc'
  readonly #decrypter: Decrypter

  constructor(decrypter: Decrypter) {
    const { kty, crv, x, y } = decrypter.publicJwk
    Object.assign(this, { kty, crv, x, y })
    this.kty = kty
    this.kid = decrypter.kid
    this.alg = decrypter.alg
    this.#decrypter = decrypter
  }

  decrypt(encryptedKey: Uint8Array): Promise<Uint8Array> {
    return this.#decrypter.decrypt(encryptedKey)
  }
}
