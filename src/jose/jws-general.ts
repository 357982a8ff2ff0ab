/**
 * General JWS (RFC 7515 §7.2.1): several signatures over one payload, of SM and other algorithms side by side. Each
 * is made as a flattened JWS; verifying stands in jws-verify.
 */
import * as upstream from 'jose-upstream'
import type { GeneralJWS, JWSHeaderParameters, KeyInput, Signature } from 'jose-upstream'
import type { SignOptions } from './jws-algorithms.ts'
import { isUnencoded } from './jws-header.ts'
import { FlattenedSign } from './jws-sign.ts'

const { JWSInvalid } = upstream.errors

/** As upstream's, and for the SM algorithms where the protected header of a signature names one. */
export class GeneralSign extends upstream.GeneralSign {
  readonly #payload: Uint8Array
  readonly #signatures: IndividualSignature[] = []

  constructor(payload: Uint8Array) {
    super(payload)
    this.#payload = payload
  }

  override addSignature(key: KeyInput, options?: SignOptions): Signature {
    const signature = new IndividualSignature(this, key, options)
    this.#signatures.push(signature)
    return signature
  }

  override async sign(): Promise<GeneralJWS> {
    const [first, ...others] = this.#signatures
    if (!first) throw new JWSInvalid('at least one signature must be added')
    const { payload, ...made } = await first.make(this.#payload)
    const signatures: GeneralJWS['signatures'] = [made]
    for (const other of others) {
      if (other.unencoded !== first.unencoded)
        throw new JWSInvalid('inconsistent use of JWS Unencoded Payload (RFC7797)')
      const { payload: _same, ...next } = await other.make(this.#payload)
      signatures.push(next)
    }
    return { signatures, payload }
  }
}

class IndividualSignature implements Signature {
  readonly #parent: GeneralSign
  readonly #key: KeyInput
  readonly #options: SignOptions | undefined
  #header: JWSHeaderParameters | undefined
  #unprotected: JWSHeaderParameters | undefined

  constructor(parent: GeneralSign, key: KeyInput, options?: SignOptions) {
    this.#parent = parent
    this.#key = key
    this.#options = options
  }

  setProtectedHeader(header: JWSHeaderParameters): this {
    if (this.#header) throw new TypeError('setProtectedHeader can only be called once')
    this.#header = header
    return this
  }

  setUnprotectedHeader(header: JWSHeaderParameters): this {
    if (this.#unprotected) throw new TypeError('setUnprotectedHeader can only be called once')
    this.#unprotected = header
    return this
  }

  addSignature(key: KeyInput, options?: SignOptions): Signature {
    return this.#parent.addSignature(key, options)
  }

  sign(): Promise<GeneralJWS> {
    return this.#parent.sign()
  }

  done(): GeneralSign {
    return this.#parent
  }

  get unencoded(): boolean {
    return this.#header !== undefined && isUnencoded(this.#header)
  }

  make(payload: Uint8Array): Promise<upstream.FlattenedJWS> {
    const flattened = new FlattenedSign(payload)
    if (this.#header) flattened.setProtectedHeader(this.#header)
    if (this.#unprotected) flattened.setUnprotectedHeader(this.#unprotected)
    return flattened.sign(this.#key, this.#options)
  }
}
