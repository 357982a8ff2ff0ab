/**
 * How well a threshold parts the same person's pictures from other people's. Pure: descriptors in, a report out; it names
 * no picture and nobody.
 */
import { distanceOf } from './watching.ts'

export interface Distances {
  /** Of each two pictures of one person, and of each two of different people; sorted. */
  readonly genuine: readonly number[]
  readonly impostor: readonly number[]
}

export function distancesOf(people: readonly (readonly Float32Array[])[]): Distances {
  const all = people.flatMap((pictures, person) => pictures.map((picture) => ({ person, picture })))
  const [genuine, impostor]: [number[], number[]] = [[], []]
  for (const [at, one] of all.entries())
    for (const other of all.slice(at + 1))
      (one.person === other.person ? genuine : impostor).push(distanceOf(one.picture, other.picture))
  for (const distances of [genuine, impostor]) distances.sort((one, other) => one - other)
  return { genuine, impostor }
}

const thresholds = [0.35, 0.4, 0.45, 0.5, 0.55, 0.6]

const row = (name: string, distances: readonly number[]): string => {
  const at = (share: number) => distances[Math.round((distances.length - 1) * share)]?.toFixed(3) ?? '-'
  return `${name.padEnd(9)} ${String(distances.length).padStart(7)} pairs: median ${at(0.5)}, least ${at(0)}, most ${at(1)}`
}

const share = (part: number, whole: number): string =>
  `${part} of ${whole}${whole > 0 ? ` (${((100 * part) / whole).toFixed(2)} %)` : ''}`

export function reportOf({ genuine, impostor }: Distances): readonly string[] {
  return [
    row('genuine', genuine),
    row('impostor', impostor),
    ...thresholds.map((threshold) => {
      const matched = impostor.filter((distance) => distance <= threshold).length
      const missed = genuine.filter((distance) => distance > threshold).length
      const [false_, not] = [share(matched, impostor.length), share(missed, genuine.length)]
      return `at ${threshold.toFixed(2)}: false matches ${false_}, false non-matches ${not}`
    }),
  ]
}
