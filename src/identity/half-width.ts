/**
 * Folding of what people type or paste into a number field: full-width forms become ASCII by an explicit map.
 * Never NFKC, which would also rewrite characters we do not know about (PAGES "Names and numbers").
 */

/** Full-width ASCII variants (U+FF01–FF5E) become ASCII, U+3000 a space; all else stays. */
export function halfWidth(text: string): string {
  return text
    .replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .replaceAll('\u3000', ' ')
}

/** Half-width, upper case in ASCII only, without spaces, hyphens, dashes and the invisible marks that pasting brings. */
export function compact(text: string): string {
  return halfWidth(text)
    .replace(/[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\u002d\u2010-\u2015\u2212]/g, '')
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
}
