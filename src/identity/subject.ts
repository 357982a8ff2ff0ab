/**
 * Pairwise subjects (OpenID Connect Core §8.1, DESIGN D7): a person is somebody else to each sector, and no two
 * sectors can tell that they speak of the same one. The keyed MAC is an argument, so that this room stays pure.
 */

import { AppError } from '#src/errors.ts'

/** A registered sector: lower-case labels as in a host name, 1–253 characters; never changed once given. */
export function isSector(text: string): boolean {
  return text.length <= 253 && /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?(\.[a-z\d]([a-z\d-]{0,61}[a-z\d])?)*$/.test(text)
}

/**
 * The `sub` of a person in a sector, base64url.
 * @param mac keyed MAC of a text, at least 128 bits
 * @throws AppError `config_invalid` where the sector is not one, or the MAC is too short
 */
export async function pairwiseSubject(
  mac: (text: string) => Promise<Buffer>,
  sector: string,
  personId: string,
): Promise<string> {
  if (!isSector(sector)) throw new AppError('config_invalid', { detail: 'sector' })
  // A sector holds no line break, so the three parts cannot run into each other.
  const subject = await mac(`yihao pairwise subject v1\n${sector}\n${personId}`)
  if (subject.length < 16) throw new AppError('config_invalid', { detail: 'MAC of the pairwise subject' })
  return subject.toString('base64url')
}
