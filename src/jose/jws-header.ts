/**
 * What the header of an SM2 token is held to beyond the upstream package's checks, and how its algorithm is told.
 */
import { decodeProtectedHeader, errors } from 'jose-upstream'
import type { JWSHeaderParameters } from 'jose-upstream'
import { isSm2Alg } from './names.ts'

const { JWSInvalid } = errors

/** The longest encoded protected header: room for a chain of certificates, and no more. */
export const MAX_HEADER = 16_384

/** Whether this token names an SM algorithm. One that does not parse is left to upstream, which says why. */
export function namesSm2(token: unknown): boolean {
  try {
    // A token may come as bytes; only its first part is read here.
    const text = token instanceof Uint8Array ? Buffer.from(token).toString('latin1') : token
    return isSm2Alg(decodeProtectedHeader(text as string).alg)
  } catch {
    return false
  }
}

/**
 * @throws errors.JWSInvalid where the encoded header is longer than 16 KiB, not canonical base64url, does not protect
 *   `alg`, or names a member twice (RFC 7515 §4: the names MUST be unique; a parser that takes the first would see
 *   another token than ours)
 */
export function checkSm2Header(encoded: string | undefined, header: JWSHeaderParameters): void {
  if (encoded === undefined || !isSm2Alg(header.alg))
    throw new JWSInvalid('JWS "alg" (Algorithm) Header Parameter MUST be integrity protected')
  if (encoded.length > MAX_HEADER) throw new JWSInvalid('JWS Protected Header is too long')
  const text = decodeCanonical(encoded, 'JWS Protected Header').toString('utf8')
  // The parsed header holds each name once; so does its text, or a name was dropped on the way.
  if (countNames(text) !== countMembers(header)) throw new JWSInvalid('JWS Protected Header names a member twice')
}

/** How many members all objects of a valid JSON text name: its strings that a colon follows. */
export function countNames(json: string): number {
  return [...json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon).length
}

/** The same of the parsed value; without recursion, for a header may be nested as deep as it is long. */
export function countMembers(header: object): number {
  let count = 0
  const open: unknown[] = [header]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null) continue
    const children: unknown[] = Object.values(value)
    if (!Array.isArray(value)) count += children.length
    open.push(...children)
  }
  return count
}

/** RFC 7797: `b64: false` counts only where `crit` lists it. */
export function isUnencoded(header: JWSHeaderParameters): boolean {
  return header.crit?.includes('b64') === true && header.b64 === false
}

/** The bytes of a base64url text that has no other spelling: no padding, no white space, no set unused bits. */
export function decodeCanonical(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw new JWSInvalid(`Failed to base64url decode the ${what}`)
  return bytes
}
