/**
 * Names as they are stored, compared and masked (PAGES "Names and numbers"). What is stored is never normalised by
 * Unicode: NFC and NFKC rewrite compatibility ideographs. Old private-use code points are read only when comparing.
 */

import { AppError } from '#src/errors.ts'
import { halfWidth } from './half-width.ts'

/**
 * GB 18030: what GBK's FE50–FEA0 came to be. Their private-use code points run on from U+E815,
 * so 䶮 (FE9F) was U+E863; old cards, fonts and databases still hold those.
 */
const privateUse = [
  ...'⺁𠂇𠂉𠃌⺄㑳㑇⺈⺋龴㖞㘚㘎⺌⺗㥮㤘龵㧏㧟㩳㧐龶龷㭎㱮㳠⺧𡗗龸⺪䁖䅟⺮䌷⺳⺶⺷𢦏䎱䎬⺻䏝䓖䙡䙌龹',
  ...'䜣䜩䝼䞍⻊䥇䥺䥽䦂䦃䦅䦆䦟䦛䦷䦶龺𤇾䲣䲟䲠䲡䱷䲢䴓䴔䴕䴖䴗䴘䴙䶮龻',
]

/** What keyboards, readers and other systems put for the middle dot U+00B7. */
const dots = /[\u0387\u02d9\u2022\u2024\u2027\u2219\u22c5\u2e31\u30fb\uff0e\uff65]/g
const fullStopInHan = /(?<=\p{Script=Han})[ ]?\.[ ]?(?=\p{Script=Han})/gu
const invisible = /(?!\p{Variation_Selector})\p{Default_Ignorable_Code_Point}/u
// Planes 2 and 3 belong to ideographs; those younger than this runtime's Unicode are names already.
const letter = String.raw`\p{L}\p{Co}\p{Script=Han}\u{20000}-\u{2fffd}\u{30000}-\u{3fffd}`
const shape = new RegExp(`^['’]?[${letter}][${letter}\\p{M}· '‘’.,-]*$`, 'u')

/**
 * A name as it is stored: trimmed, space runs to one space, every middle dot U+00B7; 1–100 code points.
 * @throws AppError `name_missing`, `name_length`, `name_characters`
 */
export function parseName(text: string): string {
  const name = foldDots(text.trim().replace(/\s+/g, ' '))
  if (name === '') throw new AppError('name_missing')
  if ([...name].length > 100) throw new AppError('name_length')
  if (!shape.test(name) || invisible.test(name)) throw new AppError('name_characters')
  return name
}

/**
 * Whether two names are one: ideographs exactly (private-use ones by what they stand for), Latin letters whatever
 * their case, width and composition, and without regard to spaces and the comma after a surname.
 */
export function sameName(a: string, b: string): boolean {
  const key = comparable(a)
  return key !== '' && key === comparable(b)
}

/** The last character only, marks and variation selectors with it; of a single character, none. */
export function maskName(name: string): string {
  const characters = name.match(/\P{M}\p{M}*/gu) ?? []
  return characters.map((character, place) => (place > 0 && place === characters.length - 1 ? character : '*')).join('')
}

function foldDots(name: string): string {
  return name.replace(dots, '·').replace(fullStopInHan, '·').replace(/ ?· ?/g, '·')
}

function comparable(name: string): string {
  const known = name.replace(/[\ue815-\ue864]/g, (old) => privateUse[old.charCodeAt(0) - 0xe815] ?? old)
  return halfWidth(foldDots(known.replace(/\s/g, '')))
    .replaceAll(',', '')
    .replace(/[‘’\u02bc]/g, "'")
    .replace(/[\p{Script=Latin}\p{M}]+/gu, (run) => run.normalize('NFC').toUpperCase())
}
