/**
 * Every route the server answers, read off the server itself: Express's stack, the engine's router while it is filled,
 * and the addresses its metadata names. A new route is found without anybody listing it.
 */
import EngineRouter from 'oidc-provider/lib/helpers/router.js'
import { startServer, type TestServer } from './app.ts'

export interface Route {
  readonly method: string
  /** With its parameters, `/login/:uid/:step`. */
  readonly path: string
  readonly owner: 'ours' | 'engine' | 'any'
  /** The engine's name of it. */
  readonly name?: string
}

interface Layer {
  readonly rawPath?: unknown
  readonly route?: { readonly path: string | readonly string[]; readonly methods: Readonly<Record<string, boolean>> }
  readonly handle: { readonly stack?: readonly Layer[] }
}

function* walk(stack: readonly Layer[], mount = ''): Iterable<Route> {
  for (const { rawPath, route, handle } of stack) {
    const under = typeof rawPath === 'string' && rawPath !== '/' ? mount + rawPath : mount
    if (route) {
      // `all` names every method there is and hands it on, as a rule to the engine, whose routes say which it takes.
      const named = Object.keys(route.methods)
      const all = named.length > 10 || named.includes('_all')
      for (const path of [route.path].flat())
        for (const method of all ? ['get', 'post'] : named)
          yield { method: method.toUpperCase(), path: mount + path, owner: all ? 'any' : 'ours' }
    } else if (handle.stack) yield* walk(handle.stack, under)
    // A middleware with a path of its own: static files.
    else if (under !== mount) yield { method: 'GET', path: `${under}/:file`, owner: 'ours' }
  }
}

const methods = ['get', 'post', 'put', 'delete', 'options'] as const

/** Listens to what the engine registers while `work` runs. */
async function engineRoutes<T>(work: () => Promise<T>): Promise<{ result: T; routes: readonly Route[] }> {
  const { prototype } = EngineRouter
  const original = { ...Object.fromEntries(methods.map((method) => [method, prototype[method]])) } as typeof prototype
  const routes: Route[] = []
  for (const method of methods) {
    prototype[method] = function (this: unknown, name, path, ...middleware) {
      routes.push({ method: method.toUpperCase(), path, owner: 'engine', name })
      return original[method].call(this, name, path, ...middleware)
    }
  }
  try {
    return { result: await work(), routes }
  } finally {
    Object.assign(prototype, original)
  }
}

/** A server and its routes; each once. */
export async function startWithRoutes(
  options: Parameters<typeof startServer>[0] = {},
): Promise<{ server: TestServer; routes: readonly Route[] }> {
  const { result: server, routes: engine } = await engineRoutes(() => startServer(options))
  const { stack } = (server.app.handler as unknown as { readonly router: { readonly stack: readonly Layer[] } }).router
  const all: Route[] = [...walk(stack), ...engine]
  const metadata = await fetch(`http://localhost:${server.port}/.well-known/openid-configuration`)
  for (const value of Object.values((await metadata.json()) as Record<string, unknown>)) {
    if (typeof value !== 'string' || !value.startsWith(`${server.url}/`)) continue
    const path = value.slice(server.url.length)
    if (!all.some((route) => route.path === path && route.owner !== 'any'))
      all.push({ method: 'GET', path, owner: 'engine', name: 'metadata' })
  }
  const engines = new Set(all.filter(({ owner }) => owner === 'engine').map(({ path }) => path))
  const answered = all.filter(({ owner, path }) => owner !== 'any' || !engines.has(path))
  const keyed = new Map(answered.map((route) => [`${route.method} ${route.path}`, route]))
  return { server, routes: [...keyed.values()] }
}

/** The path with its parameters filled in. */
export const fill = (path: string, values: Readonly<Record<string, string>>): string =>
  path.replace(/:([a-z]+)/gi, (_, name: string) => values[name] ?? 'x')
