/**
 * Alibaba Cloud's request signature, version 3 (ACS3), over SM3 or SHA-256. Signed are method, path, sorted query, body
 * and every `x-acs-` header beside `host`; the service refuses a date more than 15 minutes off and a nonce it has seen.
 */
import { createHash, createHmac } from 'node:crypto'

export type Acs3Algorithm = 'ACS3-HMAC-SM3' | 'ACS3-HMAC-SHA256'

interface Request {
  readonly algorithm: Acs3Algorithm
  readonly keyId: string
  readonly secret: string
  readonly host: string
  readonly action: string
  readonly version: string
  readonly query: { readonly [name: string]: string }
  /** A form, spelled by `canonicalQuery`; none unless said. */
  readonly body?: string
  readonly nonce: string
  /** Milliseconds. */
  readonly at: number
}

const hashes = { 'ACS3-HMAC-SM3': 'sm3', 'ACS3-HMAC-SHA256': 'sha256' } as const

/** RFC 3986: everything but the unreserved characters is escaped. */
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)

/** The query in the one order and spelling that is signed. */
export const canonicalQuery = (query: Request['query']): string =>
  Object.keys(query)
    .sort()
    .map((name) => `${escaped(name)}=${escaped(query[name] ?? '')}`)
    .join('&')

/** The headers of a POST to `/`. */
export function acs3Headers(request: Request): Readonly<Record<string, string>> {
  const { algorithm, keyId, secret, host, action, version, query, body = '', nonce, at } = request
  const hash = (text: string) => createHash(hashes[algorithm]).update(text).digest('hex')
  const headers: Record<string, string> = {
    ...(body === '' ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    host,
    'x-acs-action': action,
    'x-acs-content-sha256': hash(body),
    'x-acs-date': new Date(at).toISOString().replace(/\.\d+/, ''),
    'x-acs-signature-nonce': nonce,
    'x-acs-version': version,
  }
  const names = Object.keys(headers).sort()
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('')
  const canonical = ['POST', '/', canonicalQuery(query), lines, names.join(';'), hash(body)].join('\n')
  const signature = createHmac(hashes[algorithm], secret)
    .update(`${algorithm}\n${hash(canonical)}`)
    .digest('hex')
  const { host: _, ...sent } = headers
  return {
    ...sent,
    authorization: `${algorithm} Credential=${keyId},SignedHeaders=${names.join(';')},Signature=${signature}`,
  }
}
