/**
 * JWK thumbprints (RFC 7638): upstream's, of SM2 keys too, and with SM3 where the caller asks for it.
 */
import * as upstream from 'jose-upstream'
import type { CryptoKey, JWK, KeyObject } from 'jose-upstream'
import { exportJWK, jwkOfSm2 } from './keys.ts'
import { sm3 } from './sm3.ts'

type Digest = 'sha256' | 'sha384' | 'sha512'

/** The members of RFC 7638 §3.2, RFC 8037 §2 and RFC 9964, in the order of their names. */
const required: Readonly<Record<string, readonly (keyof JWK)[]>> = {
  AKP: ['alg', 'kty', 'pub'],
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
  oct: ['k', 'kty'],
}

/** As upstream's, for an `Sm2Key` too, and with the digest `sm3` too. The default stays SHA-256 (RFC 7638). */
export async function calculateJwkThumbprint(
  key: JWK | CryptoKey | KeyObject,
  digest?: Digest | 'sm3',
): Promise<string> {
  const given = jwkOfSm2(key) ?? key
  if (digest !== 'sm3') return upstream.calculateJwkThumbprint(given, digest)
  await upstream.calculateJwkThumbprint(given) // says what is wrong with a key that has none
  const jwk: JWK = 'kty' in given ? given : await exportJWK(given as CryptoKey | KeyObject)
  const names = required[jwk.kty as string] ?? []
  return sm3(JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]])))).toString('base64url')
}

/** As upstream's, and for an `Sm2Key`; not with SM3, which has no name registered for it (RFC 9278 §3). */
export async function calculateJwkThumbprintUri(key: JWK | CryptoKey | KeyObject, digest?: Digest): Promise<string> {
  return upstream.calculateJwkThumbprintUri(jwkOfSm2(key) ?? key, digest)
}
