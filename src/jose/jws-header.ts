/**
 * What the header and the encoding of an SM token are held to beyond the upstream package's checks.
 */
import { errors } from 'jose-upstream'
import type { JWSHeaderParameters } from 'jose-upstream'

const { JWSInvalid } = errors

/** The longest encoded protected header: room for a chain of certificates, and no more. */
export const MAX_HEADER = 16_384

/**
 * Of a token of any algorithm, since which one it is only the parsed header tells.
 * @throws errors.JWSInvalid where the encoded header is longer than 16 KiB
 */
export function checkLength(encoded: unknown): void {
  if (typeof encoded === 'string' && encoded.length > MAX_HEADER)
    throw new JWSInvalid('JWS Protected Header is too long')
}

/**
 * @throws errors.JWSInvalid where the encoded header is not canonical base64url, does not protect `alg`, or names a
 *   member twice (RFC 7515 §4: the names MUST be unique; a parser that takes the first would see another token)
 */
export function checkSmHeader(encoded: string | undefined, header: JWSHeaderParameters): asserts encoded is string {
  if (encoded === undefined || header.alg === undefined)
    throw new JWSInvalid('JWS "alg" (Algorithm) Header Parameter MUST be integrity protected')
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
