/**
 * JSON Web Token (RFC 7519) with an SM algorithm. The claims are built and checked by the upstream package itself: its
 * unsecured JWT takes the same options and throws the same errors, and is given only claims whose signature held.
 */
import * as upstream from 'jose-upstream'
import type {
  JWTHeaderParameters,
  JWTPayload,
  JWTVerifyGetKey,
  JWTVerifyResult,
  KeyInput,
  ResolvedKey,
} from 'jose-upstream'
import { optionsFor } from './dialect.ts'
import { signingAlgorithm } from './jws-algorithms.ts'
import type { JWTVerifyOptions, SignOptions } from './jws-algorithms.ts'
import { isUnencoded } from './jws-header.ts'
import { CompactSign } from './jws-sign.ts'
import { compactVerify, isSmToken } from './jws-verify.ts'
import type { VerifyKey } from './jws-verify.ts'

const { JWTInvalid } = upstream.errors

async function verifyJwt(jwt: string | Uint8Array, key: VerifyKey, given?: JWTVerifyOptions): Promise<unknown> {
  const options = optionsFor(key, given)
  if (!isSmToken(jwt, options)) return upstream.jwtVerify(jwt, key, options)
  const verified = await compactVerify(jwt, key, options)
  if (isUnencoded(verified.protectedHeader)) throw new JWTInvalid('JWTs MUST NOT use unencoded payload')
  const header = Buffer.from(JSON.stringify({ alg: 'none', typ: verified.protectedHeader.typ })).toString('base64url')
  const claims = Buffer.from(verified.payload).toString('base64url')
  const { payload } = upstream.UnsecuredJWT.decode(`${header}.${claims}.`, options)
  return { ...verified, payload }
}

interface JwtVerify {
  <Payload = JWTPayload>(
    jwt: string | Uint8Array,
    key: KeyInput | JWTVerifyGetKey,
    options: JWTVerifyOptions,
  ): Promise<JWTVerifyResult<Payload> & Partial<ResolvedKey>>
}

/** As upstream's, and for the SM algorithms, with `sm2Signature` among the options. */
export const jwtVerify = verifyJwt as typeof upstream.jwtVerify & JwtVerify

/** As upstream's, and for the SM algorithms. */
export class SignJWT extends upstream.SignJWT {
  #header: JWTHeaderParameters | undefined

  override setProtectedHeader(header: JWTHeaderParameters): this {
    super.setProtectedHeader(header)
    this.#header = header
    return this
  }

  override async sign(key: KeyInput, options?: SignOptions): Promise<string> {
    if (!signingAlgorithm(this.#header?.alg)) return super.sign(key, options)
    const header = this.#header as JWTHeaderParameters
    if (isUnencoded(header)) throw new JWTInvalid('JWTs MUST NOT use unencoded payload')
    // Upstream keeps the claims by builder and not by class: its unsecured JWT serialises those of this object.
    const unsecured = upstream.UnsecuredJWT.prototype.encode.call(this as unknown as upstream.UnsecuredJWT)
    const claims = Buffer.from(unsecured.split('.')[1] as string, 'base64url')
    return new CompactSign(claims).setProtectedHeader(header).sign(key, options)
  }
}
