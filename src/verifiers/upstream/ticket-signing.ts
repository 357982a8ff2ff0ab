/**
 * How questions to a ticket platform are signed, as such platforms publish it:
 *
 * - `md5`: a field of the body, the MD5 of code, password and time (浙江政务服务网, first version). It proves little, so
 *   the line must be encrypted;
 * - `hmac-sha256`: four headers of a gateway, over method, path, query, access key and time (浙里办 IRS);
 * - `hmac-sm3`: the same headers, for platforms that have turned to domestic algorithms;
 * - `none`: the network alone tells who asks.
 */
import { createHash, createHmac } from 'node:crypto'
import { resolve } from 'node:path'
import { hmacSm3 } from 'jose'
import type { TicketSettings } from '#src/config/upstream.ts'
import { readSecret } from '#src/peers/secret-file.ts'

export interface Signed {
  readonly headers: Readonly<Record<string, string>>
  /** What `{time}` and `{sign}` of a body stand for. */
  readonly places: Readonly<Record<string, string>>
}

export type Sign = (url: string, now: number) => Signed

/** `20261124170122`, as clocks in China show it. */
const chinaTime = (now: number): string =>
  new Date(now + 8 * 3_600_000).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '')

/** The query as the gateway sorts it: unescaped, by name. */
function sortedQuery(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('&')
}

/** @throws AppError `key_invalid` */
export function signerOf({ appId, signing }: Pick<TicketSettings, 'appId' | 'signing'>): Sign {
  if (signing.kind === 'none') return (_url, now) => ({ headers: {}, places: { time: chinaTime(now) } })
  const secret = readSecret(resolve(signing.keyFile))

  if (signing.kind === 'md5') {
    return (_url, now) => {
      const time = chinaTime(now)
      const sign = createHash('md5').update(`${appId}${secret}${time}`).digest('hex')
      return { headers: {}, places: { time, sign } }
    }
  }

  const { kind, accessKey } = signing
  const mac = (text: string): Buffer =>
    kind === 'hmac-sm3' ? hmacSm3(Buffer.from(secret), text) : createHmac('sha256', secret).update(text).digest()

  return (address, now) => {
    const url = new URL(address)
    const date = new Date(now).toUTCString()
    const lines = ['POST', url.pathname, sortedQuery(url), accessKey, date]
    return {
      headers: {
        'x-bg-hmac-access-key': accessKey,
        'x-bg-hmac-algorithm': kind,
        'x-bg-hmac-signature': mac(`${lines.join('\n')}\n`).toString('base64'),
        'x-bg-date-time': date,
      },
      places: { time: chinaTime(now) },
    }
  }
}
