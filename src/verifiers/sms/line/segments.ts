/**
 * A text as short messages of 140 bytes in UCS-2 (big-endian): one of up to 70 characters, or parts of up to 67 behind a
 * user data header that numbers them (3GPP TS 23.040 §9.2.3.24.1). English goes the same way: no alphabet to negotiate.
 */
export interface Segment {
  readonly content: Buffer
  readonly number: number
  readonly total: number
}

const unsplit = 70
const part = 67

const bigEndian = (text: string) => Buffer.from(text, 'utf16le').swap16()

/** @param id tells the parts of one text from those of another, 0–255 */
export function segmentsOf(text: string, id: number): readonly Segment[] {
  if (text.length <= unsplit) return [{ content: bigEndian(text), number: 1, total: 1 }]
  const parts: string[] = []
  for (let at = 0; at < text.length; at += parts.at(-1)?.length ?? 1) {
    const cut = text.slice(at, at + part)
    // A character of two halves stays whole (CJK Extension B and later).
    parts.push(/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut)
  }
  return parts.map((cut, index) => {
    const header = Buffer.from([5, 0, 3, id, parts.length, index + 1])
    return { content: Buffer.concat([header, bigEndian(cut)]), number: index + 1, total: parts.length }
  })
}

/** The ids of split texts, in turn. */
export function createPartCounter(): () => number {
  let id = 0
  return () => (id = (id + 1) % 256)
}
