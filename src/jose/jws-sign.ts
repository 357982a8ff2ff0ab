/**
 * Making a JSON Web Signature (RFC 7515 §5.1) with SGD_SM3_SM2; every other algorithm goes to the upstream package.
 */
import * as upstream from 'jose-upstream'
import type {
  CompactJWSHeaderParameters,
  FlattenedJWS,
  JWSHeaderParameters,
  KeyInput,
  SignOptions,
} from 'jose-upstream'
import { isUnencoded } from './jws-header.ts'
import { isSm2Alg } from './names.ts'
import { sm2Sign } from './sm2.ts'
import type { Sm2KeyInput } from './sm2.ts'

const { JWSInvalid } = upstream.errors

/** As upstream's, and for SGD_SM3_SM2. */
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
    if (!isSm2Alg(this.#header?.alg)) return super.sign(key, options)
    const header = this.#header as CompactJWSHeaderParameters
    // Upstream checks `crit` and refuses `b64: false`, on a signature that is thrown away; rare, so the cost is none.
    if (header.crit !== undefined)
      await new upstream.CompactSign(this.#payload).setProtectedHeader(checkable(header)).sign(dummySecret, options)
    const input = `${encodeHeader(header)}.${Buffer.from(this.#payload).toString('base64url')}`
    return `${input}.${signature(key, Buffer.from(input, 'ascii'))}`
  }
}

/** As upstream's, and for SGD_SM3_SM2 where the protected header names it. */
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
    if (!isSm2Alg(this.#header?.alg)) return super.sign(key, options)
    const header = this.#header as JWSHeaderParameters
    const checked = new upstream.FlattenedSign(this.#payload).setProtectedHeader(checkable(header))
    if (this.#unprotected) checked.setUnprotectedHeader(this.#unprotected)
    // Upstream checks both headers and lays out the result; only its protected header and signature are replaced.
    const layout = await checked.sign(dummySecret, options)
    const encoded = encodeHeader(header)
    const signed = isUnencoded(header) ? this.#payload : Buffer.from(layout.payload, 'ascii')
    return { ...layout, protected: encoded, signature: signature(key, Buffer.from(`${encoded}.`, 'ascii'), signed) }
  }
}

const dummySecret = new Uint8Array(32)

function checkable<Header extends JWSHeaderParameters>(header: Header): Header & { alg: string } {
  return { ...header, alg: 'HS256' }
}

/** @throws errors.JWSInvalid where the header does not become a JSON object that still names SM2 */
function encodeHeader(header: JWSHeaderParameters): string {
  try {
    const json = JSON.stringify(header)
    if (isSm2Alg((JSON.parse(json) as JWSHeaderParameters).alg)) return Buffer.from(json, 'utf8').toString('base64url')
  } catch (cause) {
    throw new JWSInvalid('JOSE Header is not valid JSON', { cause })
  }
  throw new JWSInvalid('JOSE Header is not a JSON object')
}

function signature(key: KeyInput, ...input: Uint8Array[]): string {
  return sm2Sign(key as Sm2KeyInput, Buffer.concat(input)).toString('base64url')
}
