/**
 * Security headers by helmet, the same on every answer; a page may open `form-action` to one application's addresses
 * (engine trap 11: `form-action 'self'` would stop the redirect after a POST, and `no-referrer` would make forms send
 * `Origin: null`).
 */
import type { ServerResponse } from 'node:http'
import helmet from 'helmet'
import type { RequestHandler } from 'express'

function policy(formTargets: readonly string[]): string {
  return [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src 'self'`,
    `img-src 'self' data:`,
    `font-src 'self'`,
    `connect-src 'self'`,
    `form-action 'self'${formTargets.map((target) => ` ${target}`).join('')}`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
    `object-src 'none'`,
  ].join('; ')
}

/** Lets the forms of this one page end at these origins. */
export function allowFormTargets(response: ServerResponse, origins: readonly string[]): void {
  response.setHeader('content-security-policy', policy(origins))
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
