/** One line a request: method, route without its variable parts or query, status, duration. Never an address in full. */
import type { NextFunction, Request, Response } from 'express'
import type { Logger } from './log.ts'
import { visitOf } from './visit.ts'

/** Path segments that are ours; all others are ids and the like. */
const word = /^[a-z][a-z-]{0,24}$|^\.well-known$/

export function routeOf(path: string): string {
  return path
    .split('/')
    .slice(0, 6)
    .map((part) => (part === '' || word.test(part) ? part : ':id'))
    .join('/')
}

export function accessLog(log: Logger) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const { reference, startedAt } = visitOf(request)
    const route = routeOf(request.path)
    response.on('finish', () => {
      const ms = Math.round((performance.now() - startedAt) * 10) / 10
      log.info({ reference, method: request.method, route, status: response.statusCode, ms }, 'request')
    })
    next()
  }
}
