/**
 * Levels of assurance (DESIGN D8), ordered: 1 registered, 2 real name, 3 real person, 4 certificate or in person.
 */

export type Level = 1 | 2 | 3 | 4

export const levels: readonly Level[] = [1, 2, 3, 4]

/** The level as an OIDC `acr` value. */
export function acrOf(level: Level): string {
  return `urn:yihao:loa:${level}`
}

export function levelOfAcr(acr: string): Level | undefined {
  return levels.find((level) => acrOf(level) === acr)
}

/** A session is never better than the proofing of its account, nor than the cap of the method used now. */
export function sessionLevel(proofing: Level, cap: Level): Level {
  return proofing < cap ? proofing : cap
}

/** A higher level satisfies a request for a lower one; the engine's exact match would not (DESIGN, trap 6). */
export function enough(have: Level, asked: Level): boolean {
  return have >= asked
}
