/**
 * Mainland mobile numbers, stored as E.164 (`+8613…`), shown 3-4-4 (PAGES "Names and numbers").
 */

import { AppError } from '#src/errors.ts'
import { compact } from './half-width.ts'

/**
 * Reads a mobile number as typed or pasted, with or without +86, 0086 or 86; gives E.164.
 * @throws AppError `phone_missing`, `phone_invalid`
 */
export function parsePhone(text: string): string {
  const given = compact(text).replace(/[()]/g, '')
  if (given === '') throw new AppError('phone_missing')
  const mobile = /^(?:\+86|0086|86)?(1[3-9]\d{9})$/.exec(given)?.[1]
  if (mobile === undefined) throw new AppError('phone_invalid')
  return `+86${mobile}`
}

/** `+8613…` as `13x xxxx xxxx`. */
export function groupPhone(phone: string): string {
  return national(phone).replace(/^(.{3})(.{4})(.{4})$/, '$1 $2 $3')
}

/** First three and last four digits. */
export function maskPhone(phone: string): string {
  const digits = national(phone)
  return `${digits.slice(0, 3)}****${digits.slice(-4)}`
}

function national(phone: string): string {
  return phone.replace(/^\+86/, '')
}
