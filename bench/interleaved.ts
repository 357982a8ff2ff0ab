/**
 * Rates of jobs that run in interleaved rounds, so that what the machine does beside them falls on all alike; ratios are
 * medians of the rounds' own ratios.
 */
const SLICE_MS = 40

export type Jobs = Readonly<Record<string, () => unknown>>

export interface Rates {
  /** Runs per second, the median round. */
  rate(name: string): number
  /** How many times as fast the one ran as the other. */
  ratio(name: string, other: string): number
}

/** One round to warm up, then so many, each job for 40 ms; every other round goes backwards, for a job heats the next. */
export async function interleave(jobs: Jobs, rounds: number): Promise<Rates> {
  const rates = new Map(Object.keys(jobs).map((name) => [name, [] as number[]]))
  const forwards = Object.entries(jobs)
  for (let round = 0; round <= rounds; round += 1)
    for (const [name, run] of round % 2 === 0 ? forwards : forwards.toReversed()) {
      const rate = await perSecond(run)
      if (round > 0) rates.get(name)?.push(rate)
    }
  const of = (name: string): readonly number[] => {
    const found = rates.get(name)
    if (!found) throw new Error(`no job is named ${name}`)
    return found
  }
  return {
    rate: (name) => median(of(name)),
    ratio: (name, other) => median(of(name).map((rate, round) => rate / of(other)[round]!)),
  }
}

async function perSecond(run: () => unknown): Promise<number> {
  const start = performance.now()
  let runs = 0
  let elapsed = 0
  do {
    await run()
    runs += 1
    elapsed = performance.now() - start
  } while (elapsed < SLICE_MS)
  return (runs * 1000) / elapsed
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
