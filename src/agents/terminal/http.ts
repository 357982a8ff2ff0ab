/**
 * The agent's face on the loopback: the start page for whoever stands at the terminal, its state for the pages that
 * show it, and one reading at a time for a page of the issuer. What is answered holds nothing of a citizen but the signed
 * reading itself.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { Doors } from './doors.ts'
import type { Comparer, Comparison, FaceFault } from './face/comparison.ts'
import type { Mirror } from './face/mirror.ts'
import { actions } from './face/pose.ts'
import type { CardReader, CardRead, ReadFault } from './reader.ts'
import type { Device } from './signing.ts'

interface File {
  readonly type: string
  readonly body: string
}

export interface AgentOptions {
  readonly terminal: string
  readonly reader: CardReader
  readonly device: Device
  readonly doors: Doors
  readonly waitMs: number
  /** What the start page is made of, by path. */
  readonly files: ReadonlyMap<string, File>
  /** Where the terminal has a camera. */
  readonly face?: { readonly comparer: Comparer; readonly mirror: Mirror }
  /** Told the outcome of each reading, and of a fault its error; never what was read. */
  readonly onReading?: (outcome: string, error?: unknown) => void
}

const methods: ReadonlyMap<string, string> = new Map([
  ['/reading', 'POST'],
  ['/state', 'GET'],
])
const bodyBytes = 4096
const bodyMs = 5_000
const question = z.strictObject({
  nonce: z.string().regex(/^[\w.~-]{16,256}$/),
  attempt: z.string().regex(/^[\w.~-]{1,256}$/),
  face: z
    .strictObject({
      actions: z
        .array(z.enum(actions))
        .length(2)
        .refine((asked) => asked[0] !== asked[1]),
    })
    .optional(),
})

const headers = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  vary: 'Origin',
} as const

export function createAgent(options: AgentOptions): RequestListener {
  const { terminal, reader, device, doors, waitMs, files, face, onReading = () => undefined } = options
  /** Held from the question to the answer sent, so that two pages never share a card. */
  let underWay = false

  async function read(request: IncomingMessage, response: ServerResponse): Promise<string> {
    if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
      return refuse(response, 415, 'not-json')
    const body = await bodyOf(request)
    if (body === undefined) return refuse(response.setHeader('connection', 'close'), 413, 'too-large')
    const asked = question.safeParse(fromJson(body))
    if (!asked.success) return refuse(response, 400, 'bad-request')
    if (!device.valid()) return refuse(response, 409, 'not-ready')
    const left = new AbortController()
    // A page that has gone must not get a card read, nor keep the next one waiting.
    response.on('close', () => left.abort())
    const { face: movements, ...named } = asked.data
    if (movements && !face) return refuse(response, 409, 'no-camera')
    const comparison = movements && face?.comparer.begin(movements.actions, left.signal)
    try {
      const outcome = await reader.read(waitMs, left.signal, { photo: comparison !== undefined })
      return await (typeof outcome === 'string'
        ? refuse(response, 409, outcome)
        : sign(response, named, outcome, comparison))
    } finally {
      await comparison?.end()
    }
  }

  /** Signs what was read, and what came of the comparison where one was asked for. */
  async function sign(
    response: ServerResponse,
    named: { readonly nonce: string; readonly attempt: string },
    { text, sam, photo }: CardRead,
    comparison?: Comparison,
  ): Promise<string> {
    const readAt = Math.floor(Date.now() / 1000)
    try {
      const compared = comparison && (photo ? await comparison.compare({ text, photo }) : 'photo-fault')
      if (typeof compared === 'string') return refuse(response, 409, compared)
      const stated = { ...named, terminal, sam, readAt, text, ...(compared ? { face: compared } : {}) }
      send(response, 200, { reading: await device.sign(stated) })
      return compared ? `face-${compared.outcome}` : 'read'
    } finally {
      text.fill(0)
      photo?.fill(0)
    }
  }

  async function takeReading(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (underWay) return void refuse(response, 409, 'busy')
    underWay = true
    try {
      onReading(await read(request, response))
    } catch (error) {
      onReading('fault', error)
      if (!response.headersSent) refuse(response, 500, 'fault')
    } finally {
      underWay = false
    }
  }

  const state = () => {
    const compared = face?.comparer.state()
    return { ...reader.state(), ...(compared === undefined ? {} : { face: compared }) }
  }

  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    request.on('error', () => undefined)
    if (!doors.isForUs(request)) return refuse(response, 403, 'foreign-origin')
    // Not as a URL, which a hostile path may not be.
    const [pathname = ''] = (request.url ?? '').split('?')
    const file = files.get(pathname)
    if (file && request.method === 'GET') {
      response.setHeader('content-type', file.type)
      return response.end(file.body)
    }
    if (face?.mirror.answer(pathname, request, response)) return
    const method = methods.get(pathname)
    if (method === undefined) return refuse(response, 404, 'not-found')
    const own = method === 'GET' && doors.isOwnPage(request)
    if (!own && !doors.isIssuer(request)) return refuse(response, 403, 'foreign-origin')
    if (!own) doors.admit(request, response)
    if (request.method === 'OPTIONS') return response.writeHead(204).end()
    if (request.method !== method) return refuse(response, 405, 'method')
    if (method === 'GET') return send(response, 200, state())
    void takeReading(request, response)
  }
}

type Refusal =
  ReadFault | FaceFault | 'no-camera' | 'not-ready' | 'foreign-origin' | 'not-found' | 'method' | BadQuestion | 'fault'
type BadQuestion = 'bad-request' | 'not-json' | 'too-large'

function send(response: ServerResponse, status: number, answer: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
}

export function refuse(response: ServerResponse, status: number, error: Refusal): string {
  send(response, status, { error })
  return error
}

/** Undefined where it is too long, is not finished in time, or breaks off. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const late = new AbortController()
  const collect = async () => {
    const parts: Buffer[] = []
    let length = 0
    for await (const part of request as AsyncIterable<Buffer>) {
      length += part.length
      if (length > bodyBytes) return undefined
      parts.push(part)
    }
    return Buffer.concat(parts).toString()
  }
  const patience = pause(bodyMs, undefined, { signal: late.signal }).catch(() => undefined)
  try {
    return await Promise.race([collect().catch(() => undefined), patience])
  } finally {
    late.abort()
  }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
