/**
 * Whatever a request says of host and scheme, the server is what its issuer says. Forwarded headers have been used for
 * the client's address (Express, from trusted proxies only) and end here; the engine reads ours (RFC 9700 §4.13).
 */
import type { NextFunction, Request, Response } from 'express'

const forwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-server']

export function canonicalHost(issuer: string) {
  const { host, protocol } = new URL(issuer)
  return (request: Request, _response: Response, next: NextFunction): void => {
    // Evaluated before the headers go: Express computes the address lazily.
    Object.defineProperty(request, 'ip', { value: request.ip })
    for (const header of forwarded) delete request.headers[header]
    request.headers.host = host
    request.headers['x-forwarded-proto'] = protocol.slice(0, -1)
    next()
  }
}
