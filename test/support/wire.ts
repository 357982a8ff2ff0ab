/** Requests that no browser and no library would send, and how long their answers take. */
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Milliseconds. */
  readonly took: number
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
}

export interface Wire {
  /** @throws where no answer comes in time */
  ask(asked: Asked): Promise<Answer>
  /** Sends these bytes and gives what came back until the server closed, or until the time was up. */
  raw(
    bytes: string | Buffer,
    waitMs?: number,
  ): Promise<{ readonly text: string; readonly closed: boolean; readonly took: number }>
  close(): void
}

export function openWire(port: number, patienceMs = 5_000): Wire {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  return {
    ask({ method, path, headers = {}, body }) {
      const started = performance.now()
      return new Promise((done, fail) => {
        const sent = request({
          agent,
          host: '127.0.0.1',
          port,
          method,
          path,
          headers: { ...headers },
          timeout: patienceMs,
        })
        sent.on('response', (answer) => {
          const parts: Buffer[] = []
          answer.on('data', (part: Buffer) => parts.push(part))
          answer.on('error', fail)
          answer.on('end', () => {
            const text = Buffer.concat(parts).toString()
            done({ status: answer.statusCode ?? 0, headers: answer.headers, text, took: performance.now() - started })
          })
        })
        sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path.slice(0, 80)}`)))
        sent.on('error', fail)
        sent.end(body)
      })
    },
    raw(bytes, waitMs = 2_000) {
      const started = performance.now()
      return new Promise((done) => {
        let text = ''
        const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
        const end = (closed: boolean) => {
          clearTimeout(timer)
          socket.destroy()
          done({ text, closed, took: performance.now() - started })
        }
        const timer = setTimeout(() => end(false), waitMs)
        socket.on('data', (part) => (text += part.toString('latin1')))
        socket.on('error', () => end(true))
        socket.on('close', () => end(true))
      })
    },
    close: () => agent.destroy(),
  }
}
