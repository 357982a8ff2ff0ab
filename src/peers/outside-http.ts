/**
 * One question over HTTP to a platform of somebody else, within a time and a length. What it answers is quoted nowhere:
 * not in an error, not in a log.
 */
import { failureOf, PeerFailure, readLimited } from './signed-http.ts'

export interface OutsideQuestion {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
}

export interface OutsideAnswer {
  readonly status: number
  /** The media type without its parameters, lower case. */
  readonly type: string
  readonly text: string
  /** The header `x-yihao-signature`, of those that sign. */
  readonly signature: string | undefined
}

/** Answers below 500 are the caller's to judge. @throws PeerFailure where none came in time */
export async function askOutside({ timeoutMs, url, ...question }: OutsideQuestion): Promise<OutsideAnswer> {
  try {
    const answer = await fetch(url, { ...question, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    const text = await readLimited(answer)
    if (answer.status >= 500) throw new PeerFailure(`status ${answer.status}`)
    const [type = ''] = (answer.headers.get('content-type') ?? '').split(';')
    const signature = answer.headers.get('x-yihao-signature') ?? undefined
    return { status: answer.status, type: type.trim().toLowerCase(), text, signature }
  } catch (error) {
    throw failureOf(error)
  }
}

/** @throws PeerFailure `not-json` */
export function jsonOf({ text }: OutsideAnswer): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw failureOf(error)
  }
}

const mediaTypes = { form: 'application/x-www-form-urlencoded', json: 'application/json' } as const

/** The fields as a form or as JSON, with their media type. */
export function bodyOf(encoding: 'form' | 'json', fields: Readonly<Record<string, string>>) {
  const body = encoding === 'json' ? JSON.stringify(fields) : new URLSearchParams(fields).toString()
  return { body, type: mediaTypes[encoding] }
}
