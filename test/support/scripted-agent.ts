/**
 * A terminal's agent that does what a test says: it speaks the agent's side of a reading with a face over HTTP on the
 * loopback and signs with a device of its own, but knows neither reader nor camera.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readingOf, type Device, type Lies } from './card-terminal.ts'
import { faceOf, type AskedFace } from './face-reading.ts'

export interface Look {
  readonly step: string
  readonly see: string
}

export interface ScriptedAgent {
  readonly url: string
  /** Whether a page waits for a reading, and what it asked. */
  readonly asked: () => AskedFace | undefined
  /** How often its live picture was shown, and how often it was refused. */
  readonly pictures: { shown: number; refused: number }
  card: boolean
  face: Look | null
  /** Answers the page that waits: a reading whose face is said so, or an error. */
  read(over?: object, lies?: Lies): Promise<void>
  fail(error: string): void
  close(): Promise<void>
}

const mirror = `<!doctype html><title>mirror</title><style>html,body{margin:0;height:100%;background:#223}
img{width:100%;height:100%;object-fit:cover;transform:scaleX(-1)}</style><img src="/mirror/picture" alt="">`

/** A drawn head: nobody's. */
const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 480"><rect width="640" height="480" fill="#8fa3b5"/>
<ellipse cx="320" cy="470" rx="210" ry="130" fill="#3f5f7a"/><ellipse cx="320" cy="230" rx="105" ry="140" fill="#e3b98f"/>
<circle cx="280" cy="205" r="10"/><circle cx="360" cy="205" r="10"/><path d="M280 295q40 25 80 0" stroke="#84412f" stroke-width="8" fill="none"/></svg>`

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const part of request) text += String(part)
  return text
}

/** @param issuer the only origin whose pages may ask */
export async function startScriptedAgent(device: Device, issuer: () => string): Promise<ScriptedAgent> {
  let waiting: { readonly question: AskedFace; readonly response: ServerResponse } | undefined
  const json = (response: ServerResponse, status: number, value: object) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url = '', method = '', headers } = request
    response.setHeader('access-control-allow-origin', issuer())
    response.setHeader('access-control-allow-headers', 'content-type')
    response.setHeader('access-control-allow-private-network', 'true')
    if (method === 'OPTIONS') return void response.writeHead(204).end()
    if (url === '/state') return json(response, 200, { reader: 'ready', card: agent.card, face: agent.face })
    if (url === '/mirror') {
      const policy = `default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors ${issuer()}`
      return void response
        .writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy })
        .end(mirror)
    }
    if (url === '/mirror/picture') {
      const may = headers['sec-fetch-site'] === 'same-origin' && waiting !== undefined
      agent.pictures[may ? 'shown' : 'refused'] += 1
      if (!may) return void response.writeHead(403).end()
      return void response.writeHead(200, { 'content-type': 'image/svg+xml' }).end(picture)
    }
    const { face, ...given } = JSON.parse(await bodyOf(request)) as AskedFace & { face?: { actions: string[] } }
    if (waiting) return json(response, 409, { error: 'busy' })
    waiting = { question: { ...given, actions: face?.actions ?? [] }, response }
    response.once('close', () => (waiting = undefined))
  }

  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const due = () => {
    if (!waiting) throw new Error('no page waits for a reading')
    return waiting
  }
  const agent: ScriptedAgent = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => waiting?.question,
    pictures: { shown: 0, refused: 0 },
    card: false,
    face: null,
    async read(over = {}, lies = {}) {
      const { question, response } = due()
      const payload = { face: faceOf(question, over), ...lies.payload }
      agent.face = null
      json(response, 200, { reading: await readingOf(device, question, Date.now(), { ...lies, payload }) })
    },
    fail(error) {
      const { response } = due()
      agent.face = null
      json(response, 409, { error })
    },
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  return agent
}
