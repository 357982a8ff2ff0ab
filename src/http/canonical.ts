/**
 * Whatever a request says of host and scheme, the server is what its issuer says. Forwarded headers have been used for
 * the client's address (Express, from trusted proxies only) and end here; the engine reads ours (RFC 9700 §4.13).
 */
import { isIP } from 'node:net'
import type { NextFunction, Request, Response } from 'express'

/** `GET http://elsewhere/path` (RFC 9112 §3.2.2) says a host as well, and the engine would believe it. */
function originForm(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : undefined
  return url ? `${url.pathname}${url.search}` : '/'
}

export function canonicalHost(issuer: string) {
  const { host, protocol } = new URL(issuer)
  return (request: Request, response: Response, next: NextFunction): void => {
    if (!request.url.startsWith('/')) {
      // Express has measured this address already: it begins anew with the one it should have got.
      request.url = request.originalUrl = originForm(request.url)
      return void request.app(request, response)
    }
    // Evaluated before the headers go: Express computes the address lazily.
    const { ip = '' } = request
    // A proxy may pass on what is no address.
    Object.defineProperty(request, 'ip', { value: isIP(ip) ? ip : request.socket.remoteAddress })
    for (const header of Object.keys(request.headers)) {
      if (header === 'forwarded' || header.startsWith('x-forwarded-')) delete request.headers[header]
    }
    request.headers.host = host
    request.headers['x-forwarded-proto'] = protocol.slice(0, -1)
    next()
  }
}
