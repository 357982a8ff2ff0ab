/**
 * A browser without a screen: follows redirects within the server, keeps cookies by path as browsers do, fills forms,
 * and stops where the server sends it to an application.
 */
import { strict as assert } from 'node:assert'

export interface Page {
  readonly url: string
  readonly status: number
  readonly text: string
  readonly headers: Headers
  /** The address outside the server where the last redirect leads. */
  readonly location?: string
}

export interface Browser {
  get(path: string): Promise<Page>
  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Page>
  /** One request, no redirect followed. */
  once(path: string, init?: RequestInit): Promise<Response>
  cookies(): ReadonlyMap<string, string>
  /** Another browser with the same cookies: a second tab that was open before. */
  clone(): Browser
}

interface Cookie {
  readonly value: string
  readonly path: string
}

/** @param own headers of every request, such as what a proxy would add */
export function openBrowser(
  origin: string,
  jar: ReadonlyMap<string, Cookie> = new Map(),
  own: Readonly<Record<string, string>> = {},
): Browser {
  const cookies = new Map(jar)

  const remember = (headers: Headers): void => {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ')
      const [name = '', ...value] = pair.split('=')
      const path = attributes.find((attribute) => attribute.startsWith('path='))?.slice(5) ?? '/'
      const key = `${name}|${path}`
      if (value.join('=') === '' || line.includes('1970')) cookies.delete(key)
      else cookies.set(key, { value: value.join('='), path })
    }
  }

  const once = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(path, origin)
    const fitting = [...cookies].filter(([, cookie]) => url.pathname.startsWith(cookie.path))
    const header = fitting.map(([key, { value }]) => `${key.split('|')[0]}=${value}`).join('; ')
    const headers = { ...own, ...(header ? { cookie: header } : {}), ...(init.headers as Record<string, string>) }
    const response = await fetch(url, { ...init, redirect: 'manual', headers })
    remember(response.headers)
    return response
  }

  const follow = async (path: string, init?: RequestInit): Promise<Page> => {
    const response = await once(path, init)
    const { status, headers } = response
    const location = headers.get('location')
    const url = new URL(path, origin)
    if (location === null) return { url: url.href, status, text: await response.text(), headers }
    assert.ok([302, 303].includes(status), `a redirect answered ${status}`)
    const next = new URL(location, url)
    if (next.origin !== origin) return { url: url.href, status, text: '', headers, location: next.href }
    return follow(next.href)
  }

  return {
    get: (path) => follow(path),
    post: (path, fields, headers = { origin }) =>
      follow(path, { method: 'POST', body: new URLSearchParams(fields), headers: { ...headers } }),
    once,
    cookies: () => new Map([...cookies].map(([key, { value }]) => [key.split('|')[0] as string, value])),
    clone: () => openBrowser(origin, cookies, own),
  }
}
