/**
 * An application of the demo city: a small website that knows its citizen by an OpenID Connect client and a session of
 * its own, and forgets him when a logout notice says so.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import express, { type Request, type Response } from 'express'
import helmet from 'helmet'
import type { DemoClient, SignedInCitizen, Started } from './client.ts'
import { demoPage, type DemoText } from './page.ts'

export interface RelyingParty {
  readonly url: string
  close(): Promise<void>
}

interface Site {
  /** Where it answers: at a port of its own, or under a path of another site. */
  readonly url: string
  readonly name: DemoText
  readonly client: DemoClient
  readonly otherUrl: string
  readonly phoneUrl: string
  readonly phoneLabel?: string
}

interface Session {
  readonly started?: Started
  readonly citizen?: SignedInCitizen
}

export function listen(handler: express.Express, port: number): Promise<Server> {
  const server = createServer(handler)
  return new Promise((done, fail) => {
    server.once('error', fail)
    server.listen(port, 'localhost', () => done(server))
  })
}

export const closed = (server: Server): Promise<void> =>
  new Promise((done) => {
    server.close(() => done())
    server.closeAllConnections()
  })

export function relyingParty({ url, client, ...site }: Site): express.Express {
  const sessions = new Map<string, Session>()
  const { port, pathname } = new URL(url)
  const base = pathname.replace(/\/$/, '')
  const cookie = `demo-${port}${base.replaceAll('/', '-')}`
  const shown = { ...site, base }

  const sessionId = (request: Request): string | undefined =>
    (request.headers.cookie ?? '')
      .split('; ')
      .find((pair) => pair.startsWith(`${cookie}=`))
      ?.slice(cookie.length + 1)

  const keep = (response: Response, session: Session): void => {
    const id = randomBytes(24).toString('base64url')
    sessions.set(id, session)
    response.cookie(cookie, id, { httpOnly: true, sameSite: 'lax' })
  }

  const app = express()
  app.use(helmet({ strictTransportSecurity: false, contentSecurityPolicy: false }))

  app.get('/', (request, response) => {
    const { citizen } = sessions.get(sessionId(request) ?? '') ?? {}
    response.type('html').send(demoPage({ ...shown, citizen }))
  })

  app.get('/login', async (_request, response) => {
    const started = await client.start()
    keep(response, { started })
    response.redirect(303, started.url)
  })

  app.get('/callback', async (request, response) => {
    const id = sessionId(request) ?? ''
    const { started } = sessions.get(id) ?? {}
    if (!started) return response.redirect(303, `${base}/`)
    sessions.delete(id)
    const error = request.query['error']
    if (typeof error === 'string') return response.type('html').send(demoPage({ ...shown, error }))
    keep(response, { citizen: await client.finish(new URL(request.originalUrl, url), started) })
    response.redirect(303, `${base}/`)
  })

  app.get('/logout', async (request, response) => {
    const { citizen } = sessions.get(sessionId(request) ?? '') ?? {}
    response.redirect(303, citizen ? await client.logoutUrl(citizen.idToken) : `${base}/`)
  })

  app.get('/signed-out', (request, response) => {
    sessions.delete(sessionId(request) ?? '')
    response.redirect(303, `${base}/`)
  })

  app.post('/backchannel-logout', express.urlencoded({ extended: false }), async (request, response) => {
    const { logout_token: token } = request.body as { readonly logout_token?: unknown }
    const sid = await client.endedSession(String(token))
    for (const [id, { citizen }] of sessions) if (citizen?.claims['sid'] === sid) sessions.delete(id)
    response.status(204).end()
  })

  app.use((_error: unknown, _request: Request, response: Response, _next: express.NextFunction) => {
    response
      .status(400)
      .type('html')
      .send(demoPage({ ...shown, error: 'refused' }))
  })

  return app
}

export async function startRelyingParty({
  port,
  ...site
}: Omit<Site, 'url'> & { readonly port: number }): Promise<RelyingParty> {
  const url = `http://localhost:${port}`
  const server = await listen(relyingParty({ ...site, url }), port)
  return { url, close: () => closed(server) }
}
