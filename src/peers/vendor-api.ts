/** One question over HTTP to a vendor's API, as JSON, within a time; what it answers is quoted nowhere. */
import { askOutside, jsonOf } from './outside-http.ts'

interface Question {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly withinMs: number
}

/** A 4xx is read too: vendors put their code into its body. @throws PeerFailure where there is no JSON in time */
export async function askVendor({ url, headers, body = '', withinMs }: Question): Promise<unknown> {
  const timeoutMs = Math.max(1, Math.ceil(withinMs))
  return jsonOf(await askOutside({ method: 'POST', url: url.href, headers, body, timeoutMs }))
}

/** A vendor's code, where it has the form of one: anything else might be a sentence that names somebody. */
export const codeOf = (code: unknown): string =>
  typeof code === 'string' && /^[\w.:-]{1,64}$/.test(code) ? `code ${code}` : 'malformed'
