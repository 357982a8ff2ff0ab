/** The thread of one comparison: the agent answers its pages meanwhile, and whatever was held here ends with it. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FacePackages } from './packages.ts'
import type { Pose } from './pose.ts'
import { openWatching, type Seen } from './watching.ts'

export type Question =
  | { readonly kind: 'photo'; readonly bytes: Uint8Array }
  | { readonly kind: 'frame'; readonly bytes: Uint8Array; readonly pose: Pose }
  | { readonly kind: 'end' }
/** To each question but the last; a fault's sentence holds nothing of a picture. */
export type Answer = { readonly value: boolean | Seen | undefined } | { readonly fault: string }

const port = parentPort
if (!port) throw new Error('this runs as a worker')
const watching = openWatching(workerData as FacePackages)
// Told with the first answer.
watching.catch(() => undefined)

async function answer(question: Exclude<Question, { kind: 'end' }>): Promise<Answer> {
  try {
    const { photo, frame } = await watching
    return { value: question.kind === 'photo' ? photo(question.bytes) : frame(question.bytes, question.pose) }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : 'the face model failed' }
  }
}

port.on('message', (question: Question) => {
  if (question.kind !== 'end') return void answer(question).then((answered) => port.postMessage(answered))
  void watching.then(
    ({ end }) => end(),
    () => undefined,
  )
  port.close()
})
