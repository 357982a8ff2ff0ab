/** Form input: small bodies, and every field exactly one string, so that no parser trick reaches a room. */
import express, { type Request, type RequestHandler } from 'express'
import { AppError } from '#src/errors.ts'

export const parseForm: RequestHandler = express.urlencoded({ extended: false, limit: '16kb', parameterLimit: 20 })

/** The field's text, empty where it is missing. @throws AppError `bad_request` where it was sent twice */
export function field(request: Request, name: string): string {
  const body: unknown = request.body
  const value = typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? Reflect.get(body, name) : ''
  if (typeof value !== 'string') throw new AppError('bad_request', { detail: `the field ${name} is not one string` })
  return value
}
