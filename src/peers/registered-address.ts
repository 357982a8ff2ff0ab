/**
 * HTTP to an address an application registered, made so that it cannot be turned against our own network (server-side
 * request forgery): the address is checked where the connection is made, so DNS cannot change its mind in between;
 * private addresses only for hosts that the settings name; no redirects; an answer is read no further than it is needed.
 */
import { lookup as resolve } from 'node:dns'
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** IPv4 that no public application has (IANA special-purpose registry, multicast and reserved space). */
const special = new BlockList()
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  special.addSubnet(net, prefix, 'ipv4')
}

/** Public IPv6 is global unicast (RFC 4291 §2.4); what is special or carries an IPv4 address inside it is taken out. */
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')
const specialUnicast = new BlockList()
for (const [net, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  specialUnicast.addSubnet(net, prefix, 'ipv6')
}

/** True for everything but a public address; what is no address counts as special. */
export function isSpecialAddress(address: string): boolean {
  if (isIP(address) === 4) return special.check(address, 'ipv4')
  if (isIP(address) !== 6) return true
  return !globalUnicast.check(address, 'ipv6') || specialUnicast.check(address, 'ipv6')
}

const guardedLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, [])
    const open = addresses.filter(({ address }) => !isSpecialAddress(address))
    const [first] = open
    if (!first) return callback(new Error('the host has no public address'), [])
    return options.all ? callback(null, open) : callback(null, first.address, first.family)
  })
}

export interface AddressOptions {
  /** Hosts (`name` or `name:port`) that may have a private address and speak plain http. */
  readonly internalHosts: readonly string[]
  readonly timeoutMs: number
}

interface Sending {
  readonly method: 'GET' | 'POST'
  readonly headers: OutgoingHttpHeaders
  readonly body?: string
}

/** @throws Error when nothing answered in time or the address is forbidden */
function send(
  target: string,
  { body, ...sending }: Sending,
  options: AddressOptions,
  read: (response: IncomingMessage) => Promise<void>,
): Promise<void> {
  const url = new URL(target)
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const names = [url.hostname, `${url.hostname}:${port}`]
  const internal = options.internalHosts.some((host) => names.includes(host.toLowerCase()))
  if (url.protocol !== 'https:' && !(internal && url.protocol === 'http:')) {
    return Promise.reject(new Error('the address is not https'))
  }
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  if (!internal && isIP(literal) !== 0 && isSpecialAddress(literal)) {
    return Promise.reject(new Error('the address is private'))
  }
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((done, fail) => {
    const request = open(url, {
      ...sending,
      signal: AbortSignal.timeout(options.timeoutMs),
      ...(internal ? {} : { lookup: guardedLookup }),
    })
    request.on('response', (response) => void read(response).then(done, fail))
    request.on('error', fail)
    request.end(body)
  })
}

/** Sends a form and gives the status. @throws Error when nothing answered in time or the address is forbidden */
export async function postForm(
  target: string,
  form: Readonly<Record<string, string>>,
  options: AddressOptions,
): Promise<number> {
  const body = new URLSearchParams(form).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }
  let status = 0
  await send(target, { method: 'POST', headers, body }, options, async (response) => {
    status = response.statusCode ?? 0
    response.destroy()
  })
  return status
}

export interface Fetched {
  readonly text: string
  /** Seconds that `Cache-Control: max-age` allows (RFC 9111 §5.2.2.1); 0 where it says nothing. */
  readonly maxAge: number
}

/**
 * Gets a document of at most so many bytes.
 * @throws Error when it does not come whole and in time, the status is not 200, or the address is forbidden
 */
export async function getDocument(target: string, maxBytes: number, options: AddressOptions): Promise<Fetched> {
  const { bytes, maxAge } = await getBytes(target, 'application/json', maxBytes, options)
  return { text: bytes.toString('utf8'), maxAge }
}

/** As `getDocument`, whatever its bytes are. */
export async function getBytes(
  target: string,
  accept: string,
  maxBytes: number,
  options: AddressOptions,
): Promise<Omit<Fetched, 'text'> & { readonly bytes: Buffer }> {
  let fetched: Awaited<ReturnType<typeof getBytes>> | undefined
  await send(target, { method: 'GET', headers: { accept } }, options, async (response) => {
    if (response.statusCode !== 200) {
      response.destroy()
      throw new Error(`the address answered ${response.statusCode}`)
    }
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of response as AsyncIterable<Buffer>) {
      bytes += part.length
      // Leaving the loop ends the connection.
      if (bytes > maxBytes) throw new Error('the document is too long')
      parts.push(part)
    }
    const [, maxAge] = /(?:^|[\s,])max-age=(\d{1,9})/.exec(response.headers['cache-control'] ?? '') ?? []
    fetched = { bytes: Buffer.concat(parts), maxAge: Number(maxAge ?? 0) }
  })
  if (!fetched) throw new Error('the address answered nothing')
  return fetched
}
