/**
 * The HTTP server: how much of a request is read, and how long a client may take, before it is let go (RFC 9110 §15.5.14,
 * RFC 6585 §5). The proxy in front has limits of its own; these hold without one.
 */
import { createServer, type RequestListener, type Server } from 'node:http'

export const httpLimits = {
  headerBytes: 16_384,
  /** Milliseconds until the headers are there, and until the whole request is. */
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  /** How often the two are looked at. */
  checkEvery: 2_000,
  connections: 10_000,
} as const

type Limits = Readonly<Record<keyof typeof httpLimits, number>>

/** A server that does not listen yet; slow and stalled clients get a 408 and are let go. */
export function createHttpServer(handler?: RequestListener, limits: Limits = httpLimits): Server {
  const { headerBytes, headersTimeout, requestTimeout, keepAliveTimeout, checkEvery } = limits
  const server = createServer({
    maxHeaderSize: headerBytes,
    headersTimeout,
    requestTimeout,
    keepAliveTimeout,
    connectionsCheckingInterval: checkEvery,
  })
  server.maxConnections = limits.connections
  if (handler) server.on('request', handler)
  return server
}
