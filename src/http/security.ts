/**
 * Security headers by helmet, the same on every answer; a page may open `form-action` to one application's addresses
 * (engine trap 11: `form-action 'self'` would stop the redirect after a POST, and `no-referrer` would make forms send
 * `Origin: null`).
 */
import type { ServerResponse } from 'node:http'
import helmet from 'helmet'
import type { RequestHandler } from 'express'

const listed = (sources: readonly string[]) => sources.map((source) => ` ${source}`).join('')

function policy(formTargets: readonly string[], connects: readonly string[]): string {
  return [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src 'self'`,
    `img-src 'self' data:`,
    `font-src 'self'`,
    `connect-src 'self'${listed(connects)}`,
    `form-action 'self'${listed(formTargets)}`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
    `object-src 'none'`,
  ].join('; ')
}

/**
 * The addresses of an application as CSP sources: origins; the scheme for an app's own one; any port of the loopback,
 * which an app chooses when it listens (RFC 8252 §7.3).
 */
export function formTargetsOf(addresses: readonly string[]): readonly string[] {
  const sources = addresses.map((address) => {
    const { protocol, hostname, origin } = new URL(address)
    if (protocol !== 'https:' && protocol !== 'http:') return protocol
    return hostname === '127.0.0.1' ? 'http://127.0.0.1:*' : origin
  })
  return [...new Set(sources)]
}

/** Lets the forms of this one page end at these sources, and its script talk to those. */
export function allowFormTargets(
  response: ServerResponse,
  sources: readonly string[],
  connects: readonly string[] = [],
): void {
  response.setHeader('content-security-policy', policy(sources, connects))
}

export function securityHeaders(options: { readonly https: boolean }): RequestHandler[] {
  return [
    helmet({
      contentSecurityPolicy: false,
      referrerPolicy: { policy: 'same-origin' },
      strictTransportSecurity: options.https ? { maxAge: 63_072_000, includeSubDomains: true } : false,
      xFrameOptions: { action: 'deny' },
    }),
    (_request, response, next) => {
      allowFormTargets(response, [])
      response.setHeader('permissions-policy', 'camera=(), microphone=(), geolocation=(), payment=()')
      next()
    },
  ]
}
