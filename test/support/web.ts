/** A small Express server for the parts of `http/`, and a request written by hand, byte for byte. */
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import express, { type Express } from 'express'

export interface Web {
  readonly url: string
  /** Sends the lines as they are and gives the whole answer. */
  raw(...lines: readonly string[]): Promise<string>
  close(): void
}

export async function serve(build: (app: Express) => void): Promise<Web> {
  const app = express()
  build(app)
  const server = createServer(app)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    raw: (...lines) =>
      new Promise((done, fail) => {
        const socket = connect(port, '127.0.0.1', () =>
          socket.write([...lines, 'Connection: close', '', ''].join('\r\n')),
        )
        let answer = ''
        socket.on('data', (part) => (answer += part.toString()))
        socket.on('close', () => done(answer))
        socket.on('error', fail)
      }),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
