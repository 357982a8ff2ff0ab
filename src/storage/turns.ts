/** Acts on one thing that must not overlap: reading, sealing and writing a row takes several steps of the event loop. */

/** Acts for a key, one after another; whoever comes second finds what the first has made of it. */
export type Turns = <T>(key: string, act: () => Promise<T>) => Promise<T>

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return async (key, act) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(act, act)
    last.set(key, mine)
    try {
      return await mine
    } finally {
      if (last.get(key) === mine) last.delete(key)
    }
  }
}
