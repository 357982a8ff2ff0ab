/**
 * Dates of birth and whole years of age in China's calendar (UTC+8, no summer time since 1992).
 * Dates are `YYYY-MM-DD`, which compare as text; instants are milliseconds since the epoch.
 */

const chinaOffset = 8 * 3_600_000

/** The day it is in China at that instant. */
export function dayInChina(now: number): string {
  return new Date(now + chinaOffset).toISOString().slice(0, 10)
}

/** The time of day in China at that instant, `HH:MM`. */
export function timeInChina(now: number): string {
  return new Date(now + chinaOffset).toISOString().slice(11, 16)
}

/** `YYYYMMDD` as `YYYY-MM-DD` where the Gregorian calendar has that day, else undefined. */
export function parseDate(digits: string): string | undefined {
  if (!/^\d{8}$/.test(digits)) return undefined
  const date = `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`
  const day = new Date(`${date}T00:00:00Z`)
  // Date rolls 30 February over into March; a day that comes back unchanged exists.
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date) ? date : undefined
}

/** Whole years; the birthday counts, and who was born on 29 February turns a year older on 1 March. */
export function ageOn(birthDate: string, now: number): number {
  const today = dayInChina(now)
  const years = Number(today.slice(0, 4)) - Number(birthDate.slice(0, 4))
  return today.slice(5) < birthDate.slice(5) ? years - 1 : years
}

/** A child in the sense of PIPL 31: a guardian acts for him or her. */
export function isUnder14(birthDate: string, now: number): boolean {
  return ageOn(birthDate, now) < 14
}
