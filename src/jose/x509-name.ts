/**
 * The attributes of a name (RFC 5280 §4.1.2.4, X.520) as text, and the strings that stand in extensions. Strict: what
 * could be read in two ways, TeletexString and the like, is not read.
 */
import { OBJECT_IDENTIFIER, SEQUENCE, take, takeLast } from './der.ts'

export interface Attribute {
  /** Dotted, as in 2.5.4.3 for the common name. */
  readonly id: string
  readonly text: string
}

const SET = 0x31

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf16 = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true })

function ascii(value: Buffer, allowed: RegExp): string {
  const text = value.toString('latin1')
  if (!allowed.test(text)) throw new TypeError('certificate: a character that its string type has not got')
  return text
}

/** By tag: UTF8String, NumericString, PrintableString, IA5String, BMPString. */
const strings: Readonly<Record<number, (value: Buffer) => string>> = {
  0x0c: (value) => utf8.decode(value),
  0x12: (value) => ascii(value, /^[0-9 ]*$/),
  // With the characters that PrintableString lacks and that authorities use in it all the same.
  0x13: (value) => ascii(value, /^[A-Za-z0-9 '()+,./:=?@*&_-]*$/),
  0x16: (value) => ascii(value, /^[\x20-\x7e]*$/),
  0x1e: (value) => utf16.decode(value),
}

/** @throws TypeError where it is no string of a known type with nothing behind */
export function readString(element: Buffer): string {
  const tag = element[0] ?? 0
  const read = strings[tag]
  if (!read) throw new TypeError('certificate: a string of an unknown type')
  return read(takeLast(tag, element))
}

/** Dotted form of an OBJECT IDENTIFIER's content (X.690 §8.19). */
export function dotted(content: Buffer): string {
  const arcs: number[] = []
  let arc = 0
  for (const octet of content) {
    if (arc === 0 && octet === 0x80) throw new TypeError('certificate: an identifier is not minimal')
    arc = arc * 128 + (octet & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) throw new TypeError('certificate: an identifier is too long')
    if (octet < 0x80) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [first] = arcs
  if (first === undefined || (content.at(-1) ?? 0x80) >= 0x80) throw new TypeError('certificate: no identifier')
  const top = Math.min(Math.floor(first / 40), 2)
  return [top, first - top * 40, ...arcs.slice(1)].join('.')
}

/**
 * The attributes of a name in order; those whose strings are not understood are left out.
 * @throws TypeError where it is no name
 */
export function readName(name: Buffer): readonly Attribute[] {
  const attributes: Attribute[] = []
  for (let rest = takeLast(SEQUENCE, name); rest.length > 0;) {
    const [relative, others] = take(SET, rest)
    for (let parts = relative; parts.length > 0;) {
      const [part, more] = take(SEQUENCE, parts)
      const [id, value] = take(OBJECT_IDENTIFIER, part)
      if (strings[value[0] ?? 0]) attributes.push({ id: dotted(id), text: readString(value) })
      parts = more
    }
    rest = others
  }
  return attributes
}
