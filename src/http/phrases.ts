/**
 * Where a Chinese heading may break: between words, never inside one. Browsers break Chinese after any character; the
 * stylesheet's `word-break: keep-all` leaves them the places marked here and those beside punctuation.
 */
const segmenter = new Intl.Segmenter('zh', { granularity: 'word' })
const mayBreak = '\u200b'

/** The dictionary takes words it does not know apart, so that a single character may be half of one. */
const isWord = (segment: string): boolean => /^\p{Script=Han}{2,}$/u.test(segment)
const closes = /[\p{Pe}\p{Pf}]$/u
const begins = /^(?!的)\p{Script=Han}/u

const parted = (before: string, after: string): boolean =>
  (isWord(before) && isWord(after)) || (closes.test(before) && begins.test(after))

/** The text with an invisible break opportunity (U+200B) between words; text without Chinese is left as it is. */
export function phrases(text: string): string {
  const segments = [...segmenter.segment(text)].map(({ segment }) => segment)
  return segments
    .map((segment, at) => (parted(segments[at - 1] ?? '', segment) ? mayBreak + segment : segment))
    .join('')
}
