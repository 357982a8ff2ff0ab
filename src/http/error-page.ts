/** The last handler: any error becomes a page (or JSON) with a public sentence and the 编号; the rest goes to the log. */
import type { NextFunction, Request, Response } from 'express'
import { AppError } from '#src/errors.ts'
import type { Logger } from './log.ts'
import type { Pages } from './pages.ts'
import { visitOf } from './visit.ts'

/** What Express and its parsers throw (http-errors) in our words. */
function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const status = (error as { status?: unknown } | undefined)?.status
  if (status === 413) return new AppError('payload_too_large', { cause: error })
  if (typeof status === 'number' && status >= 400 && status < 500) return new AppError('bad_request', { cause: error })
  return new AppError('internal', { cause: error })
}

export function errorPage(pages: Pages, log: Logger) {
  return (thrown: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const error = toAppError(thrown)
    const { reference, locale } = visitOf(request)
    log[error.status >= 500 ? 'error' : 'info']({ err: error, reference }, 'refused')
    // An answer half sent is cut off, so that nobody takes it for whole.
    if (response.headersSent) return void response.destroy()
    const sentence = error.sentence(locale)
    if (request.accepts(['html', 'json']) === 'json') {
      response
        .status(error.status)
        .set('cache-control', 'no-store')
        .json({ error: error.code, message: sentence, reference })
      return
    }
    pages.send(request, response, { view: 'error', status: error.status, data: { sentence } })
  }
}

export function notFound(_request: Request, _response: Response, next: NextFunction): void {
  next(new AppError('not_found'))
}
