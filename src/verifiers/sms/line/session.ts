/**
 * One session with a gateway, from its login to its end: at most a window of questions without answer, the others wait;
 * each has its time; a heartbeat shows that the other side lives. Whatever is no PDU, or answers another question than
 * was asked, ends the session, and all that waits fails with it.
 */
import type { Socket } from 'node:net'
import { PeerFailure } from '#src/peers/signed-http.ts'
import { answerBit, answerTo, encodePdu, pduReader, type Pdu, type Protocol } from './protocol.ts'

export interface SessionOptions {
  readonly window: number
  readonly heartbeatMs: number
  /** How long login, heartbeat and farewell may take. */
  readonly patienceMs: number
  /** Called once, when it has ended, whoever ended it. */
  readonly onEnd: () => void
  /** Hears of questions of the gateway that could not be answered. */
  readonly onFault: (error: unknown) => void
}

export interface Session {
  /** @throws PeerFailure where no answer came in time; whether the gateway acted on the question is then not known */
  ask(command: number, body: Buffer, withinMs: number): Promise<Pdu>
  /** Says farewell, waits a little for the answer, and ends. */
  close(): Promise<void>
}

interface Question {
  readonly command: number
  readonly body: Buffer
  readonly done: (answer: Pdu) => void
  readonly fail: (error: unknown) => void
}

const lastSequence = 0x7fffffff
const nothing = Buffer.alloc(0)

/** @throws PeerFailure where the gateway does not let us in */
export async function openSession(socket: Socket, protocol: Protocol, options: SessionOptions): Promise<Session> {
  const asked = new Map<number, Question>()
  const waiting: Question[] = []
  const read = pduReader(protocol)
  let sequence = 0
  let ended = false

  const end = (): void => {
    if (ended) return
    ended = true
    clearInterval(beating)
    socket.destroy()
    const orphans = [...asked.values(), ...waiting.splice(0)]
    asked.clear()
    for (const { fail } of orphans) fail(new PeerFailure('connection ended'))
    options.onEnd()
  }

  const write = (pdu: Pdu): void => void socket.write(encodePdu(protocol, pdu))

  const sendWaiting = (): void => {
    while (!ended && asked.size < options.window) {
      const question = waiting.shift()
      if (!question) return
      sequence = (sequence % lastSequence) + 1
      asked.set(sequence, question)
      write({ command: question.command, status: 0, sequence, body: question.body })
    }
  }

  const ask: Session['ask'] = (command, body, withinMs) =>
    new Promise<Pdu>((resolve, reject) => {
      if (ended) return reject(new PeerFailure('connection ended'))
      const forget = (): void => {
        clearTimeout(timer)
        for (const [number, pending] of asked) if (pending === question) asked.delete(number)
        const at = waiting.indexOf(question)
        if (at >= 0) waiting.splice(at, 1)
      }
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          forget()
          how(value)
          sendWaiting()
        }
      const question: Question = { command, body, done: settle(resolve), fail: settle(reject) }
      const timer = setTimeout(() => question.fail(new PeerFailure('timeout')), withinMs)
      waiting.push(question)
      sendWaiting()
    })

  const takeAnswer = (pdu: Pdu): void => {
    const question = asked.get(pdu.sequence)
    // To a question whose time was up.
    if (!question) return
    // SMPP's generic_nack is the answer bit alone.
    if (pdu.command !== answerTo(question.command) && pdu.command !== answerBit) return end()
    question.done(pdu)
  }

  const takeQuestion = async (pdu: Pdu): Promise<void> => {
    // What comes with the answer to our login is served once that has been found right.
    if (!(await admitted)) return
    try {
      const answer = await protocol.answer(pdu)
      if (answer && !ended) write({ ...answer, sequence: pdu.sequence })
      if (pdu.command === protocol.terminate) socket.end(end)
    } catch (error) {
      options.onFault(error)
      if (error instanceof PeerFailure) end()
    }
  }

  const take = (chunk: Buffer): void => {
    try {
      for (const pdu of read(chunk)) {
        if (pdu.command >= answerBit) takeAnswer(pdu)
        else void takeQuestion(pdu)
      }
    } catch {
      end()
    }
  }

  const beat = () => void ask(protocol.heartbeat, nothing, options.patienceMs).catch(end)
  const beating = setInterval(beat, options.heartbeatMs)
  beating.unref()
  socket.on('data', take).on('error', end).on('close', end)

  const logIn = async (): Promise<void> => {
    const login = protocol.login()
    login.check(await ask(login.command, login.body, options.patienceMs))
  }
  const entering = logIn()
  const admitted = entering.then(
    () => true,
    () => false,
  )
  await entering.catch((error: unknown) => {
    end()
    throw error
  })

  return {
    ask,
    async close() {
      await ask(protocol.terminate, nothing, options.patienceMs).catch(() => undefined)
      end()
    },
  }
}
