/**
 * 统一社会信用代码, the number of a legal person (GB 32100-2015): one character for the registering department,
 * one for the class, six digits of region, nine of the organisation code, one check character (MOD 31).
 * It is read and checked here and nothing more: nobody signs in as a legal person yet, so it is no `DocumentKind`.
 */

import { AppError } from '#src/errors.ts'
import { compact } from './half-width.ts'

declare const brand: unique symbol
export type CreditCode = string & { readonly [brand]: 'CreditCode' }

/** The standard leaves out I, O, S, V, Z. */
const alphabet = '0123456789ABCDEFGHJKLMNPQRTUWXY'

/** @throws AppError `number_missing`, `number_length`, `number_characters`, `number_check` */
export function parseCreditCode(text: string): CreditCode {
  const code = compact(text)
  if (code === '') throw new AppError('number_missing')
  if (/[^0-9A-HJ-NPQRTUWXY]/.test(code)) throw new AppError('number_characters')
  if (code.length !== 18) throw new AppError('number_length')
  if (!/^..\d{6}/.test(code)) throw new AppError('number_characters')
  if (!code.endsWith(creditCheck(code.slice(0, 17)))) throw new AppError('number_check')
  return code as CreditCode
}

/** The check character of 17 characters: the weight of place i is 3^i mod 31. */
export function creditCheck(body: string): string {
  let sum = 0
  let weight = 1
  for (const character of body) {
    sum += alphabet.indexOf(character) * weight
    weight = (weight * 3) % 31
  }
  return alphabet.charAt((31 - (sum % 31)) % 31)
}
