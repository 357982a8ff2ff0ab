/** Form input: small bodies, and every field exactly one string, so that no parser trick reaches a room. */
import express, { type Request, type RequestHandler } from 'express'
import { AppError } from '#src/errors.ts'
import { largeFormBytes } from './body-limit.ts'

export const parseForm: RequestHandler = express.urlencoded({ extended: false, limit: '16kb', parameterLimit: 20 })

/** What comes back from another site may hold an image that passes through (facts of the national service: 70 KB). */
export const parseLargeForm: RequestHandler = express.urlencoded({
  extended: false,
  limit: largeFormBytes,
  parameterLimit: 40,
})

/** Every field, each one text. @throws AppError `bad_request` where one was sent twice */
export function fields(given: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(typeof given === 'object' && given !== null ? given : {})
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
    throw new AppError('bad_request', { detail: 'a field is not one string' })
  return Object.fromEntries(entries)
}

/** The field's text, empty where it is missing. @throws AppError `bad_request` where it was sent twice */
export function field(request: Request, name: string): string {
  const body: unknown = request.body
  const value = typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? Reflect.get(body, name) : ''
  if (typeof value !== 'string') throw new AppError('bad_request', { detail: `the field ${name} is not one string` })
  return value
}
