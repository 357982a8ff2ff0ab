/**
 * A body that is declared too large is refused before anybody reads it (RFC 9110 §15.5.14). Parsers have limits of their
 * own for those that do not say how large they are.
 */
import type { NextFunction, Request, Response } from 'express'
import { AppError } from '#src/errors.ts'

/** Larger than any form of ours and any request of an application, signed assertions included. */
const largest = 56 * 1024
/** What other sites and devices answer may be larger: a signature with its chain, an image that passes through. */
export const largeFormBytes = 160 * 1024
const answers = /^\/(?:return\/[^/]+|login\/[^/]+\/(?:return|prove))$/

export function refuseLargeBodies(request: Request, _response: Response, next: NextFunction): void {
  const limit = answers.test(request.path) ? largeFormBytes : largest
  if (Number(request.headers['content-length'] ?? 0) > limit) return next(new AppError('payload_too_large'))
  next()
}
