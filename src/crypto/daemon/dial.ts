/**
 * Keeps one connection to the key daemon: dials again, with pauses that grow, whenever it is lost, and hands over what
 * comes after the daemon's hello.
 */
import { connect, type Socket } from 'node:net'
import { AppError, isAppError } from '#src/errors.ts'
import { socketMode } from './directory.ts'
import { createFrameReader, frame, greeting, hello, WireFault } from './wire.ts'

/** Between two tries; a daemon that restarts is back within a second. */
const [firstPauseMs, longestPauseMs] = [10, 250]

export interface DialOptions {
  readonly socket: string
  /** How long the daemon may take for its hello. */
  readonly helloMs: number
  /**
   * After each hello, also those of later connections.
   * @throws WireFault where the description is none
   */
  readonly onOpen: (keys: unknown) => void
  /** @throws WireFault to end this connection and dial anew */
  readonly onMessage: (message: unknown) => void
  /** Why there is no connection; once for each time that it is lost. */
  readonly onFault: (error: unknown) => void
}

export interface Dialled {
  /** Drops it where there is no connection: the asker says it again after `onOpen`. */
  send(bytes: Buffer): void
  close(): void
}

function keysOf(message: unknown): unknown {
  const said = greeting.safeParse(message)
  if (!said.success) throw new WireFault('what listens at the socket is no key daemon')
  if (said.data.version !== hello.version)
    throw new WireFault(
      `the key daemon speaks version ${said.data.version}, this server ${hello.version}; restart the older`,
    )
  return said.data['keys']
}

/** A refusal of the kernel in a sentence; the socket's path stands in it. */
const faultOf = (error: unknown, socket: string): AppError => {
  if (isAppError(error)) return error
  const { code, message } = error as NodeJS.ErrnoException
  const detail =
    error instanceof WireFault ? message : `no connection to the key daemon at ${socket} (${code ?? message})`
  return new AppError('key_unavailable', { detail })
}

export function dial({ socket: path, helloMs, onOpen, onMessage, onFault }: DialOptions): Dialled {
  let open: Socket | undefined
  let trying: Socket | undefined
  let closed = false
  let told = false
  let pauseMs = firstPauseMs
  let timer: NodeJS.Timeout | undefined

  const again = (error: unknown): void => {
    if (closed) return
    if (!told) onFault(faultOf(error, path))
    told = true
    timer = setTimeout(attempt, pauseMs)
    pauseMs = Math.min(2 * pauseMs, longestPauseMs)
  }

  function attempt(): void {
    try {
      socketMode(path)
      talk(connect(path))
    } catch (error) {
      again(error)
    }
  }

  function talk(socket: Socket): void {
    trying = socket
    let fault: unknown = new WireFault('the key daemon ended the connection')
    const { read } = createFrameReader()
    const patience = setTimeout(() => socket.destroy(new WireFault('the key daemon says nothing')), helloMs)
    const take = (message: unknown): void => {
      if (open === socket) return onMessage(message)
      const keys = keysOf(message)
      clearTimeout(patience)
      open = socket
      onOpen(keys)
      told = false
      pauseMs = firstPauseMs
    }
    socket.on('connect', () => socket.write(frame(hello)))
    socket.on('data', (part) => {
      try {
        for (const message of read(part)) take(message)
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    socket.on('error', (error) => (fault = error))
    socket.on('close', () => {
      clearTimeout(patience)
      if (open === socket) open = undefined
      again(fault)
    })
  }

  attempt()
  return {
    send(bytes) {
      if (!open) return
      if (open.writableCorked === 0) {
        // What is asked within one turn of the event loop leaves in one call.
        const socket = open
        socket.cork()
        process.nextTick(() => socket.uncork())
      }
      open.write(bytes)
    },
    close() {
      closed = true
      clearTimeout(timer)
      trying?.destroy()
    },
  }
}
