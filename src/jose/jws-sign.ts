/**
 * Making a JSON Web Signature (RFC 7515 §5.1) with an SM algorithm; every other one goes to the upstream package.
 */
import * as upstream from 'jose-upstream'
import type { CompactJWSHeaderParameters, FlattenedJWS, JWSHeaderParameters, KeyInput } from 'jose-upstream'
import { signingAlgorithm } from './jws-algorithms.ts'
import type { JwsAlgorithm, SignOptions } from './jws-algorithms.ts'
import { isUnencoded } from './jws-header.ts'

const { JWSInvalid } = upstream.errors

/** As upstream's, and for the SM algorithms. */
export class CompactSign extends upstream.CompactSign {
  readonly #payload: Uint8Array
  #header: CompactJWSHeaderParameters | undefined

  constructor(payload: Uint8Array) {
    super(payload)
    this.#payload = payload
  }

  override setProtectedHeader(header: CompactJWSHeaderParameters): this {
    super.setProtectedHeader(header)
    this.#header = header
    return this
  }

  override async sign(key: KeyInput, options?: SignOptions): Promise<string> {
    const algorithm = signingAlgorithm(this.#header?.alg)
    if (!algorithm) return super.sign(key, options)
    const header = this.#header as CompactJWSHeaderParameters
    // Upstream checks `crit` and refuses `b64: false`, on a signature that is thrown away; rare, so the cost is none.
    if (header.crit !== undefined)
      await new upstream.CompactSign(this.#payload).setProtectedHeader(checkable(header)).sign(dummySecret, options)
    const input = `${encodeHeader(header)}.${Buffer.from(this.#payload).toString('base64url')}`
    return `${input}.${sign(algorithm, key, Buffer.from(input, 'ascii'), options)}`
  }
}

/** As upstream's, and for the SM algorithms where the protected header names one. */
export class FlattenedSign extends upstream.FlattenedSign {
  readonly #payload: Uint8Array
  #header: JWSHeaderParameters | undefined
  #unprotected: JWSHeaderParameters | undefined

  constructor(payload: Uint8Array) {
    super(payload)
    this.#payload = payload
  }

  override setProtectedHeader(header: JWSHeaderParameters): this {
    super.setProtectedHeader(header)
    this.#header = header
    return this
  }

  override setUnprotectedHeader(header: JWSHeaderParameters): this {
    super.setUnprotectedHeader(header)
    this.#unprotected = header
    return this
  }

  override async sign(key: KeyInput, options?: SignOptions): Promise<FlattenedJWS> {
    const algorithm = signingAlgorithm(this.#header?.alg)
    if (!algorithm) return super.sign(key, options)
    const header = this.#header as JWSHeaderParameters
    const checked = new upstream.FlattenedSign(this.#payload).setProtectedHeader(checkable(header))
    if (this.#unprotected) checked.setUnprotectedHeader(this.#unprotected)
    // Upstream checks both headers and lays out the result; only its protected header and signature are replaced.
    const layout = await checked.sign(dummySecret, options)
    const encoded = encodeHeader(header)
    const signed = isUnencoded(header) ? this.#payload : Buffer.from(layout.payload, 'ascii')
    const input = Buffer.concat([Buffer.from(`${encoded}.`, 'ascii'), signed])
    return { ...layout, protected: encoded, signature: sign(algorithm, key, input, options) }
  }
}

const dummySecret = new Uint8Array(32)

function checkable<Header extends JWSHeaderParameters>(header: Header): Header & { alg: string } {
  return { ...header, alg: 'HS256' }
}

/** @throws errors.JWSInvalid where the header does not become a JSON object that still names its algorithm */
function encodeHeader(header: JWSHeaderParameters): string {
  try {
    const json = JSON.stringify(header)
    const { alg } = JSON.parse(json) as JWSHeaderParameters
    if (alg === header.alg) return Buffer.from(json, 'utf8').toString('base64url')
  } catch (cause) {
    throw new JWSInvalid('JOSE Header is not valid JSON', { cause })
  }
  throw new JWSInvalid('JOSE Header is not a JSON object')
}

function sign(algorithm: JwsAlgorithm, key: KeyInput, input: Uint8Array, options?: SignOptions): string {
  return algorithm.sign(algorithm.toKey(key, 'sign'), input, options).toString('base64url')
}
