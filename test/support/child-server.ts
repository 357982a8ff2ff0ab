/** The server as `npm start` runs it, in a process of its own with its demo city, so that a test can kill it. */
import { strict as assert } from 'node:assert'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'

export interface ChildServer {
  readonly url: string
  /** The database and the key directory. */
  readonly file: string
  readonly keys: string
  /** The address of the demo city's first application. */
  readonly application: string
  /** Starts it on the same store and gives how long it took, in ms. */
  start(): Promise<number>
  /** kill -9 */
  kill(): Promise<void>
  /** Asks it to end, and gives its exit code. */
  terminate(): Promise<number | null>
  /** The code in the newest text on the demo phone. */
  newestCode(): Promise<string>
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, 'localhost'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}

type Ports = [number, number, number, number, number]

export async function childServer(directory: string, env: Readonly<Record<string, string>> = {}): Promise<ChildServer> {
  const [port, application, second, phone, services] = (await freePorts(5)) as Ports
  const url = `http://localhost:${port}`
  const [file, keys] = [join(directory, 'yihao.db'), join(directory, 'keys')]
  let child: ChildProcess | undefined

  const ended = async (signal: NodeJS.Signals): Promise<number | null> => {
    assert.ok(child && child.exitCode === null && child.signalCode === null, 'the server does not run')
    const exit = once(child, 'exit')
    child.kill(signal)
    return ((await exit) as [number | null])[0]
  }

  return {
    url,
    file,
    keys,
    application: `http://localhost:${application}`,
    async start() {
      const started = performance.now()
      child = spawn(process.execPath, ['src/server.ts'], {
        cwd: resolve(import.meta.dirname, '../..'),
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          ...process.env,
          YIHAO_ISSUER: url,
          YIHAO_LISTEN__PORT: String(port),
          YIHAO_STORAGE__FILE: file,
          YIHAO_KEYS__DIRECTORY: keys,
          YIHAO_DEMO__PORTS: JSON.stringify([application, second, phone, services]),
          YIHAO_DEMO__TERMINAL_PORT: 'null',
          ...env,
        },
      })
      let said = ''
      const out = child.stdout?.setEncoding('utf8')
      for await (const text of out?.iterator({ destroyOnReturn: false }) ?? []) {
        said += String(text)
        if (said.includes('is ready')) break
      }
      assert.match(said, /is ready/, 'the server did not start')
      out?.resume()
      return performance.now() - started
    },
    kill: async () => void (await ended('SIGKILL')),
    terminate: () => ended('SIGTERM'),
    async newestCode() {
      const page = await (await fetch(`http://localhost:${phone}/`)).text()
      const code = /(?<!\d)\d{6}(?!\d)/.exec(page.replace(/^[^]*?<main>/, ''))?.[0]
      assert.ok(code, 'no code on the demo phone')
      return code
    },
  }
}
