/** The example service in Python as a process, and a service that signs whatever a test wants to hear. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { answerSignature } from '#src/peers/signed-http.ts'

export const exampleDirectory = 'docs/examples/own-verifier'
/** The right answer of 刘䶮, and whom it proves. */
export const rightCard = { card: '69000001', pin: '246810' }
export const cardHolder = { kind: 'resident-id-card', number: '690101199203051010', name: '刘䶮' } as const

export interface ExampleService {
  readonly url: string
  readonly keyFile: string
  close(): void
}

/** @param directory where its key is written */
export async function startExample(directory: string, ...more: readonly string[]): Promise<ExampleService> {
  const keyFile = join(directory, 'own.key')
  writeFileSync(keyFile, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  const files = [join(exampleDirectory, 'verifier.py'), keyFile, join(exampleDirectory, 'people.json')]
  const child = spawn('python3', ['-B', ...files, '--port', '0', ...more], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return { url: `http://127.0.0.1:${port.toString().trim()}`, keyFile, close: () => void child.kill() }
}

const textOf = async (message: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = []
  for await (const part of message) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

const listening = async (answer: (asked: IncomingMessage, given: ServerResponse) => Promise<void>): Promise<Server> => {
  const server = createServer((asked, given) => void answer(asked, given).catch(() => given.destroy()))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return server
}
const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const ended = (server: Server) => {
  server.closeAllConnections()
  server.close()
}

export type Question = Readonly<Record<string, unknown>> & { readonly challenge: string; readonly now: number }

export interface Liar {
  readonly url: string
  /** What it answers at begin and finish: a value that becomes JSON, or a status with it. */
  says: (what: 'begin' | 'finish', question: Question) => unknown
  /** Alters what goes out after it has been signed. */
  alter: (body: string, signature: string, nonce: string) => { readonly body?: string; readonly signature?: string }
  status: number
  readonly questions: Question[]
  close(): void
}

export async function startLiar(key: Buffer): Promise<Liar> {
  const server = await listening(async (asked, given) => {
    const question = JSON.parse(await textOf(asked)) as Question
    liar.questions.push(question)
    const said = liar.says(asked.url?.endsWith('/begin') ? 'begin' : 'finish', question)
    const text = JSON.stringify(await said)
    const nonce = String(asked.headers['x-yihao-nonce'])
    const right = answerSignature(key, liar.status, nonce, text)
    const { body = text, signature = right } = liar.alter(text, right, nonce)
    given.writeHead(liar.status, { 'x-yihao-signature': signature }).end(body)
  })
  const liar: Liar = {
    url: urlOf(server),
    says: () => ({}),
    alter: () => ({}),
    status: 200,
    questions: [],
    close: () => ended(server),
  }
  return liar
}

export interface FaultyWay {
  readonly url: string
  how: 'throws' | 'hangs' | 'late' | undefined
  close(): void
}

/** A way to a service on which questions are lost, held for ever, or held for a while. */
export async function startFaultyWay(to: string, lateMs: number): Promise<FaultyWay> {
  const server = await listening(async (asked, given) => {
    const body = await textOf(asked)
    if (way.how === 'throws') return void given.writeHead(502).end()
    if (way.how === 'hangs') return
    if (way.how === 'late') await new Promise((done) => setTimeout(done, lateMs))
    const { method, headers } = asked
    const onward = request(`${to}${asked.url}`, { method, headers }, (answer) => {
      given.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(given)
    })
    onward.on('error', () => given.destroy())
    onward.end(body)
  })
  const way: FaultyWay = { url: urlOf(server), how: undefined, close: () => ended(server) }
  return way
}
