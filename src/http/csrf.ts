/**
 * Cross-site request forgery: a request that changes something must come from our own pages. Browsers say so in
 * Sec-Fetch-Site, older ones in Origin; one that says neither cannot be told from an attacker's and is refused.
 * Protocol endpoints authenticate the application instead and stand before this guard.
 */
import type { NextFunction, Request, Response } from 'express'
import { AppError } from '#src/errors.ts'

const safe = new Set(['GET', 'HEAD', 'OPTIONS'])

export function refuseForeignOrigins(origin: string) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    if (safe.has(request.method)) return next()
    const site = request.headers['sec-fetch-site']
    const from = request.headers.origin
    const ours =
      site === undefined ? from === origin : site === 'same-origin' && (from === undefined || from === origin)
    if (ours) return next()
    next(new AppError('foreign_origin', { detail: 'a form that is not ours' }))
  }
}
