/**
 * One server at the key daemon's socket: its hello, its questions, their answers in the order in which they are ready.
 * What is malformed, too long, or begun and not finished in time ends this connection and nothing else; a server that
 * does not take its answers is not listened to until it does.
 */
import type { Socket } from 'node:net'
import { describeKeys } from '#src/crypto/daemon/description.ts'
import { createFrameReader, frame, greeting, hello, questionSchema, WireFault } from '#src/crypto/daemon/wire.ts'
import { createDesk, type DeskOptions } from './desk.ts'

export interface ConversationOptions extends DeskOptions {
  /** Within which a message that was begun, or the hello, must be whole. */
  readonly messageMs: number
}

export interface Conversation {
  /** Tells the server of changed keys. */
  announce(): void
  /** Takes no more questions, answers those it has, and ends. */
  finish(): Promise<void>
}

export function converse(socket: Socket, options: ConversationOptions): Conversation {
  const { ring, messageMs, onFault } = options
  const desk = createDesk(options)
  const { read, begun } = createFrameReader()
  const answering = new Set<Promise<void>>()
  let greeted = false
  let finishing = false

  const giveUp = () => socket.destroy(new WireFault('a message was not finished in time'))
  let patience: NodeJS.Timeout | undefined = setTimeout(giveUp, messageMs)

  const say = (message: unknown): void => {
    if (socket.destroyed) return
    if (socket.writableCorked === 0) {
      // What is ready within one turn of the event loop leaves in one call.
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    if (!socket.write(frame(message))) socket.pause()
  }

  const greet = (message: unknown): void => {
    const said = greeting.safeParse(message)
    if (!said.success) throw new WireFault('the first message is no hello')
    greeted = said.data.version === hello.version
    if (greeted) return say({ ...hello, keys: describeKeys(ring.current()) })
    say(hello)
    void finish()
  }

  const take = (message: unknown): void => {
    if (finishing) return
    if (!greeted) return greet(message)
    const question = questionSchema.safeParse(message)
    if (!question.success) throw new WireFault('a message is no question')
    const { id, ...asked } = question.data
    const answered = desk.answer(asked).then((answer) => {
      guarded(() => say({ id, ...answer }))
      answering.delete(answered)
    })
    answering.add(answered)
  }

  const guarded = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      socket.destroy(error as Error)
    }
  }

  const listen = (part: Buffer): void => {
    const messages = read(part)
    messages.forEach(take)
    if (messages.length > 0) patience = void clearTimeout(patience)
    if (begun() || !greeted) patience ??= setTimeout(giveUp, messageMs)
  }

  socket.on('data', (part) => guarded(() => listen(part)))
  socket.on('drain', () => void (finishing || socket.resume()))
  // A peer that hangs up does so in its own right; the log is for what no server of ours would say, and for ourselves.
  socket.on('error', (error) => void ('syscall' in error || onFault(error)))
  socket.on('close', () => clearTimeout(patience))

  async function finish(): Promise<void> {
    finishing = true
    clearTimeout(patience)
    socket.pause()
    await Promise.all(answering)
    socket.end(() => socket.destroy())
    if (socket.destroyed) return
    const impatience = setTimeout(() => socket.destroy(), messageMs)
    await new Promise((done) => socket.once('close', done))
    clearTimeout(impatience)
  }

  return {
    announce() {
      if (greeted && !finishing) guarded(() => say({ keys: describeKeys(ring.current()) }))
    },
    finish,
  }
}
