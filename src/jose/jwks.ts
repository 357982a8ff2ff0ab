/**
 * JSON Web Key Sets (RFC 7517 §5) with SM2 keys among the others. Fetching, caching, cool-down and every other
 * algorithm stay upstream's; here only the SM2 key of a set is chosen, by the same rules.
 */
import * as upstream from 'jose-upstream'
import type {
  FlattenedJWSInput,
  JSONWebKeySet,
  JWK,
  JWSHeaderParameters,
  LocalJWKSet,
  RemoteJWKSet,
  RemoteJWKSetOptions,
} from 'jose-upstream'
import { isSm2Alg } from './names.ts'
import { isSm2Jwk } from './sm2-key.ts'
import type { Sm2Key } from './sm2-key.ts'
import { isKeyOps, toSm2Key } from './sm2-key-input.ts'

const { JWKSInvalid, JWKSMultipleMatchingKeys, JWKSNoMatchingKey } = upstream.errors

/** As upstream's, and for `SGD_SM3_SM2`. */
export function createLocalJWKSet(jwks: JSONWebKeySet): LocalJWKSet {
  const set = upstream.createLocalJWKSet(jwks)
  const { keys } = set.jwks()
  const choose = async (header?: JWSHeaderParameters, token?: FlattenedJWSInput) =>
    isSm2(header, token) ? chooseSm2(keys, header, token) : set(header, token)
  return Object.defineProperty(choose, 'jwks', { value: set.jwks }) as typeof choose & Pick<LocalJWKSet, 'jwks'>
}

/** As upstream's, and for `SGD_SM3_SM2`: the set is fetched again once for a `kid` it does not hold. */
export function createRemoteJWKSet(url: URL, options?: RemoteJWKSetOptions): RemoteJWKSet {
  // Upstream puts a new object into the cache at every fetch: by that the SM2 keys are known to be of the same fetch.
  const cache = (options?.[upstream.jwksCache] ?? {}) as { jwks?: unknown }
  const set = upstream.createRemoteJWKSet(url, { ...options, [upstream.jwksCache]: cache as never })
  let fetched: unknown
  let keys: readonly JWK[] = []

  const current = (): readonly JWK[] => {
    if (fetched === undefined || fetched !== cache.jwks) {
      keys = set.jwks()?.keys ?? []
      fetched = cache.jwks
    }
    return keys
  }

  const choose = async (header?: JWSHeaderParameters, token?: FlattenedJWSInput) => {
    if (!isSm2(header, token)) return set(header, token)
    if (!set.fresh) await set.reload()
    try {
      return chooseSm2(current(), header, token)
    } catch (error) {
      if (!(error instanceof JWKSNoMatchingKey) || set.coolingDown) throw error
      await set.reload()
      return chooseSm2(current(), header, token)
    }
  }
  const { fresh, coolingDown, reload, reloading, jwks } = Object.getOwnPropertyDescriptors(set)
  return Object.defineProperties(choose, { fresh, coolingDown, reload, reloading, jwks }) as unknown as RemoteJWKSet
}

function isSm2(header?: JWSHeaderParameters, token?: FlattenedJWSInput): boolean {
  return isSm2Alg({ ...header, ...token?.header }.alg)
}

function chooseSm2(keys: readonly JWK[], header?: JWSHeaderParameters, token?: FlattenedJWSInput): Sm2Key {
  const { alg, kid } = { ...header, ...token?.header }
  const candidates = keys.filter((jwk) => isUsable(jwk, alg, kid))
  const [first, second] = candidates
  if (!first) throw new JWKSNoMatchingKey()
  if (!second) return importMember(first)
  const error = new JWKSMultipleMatchingKeys()
  error[Symbol.asyncIterator] = async function* () {
    for (const jwk of candidates) {
      try {
        yield importMember(jwk)
      } catch {
        // one bad member does not hide the others
      }
    }
  }
  throw error
}

function isUsable(jwk: JWK, alg: unknown, kid: unknown): boolean {
  return (
    jwk.kty === 'EC' &&
    isSm2Jwk(jwk) &&
    (kid === undefined || (typeof kid === 'string' && kid === jwk.kid)) &&
    (jwk.alg === undefined || jwk.alg === alg) &&
    (jwk.use === undefined || jwk.use === 'sig') &&
    (jwk.ext === undefined || typeof jwk.ext === 'boolean') &&
    (jwk.key_ops === undefined || isKeyOps(jwk.key_ops, 'verify'))
  )
}

function importMember(jwk: JWK): Sm2Key {
  if (jwk.d !== undefined) throw new JWKSInvalid('JSON Web Key Set members must be public keys')
  return toSm2Key(jwk, 'verify')
}
