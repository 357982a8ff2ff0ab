/**
 * HTTP with a peer that shares a key with us (a gateway, a register, a verifier in another language): JSON both ways,
 * signed both ways with HMAC-SM3, within a deadline, tried once more where a second try does no harm.
 *
 * Request headers: `x-yihao-time` (seconds), `x-yihao-nonce` (16 random bytes, base64url) and `x-yihao-signature`, the
 * base64url HMAC-SM3 of `POST \n path and query \n time \n nonce \n hex SM3 of the body`. The answer carries
 * `x-yihao-signature`: the HMAC-SM3 of `status \n nonce of the request \n hex SM3 of the body`. The peer refuses times
 * more than 60 s off and nonces it has seen.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { hmacSm3, sm3 } from 'jose'

export interface SignedPeer {
  readonly url: string
  /** At least 32 bytes. */
  readonly key: Uint8Array
  readonly timeoutMs: number
  /** Further tries after a broken connection, a 5xx or a late answer. */
  readonly retries: number
}

const maxAnswerBytes = 65_536

const base64url = (bytes: Buffer) => bytes.toString('base64url')
const digest = (body: string) => sm3(body).toString('hex')

export function requestSignature(key: Uint8Array, path: string, time: string, nonce: string, body: string): string {
  return base64url(hmacSm3(key, ['POST', path, time, nonce, digest(body)].join('\n')))
}

export function answerSignature(key: Uint8Array, status: number, nonce: string, body: string): string {
  return base64url(hmacSm3(key, [status, nonce, digest(body)].join('\n')))
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** Why there is no answer. `detail` is for the log and quotes none: `timeout`, `not-signed`, `connection ECONNRESET` … */
export class PeerFailure extends Error {
  override readonly name: string = 'PeerFailure'
  readonly detail: string
  constructor(detail: string) {
    super(`the peer failed: ${detail}`)
    this.detail = detail
  }
}

/** What a 4xx or a carrier's code says: the peer has understood and refuses; trying again changes nothing. */
export class PeerRefusal extends PeerFailure {
  override readonly name = 'PeerRefusal'
  /** The status of HTTP, or the code by which the peer refuses. */
  readonly status: number | string
  constructor(status: number | string) {
    super(typeof status === 'number' ? `status ${status}` : status)
    this.status = status
  }
}

/** What went wrong on the way, in a word. No cause is kept: its message may quote an address or an answer. */
export function failureOf(error: unknown): PeerFailure {
  if (error instanceof PeerFailure) return error
  const { name, cause } = error as { readonly name?: unknown; readonly cause?: { readonly code?: unknown } }
  if (name === 'TimeoutError') return new PeerFailure('timeout')
  if (name === 'SyntaxError') return new PeerFailure('not-json')
  const code = String(cause?.code ?? '')
  return new PeerFailure(/^[A-Z][A-Z0-9_]+$/.test(code) ? `connection ${code}` : 'connection')
}

/** The body of an answer, no longer than 64 KiB. @throws PeerFailure `too-long` */
export async function readLimited(answer: Response): Promise<string> {
  const declared = Number(answer.headers.get('content-length') ?? 0)
  if (declared > maxAnswerBytes) {
    await answer.body?.cancel()
    throw new PeerFailure('too-long')
  }
  let text = ''
  const decoder = new TextDecoder()
  for await (const part of answer.body ?? []) {
    text += decoder.decode(part, { stream: true })
    if (text.length > maxAnswerBytes) throw new PeerFailure('too-long')
  }
  return text + decoder.decode()
}

async function once(peer: SignedPeer, body: string, now: () => number): Promise<unknown> {
  const { pathname, search } = new URL(peer.url)
  const time = String(Math.floor(now() / 1000))
  const nonce = base64url(randomBytes(16))
  const answer = await fetch(peer.url, {
    method: 'POST',
    redirect: 'error',
    signal: AbortSignal.timeout(peer.timeoutMs),
    headers: {
      'content-type': 'application/json',
      'x-yihao-time': time,
      'x-yihao-nonce': nonce,
      'x-yihao-signature': requestSignature(peer.key, `${pathname}${search}`, time, nonce, body),
    },
    body,
  })
  const text = await readLimited(answer)
  const signature = answer.headers.get('x-yihao-signature') ?? ''
  if (!sameText(signature, answerSignature(peer.key, answer.status, nonce, text))) {
    throw new PeerFailure('not-signed')
  }
  if (answer.status >= 400 && answer.status < 500) throw new PeerRefusal(answer.status)
  if (!answer.ok) throw new PeerFailure(`status ${answer.status}`)
  return JSON.parse(text)
}

/**
 * Sends a question and gives the verified answer.
 * @throws PeerRefusal where the peer refused, PeerFailure where it did not answer rightly in time
 */
export async function askPeer(peer: SignedPeer, question: unknown, now: () => number = Date.now): Promise<unknown> {
  const body = JSON.stringify(question)
  for (let tries = 0; ; tries += 1) {
    try {
      return await once(peer, body, now)
    } catch (error) {
      if (error instanceof PeerRefusal || tries >= peer.retries) throw failureOf(error)
    }
  }
}
