/**
 * Questions to the key daemon, many at a time over one connection, each with a deadline. A question whose connection is
 * lost is asked again over the next one until its deadline: all of them may be asked twice. So a daemon that restarts
 * costs a moment and fails nobody, and one that hangs fails everybody in time.
 */
import { AppError } from '#src/errors.ts'
import type { Ask } from './description.ts'
import { dial, type DialOptions } from './dial.ts'
import { answerSchema, frame, WireFault, type Question, type Refusal, type Result } from './wire.ts'

export interface LinkOptions extends Pick<DialOptions, 'socket' | 'onFault'> {
  /** How long a question may take. */
  readonly timeoutMs: number
  /** Questions under way at once; more are refused at once, since they would wait for nothing. */
  readonly outstanding: number
  /** The description at each hello and after each change. */
  readonly onKeys: (keys: unknown) => void
}

export interface Link {
  readonly ask: Ask
  /** False from the moment a question had no answer in its time, until something is heard again. */
  healthy(): boolean
  close(): void
}

interface Asked {
  readonly bytes: Buffer
  /** Messages heard before it was asked. */
  readonly heard: number
  readonly timer: NodeJS.Timeout
  readonly resolve: (result: Result) => void
  readonly reject: (error: AppError) => void
}

const unavailable = (detail: string) => new AppError('key_unavailable', { detail })

const refused: Readonly<Record<Refusal, () => AppError>> = {
  busy: () => unavailable('the key daemon has too much to do'),
  unknown: () => unavailable('the key daemon has no such key any more'),
  invalid: () => new AppError('sealed_value_invalid', { detail: 'the key daemon could not open it' }),
  late: () => unavailable('a key did not answer the key daemon in time'),
  failed: () => unavailable('a key failed in the key daemon; its log says more'),
}

export function createLink({ socket, timeoutMs, outstanding, onKeys, onFault }: LinkOptions): Link {
  const asked = new Map<number, Asked>()
  let last = 0
  let heard = 0
  let silent = false

  const settle = (id: number): Asked | undefined => {
    const question = asked.get(id)
    asked.delete(id)
    clearTimeout(question?.timer)
    return question
  }

  const hear = (): void => {
    heard += 1
    silent = false
  }

  const expire = (id: number): void => {
    const question = settle(id)
    if (question?.heard === heard) silent = true
    question?.reject(unavailable(`the key daemon did not answer within ${timeoutMs} ms`))
  }

  const connection = dial({
    ...{ socket, onFault, helloMs: timeoutMs },
    onOpen(keys) {
      hear()
      onKeys(keys)
      for (const { bytes } of asked.values()) connection.send(bytes)
    },
    onMessage(message) {
      hear()
      if (isNews(message)) return onKeys(message.keys)
      const answer = answerSchema.safeParse(message)
      if (!answer.success) throw new WireFault('the key daemon gives an answer that is none')
      // One that comes after its deadline finds nobody waiting.
      const question = settle(answer.data.id)
      if ('error' in answer.data) question?.reject(refused[answer.data.error]())
      else question?.resolve(answer.data.result)
    },
  })

  const put = (question: Question): Promise<Result> =>
    new Promise((resolve, reject) => {
      const id = (last += 1)
      const bytes = framed({ id, ...question })
      const timer = setTimeout(expire, timeoutMs, id)
      asked.set(id, { bytes, heard, timer, resolve, reject })
      connection.send(bytes)
    })

  const beat = setInterval(() => void put({ op: 'health' }).catch(() => undefined), timeoutMs / 2)

  return {
    async ask(question) {
      if (silent) throw unavailable('the key daemon does not answer')
      if (asked.size >= outstanding) throw unavailable(`${outstanding} questions to the key daemon are waiting already`)
      return put(question)
    },
    healthy: () => !silent,
    close() {
      clearInterval(beat)
      connection.close()
      for (const id of [...asked.keys()]) settle(id)?.reject(unavailable('the server is ending'))
    },
  }
}

function framed(question: unknown): Buffer {
  try {
    return frame(question)
  } catch (cause) {
    throw new AppError('internal', { detail: 'a question is too long for the key daemon', cause })
  }
}

const isNews = (message: unknown): message is { readonly keys: unknown } =>
  typeof message === 'object' && message !== null && 'keys' in message
