/**
 * The drawn people of `portraits/`: whose card has which of them, and how a card's photo says so. Its 1,024 bytes are in
 * no format of the police's; they name the portrait, and the fake decoder (`decode-photo.ts`) looks it up.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const portraits = ['ash', 'birch', 'cedar', 'maple'] as const
export type Portrait = (typeof portraits)[number]
export const shots = ['front', 'left', 'right', 'mouth', 'card'] as const
export type Shot = (typeof shots)[number]

const directory = join(import.meta.dirname, '../portraits')
const mark = 'PORTRAIT OF NOBODY: '

/** A JPEG. */
export const pictureOf = (portrait: Portrait, shot: Shot): Buffer =>
  readFileSync(join(directory, `${portrait}-${shot}.jpg`))
/** The wall behind whoever is not there. */
export const emptyPicture = (): Buffer => readFileSync(join(directory, 'nobody.jpg'))

const sumOf = (key: string) => [...key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)

/** Whose portrait is on the card of a person of the cast: always the same one. */
export const portraitOf = (key: string): Portrait => portraits[sumOf(key) % portraits.length] as Portrait

export const otherThan = (portrait: Portrait): Portrait =>
  portraits[(portraits.indexOf(portrait) + 1) % portraits.length] as Portrait

export const photoOf = (portrait: Portrait): Buffer => Buffer.alloc(1024, `${mark}${portrait}`.padEnd(32, '.'))

/** Undefined where the bytes name none. */
export function portraitIn(photo: Uint8Array): Portrait | undefined {
  const said = Buffer.from(photo.buffer, photo.byteOffset, photo.length).toString('latin1')
  return portraits.find((portrait) => said.startsWith(`${mark}${portrait}.`))
}
