/** Stands between an application and the server, and alters the answers on the way: what TLS keeps from happening. */
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AlteringProxy {
  readonly url: string
  /** Alters the body of what the server answered at each of these paths. */
  alter: Readonly<Record<string, (body: string) => string | Promise<string>>>
  /** How often a path was asked. */
  asked(path: string): number
  /** Where requests go from now on. */
  to(port: number): void
  close(): void
}

async function textOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of message) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

export async function startAlteringProxy(): Promise<AlteringProxy> {
  let target = 0
  const counted = new Map<string, number>()
  const server = createServer((incoming, outgoing) => {
    const { method, url = '/', headers } = incoming
    const { pathname } = new URL(url, 'http://localhost')
    counted.set(pathname, (counted.get(pathname) ?? 0) + 1)
    const answered = async (answer: IncomingMessage): Promise<void> => {
      const text = await textOf(answer)
      const body = Buffer.from((await proxy.alter[pathname]?.(text)) ?? text)
      const { 'transfer-encoding': _, ...kept } = answer.headers
      outgoing.writeHead(answer.statusCode ?? 502, { ...kept, 'content-length': body.length }).end(body)
    }
    const broken = (error: Error): void => void outgoing.destroy(error)
    const forwarded = request({ host: '127.0.0.1', port: target, method, path: url, headers }, (answer) => {
      answered(answer).catch(broken)
    })
    forwarded.on('error', broken)
    incoming.pipe(forwarded)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const proxy: AlteringProxy = {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    alter: {},
    asked: (path) => counted.get(path) ?? 0,
    to: (port) => void (target = port),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
  return proxy
}
