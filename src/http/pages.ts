/**
 * Renders pages: a view inside the layout, in the visitor's language and type size, never cached. Works for express
 * requests and, with the same request and response, inside the engine.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Eta } from 'eta'
import type { Locale } from '#src/errors.ts'
import { phrases } from './phrases.ts'
import { allowReach, type Reach } from './security.ts'
import { visitOf, type Visit } from './visit.ts'
import type { Words } from './words.ts'

/** What each page shows of the city; from the settings. */
export interface City {
  readonly name: Readonly<Record<Locale, string>>
  readonly accent: string
  readonly hotline: string
  readonly office: Readonly<Record<Locale, string>>
  readonly officeContact: string
  readonly complaints: string
  readonly windows: string
  readonly privacy: string
}

export interface Page extends Reach {
  readonly view: string
  readonly status?: number
  readonly data?: Readonly<Record<string, unknown>>
}

export type RenderPage = (request: IncomingMessage, response: ServerResponse, page: Page) => string
export type SendPage = (request: IncomingMessage, response: ServerResponse, page: Page) => void

interface Dependencies {
  readonly views: string
  readonly words: (locale: Locale) => Words
  readonly city: City
  /** Templates are read anew at each use, for those who write them. */
  readonly reload: boolean
}

export interface Pages {
  /** Sets status and headers and gives the HTML. */
  readonly render: RenderPage
  readonly send: SendPage
}

/** The same address with another language or type size: links that work without JavaScript. */
function switches(request: IncomingMessage, visit: Visit): Readonly<Record<'language' | 'size', string>> {
  const { originalUrl } = request as { originalUrl?: string }
  // Behind our own slash, whatever the path looks like: `//elsewhere` would lead the link away from here.
  const url = new URL(`http://here/${originalUrl ?? request.url ?? ''}`)
  const withParameter = (name: string, value: string): string => {
    const other = new URL(url)
    other.searchParams.set(name, value)
    return `${other.pathname.replace(/^\/+/, '/')}${other.search}`
  }
  return {
    language: withParameter('lang', visit.locale === 'zh' ? 'en' : 'zh'),
    size: withParameter('size', visit.size === 'large' ? 'normal' : 'large'),
  }
}

export function createPages({ views, words, city, reload }: Dependencies): Pages {
  const eta = new Eta({ views, cache: !reload, varName: 'it' })

  const render: RenderPage = (request, response, { view, status = 200, data = {}, ...reach }) => {
    const visit = visitOf(request)
    const t = words(visit.locale)
    response.statusCode = status
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.setHeader('cache-control', 'no-store')
    allowReach(response, reach)
    // Only a GET may be repeated by a link.
    const links = request.method === 'GET' ? switches(request, visit) : undefined
    return eta.render(`./${view}`, { ...data, t, phrases, visit, city, links, locale: visit.locale })
  }

  return {
    render,
    send(request, response, page) {
      response.end(render(request, response, page))
    },
  }
}
