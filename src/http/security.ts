/**
 * Security headers by helmet, the same on every answer; a page may open `form-action` to one application's addresses
 * (engine trap 11: `form-action 'self'` would stop the redirect after a POST, and `no-referrer` would make forms send
 * `Origin: null`).
 */
import type { ServerResponse } from 'node:http'
import helmet from 'helmet'
import type { RequestHandler } from 'express'

const listed = (sources: readonly string[]) => sources.map((source) => ` ${source}`).join('')

/** What one page may reach besides our own origin. */
export interface Reach {
  /** Where its forms may end. */
  readonly formTargets?: readonly string[] | undefined
  /** What its script talks to. */
  readonly connects?: readonly string[] | undefined
  /** What it shows in a frame. */
  readonly frames?: readonly string[] | undefined
}

function policy({ formTargets = [], connects = [], frames = [] }: Reach): string {
  return [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src 'self'`,
    `img-src 'self' data:`,
    `font-src 'self'`,
    `connect-src 'self'${listed(connects)}`,
    `form-action 'self'${listed(formTargets)}`,
    ...(frames.length > 0 ? [`frame-src${listed(frames)}`] : []),
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

/** Opens the policy of this one page, as far as it says. */
export function allowReach(response: ServerResponse, reach: Reach): void {
  response.setHeader('content-security-policy', policy(reach))
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
      allowReach(response, {})
      response.setHeader('permissions-policy', 'camera=(), microphone=(), geolocation=(), payment=()')
      next()
    },
  ]
}
