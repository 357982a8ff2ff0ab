/**
 * A body that is declared too large is refused before anybody reads it (RFC 9110 §15.5.14). Parsers have limits of their
 * own for those that do not say how large they are.
 */
import type { NextFunction, Request, Response } from 'express'
import { AppError } from '#src/errors.ts'

/** Larger than any form of ours and any request of an application, signed assertions included. */
const largest = 56 * 1024

export function refuseLargeBodies(request: Request, _response: Response, next: NextFunction): void {
  if (Number(request.headers['content-length'] ?? 0) > largest) return next(new AppError('payload_too_large'))
  next()
}
