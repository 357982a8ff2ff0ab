/** How a fake reader is reached: a TCP port of the loopback, or a serial device that Python's standard library makes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import type { FakeReader } from './sam.ts'

export interface Line {
  /** As the agent's settings name it. */
  readonly address: string
  /** Pulls the cable: whoever is connected is cut off, and nobody gets through. */
  close(): Promise<void>
}

/** @param port 0 takes a free one */
export async function listenOnTcp(reader: FakeReader, port = 0): Promise<Line> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.on(
      'data',
      reader.line((bytes) => void (socket.writable && socket.write(bytes))),
    )
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}

/** A pseudo-terminal: its other end is a device like a serial one. */
export async function openPty(reader: FakeReader): Promise<Line> {
  const bridge = spawn('python3', [join(import.meta.dirname, 'pty_bridge.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(bridge, 'close')
  const failed = ended.then(() => {
    throw new Error('python3 made no pseudo-terminal')
  })
  failed.catch(() => undefined)
  const [first] = (await Promise.race([once(bridge.stdout, 'data'), failed])) as [Buffer]
  bridge.stdin.on('error', () => undefined)
  bridge.stdout.on(
    'data',
    reader.line((bytes) => void bridge.stdin.write(bytes)),
  )
  return {
    address: first.toString().trim(),
    async close() {
      bridge.stdin.end()
      await ended
    },
  }
}
