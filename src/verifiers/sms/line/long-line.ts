/**
 * The connection to a gateway that stays: made at the start, so that receipts arrive, and made again when it is lost,
 * each time after a longer pause. A question that finds none waits for the login, within its own time.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { PeerFailure } from '#src/peers/signed-http.ts'
import type { Pdu, Protocol } from './protocol.ts'
import { openSession, type Session } from './session.ts'

export interface Place {
  readonly host: string
  readonly port: number
  /** TLS, by the certificate authorities this machine trusts. */
  readonly tls: boolean
  /** Questions without answer at once. */
  readonly window: number
  readonly heartbeatMs?: number
  readonly patienceMs?: number
  readonly onFault?: (error: unknown) => void
}

export interface LongLine {
  /** @throws PeerFailure where no answer came in time */
  ask(command: number, body: Buffer, withinMs: number): Promise<Pdu>
  close(): Promise<void>
}

const longestPauseMs = 30_000

function openSocket({ host, port, tls }: Place, patienceMs: number): Promise<Socket> {
  return new Promise((done, fail) => {
    // The certificate is checked against the host either way; SNI takes names only (RFC 6066 §3).
    const name = isIP(host) === 0 ? { servername: host } : {}
    const socket: Socket = tls ? connectTls({ host, port, ...name }) : connectTcp({ host, port })
    const refuse = (why: string) => () => {
      clearTimeout(timer)
      socket.destroy()
      fail(new PeerFailure(why))
    }
    const timer = setTimeout(refuse('connection timeout'), patienceMs)
    socket.setNoDelay(true)
    socket.once('error', refuse('connection'))
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      done(socket)
    })
  })
}

export function openLongLine(place: Place, protocol: Protocol): LongLine {
  const { window, heartbeatMs = 30_000, patienceMs = 4_000, onFault = () => {} } = place
  let session: Promise<Session> | undefined
  let pause: NodeJS.Timeout | undefined
  let pauseMs = 1_000
  let closed = false

  /** Tries again by itself, so that a lost line is back before somebody needs it. */
  const lost = (): void => {
    session = undefined
    if (closed || pause) return
    pause = setTimeout(() => {
      pause = undefined
      dial().catch(onFault)
    }, pauseMs)
    pause.unref()
    pauseMs = Math.min(2 * pauseMs, longestPauseMs)
  }

  const open = async (): Promise<Session> => {
    const socket = await openSocket(place, patienceMs)
    const opened = await openSession(socket, protocol, { window, heartbeatMs, patienceMs, onFault, onEnd: lost })
    pauseMs = 1_000
    return opened
  }

  const dial = (): Promise<Session> => {
    session ??= open().catch((error: unknown) => {
      lost()
      throw error
    })
    return session
  }

  dial().catch(onFault)

  return {
    async ask(command, body, withinMs) {
      if (closed) throw new PeerFailure('connection ended')
      const until = performance.now() + withinMs
      const opened = await dial()
      const left = until - performance.now()
      // Whoever asked has gone on: what is sent now would come twice.
      if (left <= 0) throw new PeerFailure('connection timeout')
      return opened.ask(command, body, left)
    },
    async close() {
      closed = true
      clearTimeout(pause)
      await session?.then(
        (opened) => opened.close(),
        () => undefined,
      )
    },
  }
}
