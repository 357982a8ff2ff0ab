/**
 * Verifying a JSON Web Signature (RFC 7515 §5.2) with an SM algorithm; other tokens go to upstream as they came.
 *
 * Upstream reads an SM token first and is given a key resolver: that runs after upstream has checked `crit`, `b64`,
 * the `algorithms` option and the shape, verifies the SM signature there, and leaves before upstream looks for an
 * algorithm it does not know. So these checks are upstream's own, to the word.
 */
import * as upstream from 'jose-upstream'
import type {
  CompactJWSHeaderParameters,
  CompactVerifyGetKey,
  CompactVerifyResult,
  FlattenedJWSInput,
  FlattenedVerifyGetKey,
  FlattenedVerifyResult,
  GeneralJWSInput,
  GeneralVerifyGetKey,
  GeneralVerifyResult,
  JWSHeaderParameters,
  KeyInput,
  ResolvedKey,
} from 'jose-upstream'
import { optionsFor } from './dialect.ts'
import { verifyingAlgorithm } from './jws-algorithms.ts'
import type { JwsAlgorithm, VerifyOptions } from './jws-algorithms.ts'
import { checkLength, checkSmHeader, decodeCanonical, isUnencoded } from './jws-header.ts'

const { JWSSignatureVerificationFailed } = upstream.errors

type Resolver = (header: CompactJWSHeaderParameters, token: FlattenedJWSInput) => KeyInput | Promise<KeyInput>
export type VerifyKey = KeyInput | Resolver

/** Thrown by the resolver to leave upstream once the signature has been verified. */
const VERIFIED = Symbol('verified')

/** What a verified token held, in upstream's words. */
interface Verified {
  readonly payload: Uint8Array
  readonly protectedHeader: CompactJWSHeaderParameters
  readonly unprotectedHeader?: JWSHeaderParameters
  readonly key?: unknown
}

/**
 * Whether the header of a compact token, or of an object's signature, names an SM algorithm, protected or not.
 * @throws errors.JWSInvalid where the protected header is too long to be parsed at all
 */
export function isSmToken(token: unknown, options?: VerifyOptions): boolean {
  const { protected: encoded, header } = headersOf(token)
  checkLength(encoded)
  try {
    const shown = encoded === undefined ? {} : upstream.decodeProtectedHeader({ protected: encoded as string })
    return verifyingAlgorithm({ ...shown, ...header }.alg, options) !== undefined
  } catch {
    return false // one that does not parse is left to upstream, which says why
  }
}

function headersOf(token: unknown): { protected?: unknown; header?: JWSHeaderParameters } {
  // A token may come as bytes; only its first part is read here.
  const text = token instanceof Uint8Array ? Buffer.from(token).toString('latin1') : token
  if (typeof text === 'string') return { protected: text.slice(0, Math.max(text.indexOf('.'), 0)) }
  return typeof text === 'object' && text !== null ? text : {}
}

/** Runs upstream with a resolver that verifies SM signatures itself, and gives it the key for any other. */
async function verifyWith(
  run: (resolver: Resolver) => Promise<Verified>,
  key: VerifyKey,
  options?: VerifyOptions,
): Promise<Verified> {
  let verified: Verified | undefined
  try {
    const { key: found, ...result } = await run(async (header, token) => {
      if (verified) throw VERIFIED // of a general JWS, the first signature that holds is the one to return
      const algorithm = verifyingAlgorithm({ ...header, ...token.header }.alg, options)
      if (!algorithm) return typeof key === 'function' ? key(header, token) : key
      verified = await verifyToken(algorithm, header, token, key, options)
      throw VERIFIED
    })
    return typeof key === 'function' ? { ...result, key: found } : result
  } catch (error) {
    if (verified) return verified
    throw error
  }
}

async function verifyToken(
  algorithm: JwsAlgorithm,
  protectedHeader: CompactJWSHeaderParameters,
  token: FlattenedJWSInput,
  key: VerifyKey,
  options?: VerifyOptions,
): Promise<Verified> {
  checkSmHeader(token.protected, protectedHeader)
  const resolved = typeof key === 'function'
  // A key set knows the standard names only; the token's own spelling is in `token.protected`.
  const given = resolved ? await key({ ...protectedHeader, alg: algorithm.name }, token) : key
  const usable = algorithm.toKey(given, 'verify')
  const signature = decodeCanonical(token.signature, 'signature')
  const encoded = isUnencoded(protectedHeader) ? undefined : decodeCanonical(String(token.payload), 'payload')
  const signed = typeof token.payload === 'string' ? Buffer.from(token.payload, 'utf8') : token.payload
  const input = Buffer.concat([Buffer.from(`${token.protected}.`, 'ascii'), signed])
  if (!algorithm.verify(usable, input, signature, options)) throw new JWSSignatureVerificationFailed()
  return {
    payload: new Uint8Array(encoded ?? signed),
    protectedHeader,
    ...(token.header !== undefined && { unprotectedHeader: token.header }),
    ...(resolved && { key: usable }),
  }
}

async function verifyCompact(jws: string | Uint8Array, key: VerifyKey, given?: VerifyOptions): Promise<unknown> {
  const options = optionsFor(key, given)
  if (!isSmToken(jws, options)) return upstream.compactVerify(jws, key, options)
  return verifyWith((resolver) => upstream.compactVerify(jws, resolver, options), key, options)
}

async function verifyFlattened(jws: FlattenedJWSInput, key: VerifyKey, given?: VerifyOptions): Promise<unknown> {
  const options = optionsFor(key, given)
  if (!isSmToken(jws, options)) return upstream.flattenedVerify(jws, key as KeyInput, options)
  return verifyWith((resolver) => upstream.flattenedVerify(jws, resolver as never, options) as never, key, options)
}

async function verifyGeneral(jws: GeneralJWSInput, key: VerifyKey, given?: VerifyOptions): Promise<unknown> {
  const options = optionsFor(key, given)
  const signatures: unknown = jws?.signatures
  if (!Array.isArray(signatures) || !signatures.some((signature) => isSmToken(signature, options)))
    return upstream.generalVerify(jws, key as KeyInput, options)
  return verifyWith((resolver) => upstream.generalVerify(jws, resolver as never, options) as never, key, options)
}

/** Upstream's overloads, and one with our option. */
type Verify<Jws, GetKey, Result> = (
  jws: Jws,
  key: KeyInput | GetKey,
  options: VerifyOptions,
) => Promise<Result & Partial<ResolvedKey>>

/** As upstream's, and for the SM algorithms, with `sm2Signature` among the options. */
export const compactVerify = verifyCompact as typeof upstream.compactVerify &
  Verify<string | Uint8Array, CompactVerifyGetKey, CompactVerifyResult>

/** As `compactVerify`; the protected header must name the algorithm. */
export const flattenedVerify = verifyFlattened as typeof upstream.flattenedVerify &
  Verify<FlattenedJWSInput, FlattenedVerifyGetKey, FlattenedVerifyResult>

/** As `flattenedVerify`, for signatures of SM and other algorithms side by side. */
export const generalVerify = verifyGeneral as typeof upstream.generalVerify &
  Verify<GeneralJWSInput, GeneralVerifyGetKey, GeneralVerifyResult>
