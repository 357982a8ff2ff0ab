/**
 * What is known of one request before any business: its number (编号), address, language and type size. The choices a
 * visitor makes by `?lang=` and `?size=` are remembered on his device and nowhere else.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { NextFunction, Request, Response } from 'express'
import type { Locale } from '#src/errors.ts'

export type TypeSize = 'normal' | 'large'

export interface Visit {
  /** 编号: shown on error pages, stands in log and audit trail. */
  readonly reference: string
  readonly address: string
  readonly locale: Locale
  readonly size: TypeSize
  readonly startedAt: number
}

const visit = Symbol('visit')

/** The visit of an express request, or of the same request inside the engine. */
export function visitOf(request: object): Visit {
  const found = (request as { [visit]?: Visit })[visit]
  if (!found) throw new Error('the request has no visit: rememberVisit must run first')
  return found
}

/** Letters and digits that are not mistaken for one another when read over the phone (Crockford's base 32). */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export function newReference(): string {
  const letters = [...randomBytes(10)].map((byte) => alphabet[byte % 32])
  return `${letters.slice(0, 5).join('')}-${letters.slice(5).join('')}`
}

export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = pair.trim().split('=')
    if (key === name) return value
  }
  return undefined
}

function localeOf(request: Request, chosen: unknown): Locale {
  for (const wish of [chosen, cookieOf(request, 'lang'), ...String(request.query['ui_locales'] ?? '').split(' ')]) {
    const found = typeof wish === 'string' ? /^(zh|en)\b/i.exec(wish) : null
    if (found) return found[1]?.toLowerCase() as Locale
  }
  return request.acceptsLanguages(['zh', 'en']) === 'en' ? 'en' : 'zh'
}

const isSize = (wish: unknown): wish is TypeSize => wish === 'normal' || wish === 'large'

function sizeOf(request: Request, chosen: unknown): TypeSize {
  return [chosen, cookieOf(request, 'size')].find(isSize) ?? 'normal'
}

const yearMs = 365 * 86_400_000

export function rememberVisit(options: { readonly secure: boolean }) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const { lang, size } = request.query
    const seen: Visit = {
      reference: newReference(),
      address: request.ip ?? '',
      locale: localeOf(request, lang),
      size: sizeOf(request, size),
      startedAt: performance.now(),
    }
    Object.defineProperty(request, visit, { value: seen })
    const remember = { maxAge: yearMs, httpOnly: true, sameSite: 'lax', secure: options.secure, path: '/' } as const
    if (lang === 'zh' || lang === 'en') response.cookie('lang', lang, remember)
    // What an application asks for lasts as long as the browser, and never against the visitor's own choice.
    else if (request.query['ui_locales'] !== undefined && cookieOf(request, 'lang') === undefined) {
      response.cookie('lang', seen.locale, { ...remember, maxAge: undefined })
    }
    if (isSize(size)) response.cookie('size', size, remember)
    response.setHeader('content-language', seen.locale === 'zh' ? 'zh-CN' : 'en')
    response.setHeader('x-request-id', seen.reference)
    next()
  }
}
