/**
 * Who may ask what of the agent. It listens on the loopback, where every page of every site that the browser shows can
 * reach it: so the host asked for must be the loopback's (DNS rebinding), and the page one of the issuer's (CORS, Private
 * Network Access).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Doors {
  /** Whether the request named this agent, and not a name that somebody made lead here. */
  isForUs(request: IncomingMessage): boolean
  isIssuer(request: IncomingMessage): boolean
  /** The agent's own page: browsers send no Origin with its GET, but say where it comes from. */
  isOwnPage(request: IncomingMessage): boolean
  /** Lets the issuer's page read the answer, and ask at all where this is the question beforehand (preflight). */
  admit(request: IncomingMessage, response: ServerResponse): void
}

export function createDoors({ issuer, port }: { readonly issuer: string; readonly port: () => number }): Doors {
  const hosts = () => ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${port()}`)
  return {
    isForUs: ({ headers }) => headers.host !== undefined && hosts().includes(headers.host.toLowerCase()),
    isIssuer: ({ headers }) => headers.origin === issuer,
    isOwnPage: ({ headers }) => headers.origin === undefined && headers['sec-fetch-site'] === 'same-origin',
    admit(request, response) {
      response.setHeader('access-control-allow-origin', issuer)
      if (request.method !== 'OPTIONS') return
      response.setHeader('access-control-allow-methods', 'GET, POST')
      response.setHeader('access-control-allow-headers', 'content-type')
      response.setHeader('access-control-max-age', '600')
      if (request.headers['access-control-request-private-network'] === 'true')
        response.setHeader('access-control-allow-private-network', 'true')
    },
  }
}
