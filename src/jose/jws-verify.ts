/**
 * Verifying a JSON Web Signature (RFC 7515 §5.2) with SGD_SM3_SM2; other algorithms go to upstream as they came.
 *
 * Upstream reads an SM2 token first and is given a key resolver: that runs after upstream has checked `crit`, `b64`,
 * the `algorithms` option and the shape, verifies the SM2 signature there, and leaves before upstream looks for an
 * algorithm it does not know. So these checks are upstream's own, to the word.
 */
import * as upstream from 'jose-upstream'
import type {
  CompactJWSHeaderParameters,
  CompactVerifyResult,
  FlattenedJWSInput,
  FlattenedVerifyResult,
  JWSHeaderParameters,
  KeyInput,
  ResolvedKey,
  VerifyOptions,
} from 'jose-upstream'
import { checkSm2Header, decodeCanonical, isUnencoded, namesSm2 } from './jws-header.ts'
import { isSm2Alg } from './names.ts'
import { sm2Verify } from './sm2.ts'
import { toSm2Key } from './sm2-key-input.ts'
import type { Sm2Key } from './sm2-key.ts'

const { JWSSignatureVerificationFailed } = upstream.errors

type Resolver = (header: CompactJWSHeaderParameters, token: FlattenedJWSInput) => KeyInput | Promise<KeyInput>
export type VerifyKey = KeyInput | Resolver

/** Thrown by the resolver to leave upstream once the signature has been verified. */
const VERIFIED = Symbol('verified')

/** What a verified SM2 token held, in upstream's words. */
interface Verified {
  readonly payload: Uint8Array
  readonly protectedHeader: CompactJWSHeaderParameters
  readonly unprotectedHeader?: JWSHeaderParameters
  readonly key?: Sm2Key
}

async function verifySm2(run: (resolver: Resolver) => Promise<unknown>, key: VerifyKey): Promise<Verified> {
  let verified: Verified | undefined
  try {
    await run(async (header, token) => {
      verified = await verifyToken(header, token, key)
      throw VERIFIED
    })
  } catch (error) {
    if (error !== VERIFIED) throw error
  }
  if (!verified) throw new JWSSignatureVerificationFailed()
  return verified
}

async function verifyToken(
  protectedHeader: CompactJWSHeaderParameters,
  token: FlattenedJWSInput,
  key: VerifyKey,
): Promise<Verified> {
  checkSm2Header(token.protected, protectedHeader)
  const resolved = typeof key === 'function'
  const sm2Key = toSm2Key(resolved ? await key(protectedHeader, token) : key, 'verify')
  const signature = decodeCanonical(token.signature, 'signature')
  const encoded = isUnencoded(protectedHeader) ? undefined : decodeCanonical(String(token.payload), 'payload')
  const signed = typeof token.payload === 'string' ? Buffer.from(token.payload, 'utf8') : token.payload
  const input = Buffer.concat([Buffer.from(`${token.protected}.`, 'ascii'), signed])
  if (!sm2Verify(sm2Key, input, signature)) throw new JWSSignatureVerificationFailed()
  return {
    payload: new Uint8Array(encoded ?? signed),
    protectedHeader,
    ...(token.header !== undefined && { unprotectedHeader: token.header }),
    ...(resolved && { key: sm2Key }),
  }
}

async function verifyCompact(
  jws: string | Uint8Array,
  key: VerifyKey,
  options?: VerifyOptions,
): Promise<CompactVerifyResult & Partial<ResolvedKey>> {
  if (!namesSm2(jws)) return upstream.compactVerify(jws, key, options)
  return verifySm2((resolver) => upstream.compactVerify(jws, resolver, options), key)
}

async function verifyFlattened(
  jws: FlattenedJWSInput,
  key: VerifyKey,
  options?: VerifyOptions,
): Promise<FlattenedVerifyResult & Partial<ResolvedKey>> {
  if (!namesSm2(jws) && !isSm2Alg(jws?.header?.alg)) return upstream.flattenedVerify(jws, key as KeyInput, options)
  return verifySm2((resolver) => upstream.flattenedVerify(jws, resolver as never, options), key)
}

/** As upstream's, and for SGD_SM3_SM2. */
export const compactVerify = verifyCompact as typeof upstream.compactVerify

/** As upstream's, and for SGD_SM3_SM2 where the protected header names it. */
export const flattenedVerify = verifyFlattened as typeof upstream.flattenedVerify
