/**
 * Who looks at pictures for a comparison: a worker of its own for each, which is gone when the comparison is. Pictures
 * are handed over, not copied.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FacePackages } from './packages.ts'
import type { Pose } from './pose.ts'
import type { Seen } from './watching.ts'
import type { Answer, Question } from './worker.ts'

export interface Analyser {
  /** Whether the card's photo holds a face. The bytes are gone then. @throws Error where the model fails */
  photo(bytes: Uint8Array): Promise<boolean>
  /** What is in a picture, compared where the face is held so; undefined where it is none. The bytes are gone then. */
  frame(bytes: Uint8Array, pose: Pose): Promise<Seen | undefined>
  /** Wipes what was kept; whoever waits for an answer is told that there is none. */
  close(): Promise<void>
}

/** Far more than a slow machine needs; a picture made to hold up its reader is given up then. */
const longestMs = 20_000
/** One that is busy is not waited for: its memory goes with it. */
const endMs = 250

export function startAnalyser(packages: FacePackages): Analyser {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    ...{ workerData: packages, env: {}, stdin: false },
    resourceLimits: { maxOldGenerationSizeMb: 384 },
  })
  const gone = new Promise<never>((_, fail) => {
    worker.once('error', fail)
    worker.once('exit', () => fail(new Error('the face worker ended')))
  })
  // Heard by whoever asks.
  gone.catch(() => undefined)

  async function ask(question: Question & { readonly bytes: Uint8Array }): Promise<Answer & { value?: unknown }> {
    const late = new AbortController()
    const { signal } = late
    const answered = once(worker, 'message', { signal }) as Promise<[Answer]>
    answered.catch(() => undefined)
    const timer = setTimeout(() => void worker.terminate(), longestMs)
    try {
      // A copy of its own buffer, which a Buffer of Node's pool is not.
      const bytes = Uint8Array.from(question.bytes)
      question.bytes.fill(0)
      worker.postMessage({ ...question, bytes }, [bytes.buffer])
      const [answer] = await Promise.race([answered, gone])
      if ('fault' in answer) throw new Error(answer.fault)
      return answer
    } finally {
      clearTimeout(timer)
      late.abort()
    }
  }

  return {
    photo: async (bytes) => (await ask({ kind: 'photo', bytes })).value === true,
    frame: async (bytes, pose) => (await ask({ kind: 'frame', bytes, pose })).value as Seen | undefined,
    async close() {
      worker.postMessage({ kind: 'end' } satisfies Question)
      const timer = setTimeout(() => void worker.terminate(), endMs)
      await gone.catch(() => undefined)
      clearTimeout(timer)
    },
  }
}
