/** The pages for whoever comes without a sign-in: the front page, the error codes, and what monitors ask for. */
import { Router } from 'express'
import type { Locale } from '#src/errors.ts'
import { documentedErrors, errorsPath } from '#src/oidc/error-answers.ts'
import type { Pages } from '#src/http/pages.ts'

export interface Link {
  readonly name: Readonly<Record<Locale, string>>
  readonly url: string
}

export interface HomeParts {
  readonly pages: Pages
  readonly links: readonly Link[]
  readonly ready: () => Promise<boolean>
}

export function homePages({ pages, links, ready }: HomeParts): Router {
  const router = Router()
  router.get('/', (request, response) => pages.send(request, response, { view: 'home', data: { applications: links } }))
  router.get(errorsPath, (request, response) =>
    pages.send(request, response, { view: 'errors', data: { codes: documentedErrors } }),
  )
  router.get('/health', (_request, response) => response.json({ status: 'up' }))
  router.get('/ready', async (_request, response) => {
    const isReady = await ready()
    response.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'unavailable' })
  })
  return router
}
