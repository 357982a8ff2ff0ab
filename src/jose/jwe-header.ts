/**
 * Which JWE are ours, and under which names upstream reads and writes them.
 *
 * Upstream knows no SM name, but its checks of a JWE do not depend on which algorithm is named, only on its kind. So
 * it is shown the same JWE under stand-ins of the same kind, a key encryption for SM2 and a cipher for SM4: what it
 * refuses is refused in its own words. The stand-ins never leave this process, and no key of a caller meets them.
 */
import { decodeProtectedHeader, errors } from 'jose-upstream'
import type { FlattenedJWE, JWEHeaderParameters } from 'jose-upstream'
import { countMembers, countNames, MAX_HEADER } from './jws-header.ts'
import { SGD_SM2_3, SGD_SM4_GCM } from './names.ts'

const { JOSENotSupported, JWEInvalid } = errors

/** The algorithms a JWE names, in whichever of its headers. */
export interface Algorithms {
  readonly alg?: unknown
  readonly enc?: unknown
}

const standIns: ReadonlyMap<unknown, string> = new Map([
  [SGD_SM2_3, 'A128KW'], // carries a key that is drawn apart, as SM2 does; its own secret is drawn for each use
  [SGD_SM4_GCM, 'A128GCM'], // the same lengths of key, initialization vector and tag
])

/** The name upstream is shown. */
export function standInFor<Name>(name: Name): Name | string {
  return standIns.get(name) ?? name
}

/** Whether this package has to do with it: SM2 carries the key, or SM4 uses the key directly. */
export function isSmJwe({ alg, enc }: Algorithms): boolean {
  return alg === SGD_SM2_3 || (alg === 'dir' && enc === SGD_SM4_GCM)
}

/** @throws errors.JOSENotSupported for SM4 under a key management of upstream's, which gives its key to nobody */
export function refuseMixture({ alg, enc }: Algorithms): void {
  if (enc === SGD_SM4_GCM && typeof alg === 'string' && !isSmJwe({ alg, enc }))
    throw new JOSENotSupported(`"${SGD_SM4_GCM}" is supported with the "alg" ${SGD_SM2_3} and dir`)
}

/**
 * The algorithms of a flattened JWE; of one that does not parse, none: upstream says what is wrong with it.
 * @throws errors.JWEInvalid where the protected header is too long to be parsed at all
 */
export function algorithmsOf(jwe: Partial<FlattenedJWE> | null | undefined): Algorithms {
  const encoded: unknown = jwe?.protected
  if (typeof encoded === 'string' && encoded.length > MAX_HEADER)
    throw new JWEInvalid('JWE Protected Header is too long')
  try {
    const header = encoded === undefined ? {} : decodeProtectedHeader({ protected: encoded })
    return { ...header, ...jwe?.unprotected, ...jwe?.header } as Algorithms
  } catch {
    return {}
  }
}

/** The header with stand-ins for the SM names; one without them is returned as it is. */
export function standIn<Header extends JWEHeaderParameters | undefined>(header: Header): Header {
  if (!header || !(standIns.has(header.alg) || standIns.has(header.enc))) return header
  return { ...header, ...replaced(header, standInFor(header.alg), standInFor(header.enc)) }
}

/** The header with its own names again. */
export function restored<Header extends JWEHeaderParameters | undefined>(header: Header, named: Algorithms): Header {
  return header && { ...header, ...replaced(header, named.alg, named.enc) }
}

function replaced(header: JWEHeaderParameters, alg: unknown, enc: unknown): object {
  return { ...(header.alg !== undefined && { alg }), ...(header.enc !== undefined && { enc }) }
}

/** The list of an option, such that upstream finds the stand-in where the list allows the name, and nowhere else. */
export function standInList<List>(allowed: List, name: unknown): List {
  if (!Array.isArray(allowed) || allowed.some((item) => typeof item !== 'string')) return allowed
  return (allowed.includes(name) ? [standInFor(name)] : []) as List
}

export function encodeHeader(header: JWEHeaderParameters): string {
  return Buffer.from(JSON.stringify(header), 'utf8').toString('base64url')
}

/**
 * The protected header, decoded.
 * @throws errors.JWEInvalid where it is not canonical base64url, or names a member twice (RFC 7516 §4: the names MUST
 *   be unique; a parser that takes the first would see another JWE than ours)
 */
export function protectedHeaderOf(encoded: string | undefined): JWEHeaderParameters | undefined {
  if (encoded === undefined) return undefined
  const text = decodeCanonical(encoded, 'JWE Protected Header').toString('utf8')
  const header = JSON.parse(text) as JWEHeaderParameters
  if (countNames(text) !== countMembers(header)) throw new JWEInvalid('JWE Protected Header names a member twice')
  return header
}

/**
 * The bytes of a base64url text that has no other spelling: no padding, no white space, no set unused bits.
 * @throws errors.JWEInvalid for any other text
 */
export function decodeCanonical(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw new JWEInvalid(`Failed to base64url decode the ${what}`)
  return bytes
}
