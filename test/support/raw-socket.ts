/** A bare connection to the key daemon, for tests that say what no server of ours would. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createFrameReader, frame, hello } from '#src/crypto/daemon/wire.ts'

export interface RawSocket {
  say(message: unknown): void
  write(bytes: Uint8Array): void
  /** The next message of the daemon. @throws Error where it ended the connection */
  next(): Promise<unknown>
  /** When the daemon has ended the connection; what it said before is given. */
  ended(): Promise<readonly unknown[]>
  /** Whether it takes anything from the daemon. */
  hear(does: boolean): void
}

/** @param greet says hello and takes the daemon's */
export async function rawSocket(path: string, greet = true): Promise<RawSocket> {
  const socket = connect(path)
  await once(socket, 'connect')
  const { read } = createFrameReader()
  const said: unknown[] = []
  let wake = () => {}
  let over = false
  socket.on('data', (part) => {
    said.push(...read(part))
    wake()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    over = true
    wake()
  })
  const woken = () => new Promise<void>((done) => (wake = done))
  const raw: RawSocket = {
    say: (message) => void socket.write(frame(message)),
    write: (bytes) => void socket.write(bytes),
    async next() {
      while (said.length === 0 && !over) await woken()
      if (said.length === 0) throw new Error('the daemon ended the connection')
      return said.shift()
    },
    async ended() {
      while (!over) await woken()
      return said
    },
    hear: (does) => void (does ? socket.resume() : socket.pause()),
  }
  if (greet) {
    raw.say(hello)
    await raw.next()
  }
  return raw
}
