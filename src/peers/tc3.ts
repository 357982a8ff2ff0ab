/**
 * Tencent Cloud's request signature TC3-HMAC-SHA256: a key of the day and the service, derived from the secret, over
 * method, path, content type, host and body. The service refuses a time more than five minutes off.
 */
import { createHash, createHmac } from 'node:crypto'

interface Request {
  readonly keyId: string
  readonly secret: string
  readonly service: string
  readonly host: string
  readonly body: string
  /** Milliseconds. */
  readonly at: number
}

export const tc3ContentType = 'application/json; charset=utf-8'

const hash = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

/** The headers that sign a POST to `/`; what action it is goes beside them. */
export function tc3Headers({ keyId, secret, service, host, body, at }: Request): Readonly<Record<string, string>> {
  const time = String(Math.floor(at / 1000))
  const date = new Date(at).toISOString().slice(0, 10)
  const signed = 'content-type;host'
  const canonical = ['POST', '/', '', `content-type:${tc3ContentType}\nhost:${host}\n`, signed, hash(body)].join('\n')
  const scope = `${date}/${service}/tc3_request`
  const key = hmac(hmac(hmac(`TC3${secret}`, date), service), 'tc3_request')
  const signature = hmac(key, ['TC3-HMAC-SHA256', time, scope, hash(canonical)].join('\n')).toString('hex')
  return {
    'content-type': tc3ContentType,
    'x-tc-timestamp': time,
    authorization: `TC3-HMAC-SHA256 Credential=${keyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
  }
}
