/** One question over HTTP to a vendor's API, as JSON, within a time; what it answers is quoted nowhere. */
import { failureOf, PeerFailure, readLimited } from './signed-http.ts'

interface Question {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly withinMs: number
}

/** A 4xx is read too: vendors put their code into its body. @throws PeerFailure where there is no JSON in time */
export async function askVendor({ url, headers, body = '', withinMs }: Question): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(withinMs)))
    const answer = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' })
    const text = await readLimited(answer)
    if (answer.status >= 500) throw new PeerFailure(`status ${answer.status}`)
    return JSON.parse(text)
  } catch (error) {
    throw failureOf(error)
  }
}

/** A vendor's code, where it has the form of one: anything else might be a sentence that names somebody. */
export const codeOf = (code: unknown): string =>
  typeof code === 'string' && /^[\w.:-]{1,64}$/.test(code) ? `code ${code}` : 'malformed'
