/**
 * Every route × every field × what no honest client sends: always a page or a 4xx, never a 5xx, a stack trace, a hang or
 * a blocked server. Routes are read off the server, fields off the forms, so that new ones are met here by themselves.
 */
import { strict as assert } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { highApplication, secrets, testApplications, type TestServer } from '../support/app.ts'
import { personOf, signedIn } from '../support/citizen.ts'
import { watchEventLoop, type EventLoop } from '../support/event-loop.ts'
import { relyingParty } from '../support/relying-party.ts'
import { fill, startWithRoutes, type Route } from '../support/routes.ts'
import { standAtEachStep, type Standings } from '../support/standing.ts'
import { openWire, type Answer, type Asked, type Wire } from '../support/wire.ts'

const long = (text: string, times: number) => encodeURIComponent(text.repeat(times))

/** Values as they stand in a query or a form body: escaped, or wrongly so. */
const values: readonly string[] = [
  '',
  '%20',
  '%00',
  'a%00b',
  '%',
  '%zz',
  '%FF',
  '%C3%28',
  '%C0%AF',
  '%E4%B8',
  '%ED%A0%80',
  '%uD800',
  '%0d%0aSet-Cookie:%20x=1',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '%5B%5D',
  '%7B%22%24ne%22%3Anull%7D',
  '%7B%22__proto__%22%3A%7B%22x%22%3A1%7D%7D',
  'null',
  'NaN',
  '-1',
  '1e999',
  '9'.repeat(40),
  encodeURIComponent('<script>alert(1)</script>'),
  encodeURIComponent(`' OR 1=1--`),
  encodeURIComponent('{{30011*7}}${30011*7}<%= 30011*7 %>'),
  encodeURIComponent('../../../../etc/passwd'),
  encodeURIComponent('https://evil.example/'),
  encodeURIComponent('\ufeff\u200b\u202e\u0301'),
  long('😀', 500),
  long('a', 6_000),
  long(' ', 3_000),
  long('1 ', 2_000),
  long('e\u0301', 800),
]

/** One field told in ways that other parsers turn into lists and objects. */
const shapes: readonly ((name: string) => string)[] = [
  (name) => `${name}=a&${name}=b`,
  (name) => `${name}[]=a`,
  (name) => `${name}[$ne]=a`,
  (name) => `${name}[a][b]=c`,
  (name) => `${name}[__proto__][x]=1`,
  (name) => `${name}.length=1&${name}=a`,
]

const authorization = [
  'client_id',
  'response_type',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'max_age',
  'claims',
  'claims_locales',
  'acr_values',
  'ui_locales',
  'login_hint',
  'id_token_hint',
  'request',
  'request_uri',
  'registration',
  'resource',
  'response_mode',
  'display',
  'dpop_jkt',
]
const authentication = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']

/** What the engine's routes take; a route that is missing here fails the test. */
const engineFields: Readonly<Record<string, readonly string[]>> = {
  authorization,
  resume: [],
  userinfo: ['access_token'],
  token: [...authentication, 'grant_type', 'code', 'redirect_uri', 'code_verifier', 'refresh_token', 'scope'],
  pushed_authorization_request: [...authentication, ...authorization],
  revocation: [...authentication, 'token', 'token_type_hint'],
  introspection: [...authentication, 'token', 'token_type_hint'],
  end_session: ['id_token_hint', 'post_logout_redirect_uri', 'state', 'client_id', 'logout_hint', 'ui_locales'],
  end_session_confirm: ['xsrf', 'logout'],
  end_session_success: ['client_id'],
  jwks: [],
  discovery: [],
  metadata: [],
}
const engineHeaders = ['authorization', 'dpop', 'accept', 'content-type', 'accept-language', 'cookie', 'origin']

const views = new URL('../../views/', import.meta.url)
const formFields = (): readonly string[] => {
  const names = readdirSync(views, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.eta'))
    .flatMap((file) => [...readFileSync(new URL(file, views), 'utf8').matchAll(/ name="([\w-]+)"/g)])
    .map(([, name]) => name as string)
  return [...new Set(names)].filter((name) => !['viewport', 'color-scheme'].includes(name))
}

const segments = [
  '__proto__',
  'constructor',
  'toString',
  '%00',
  '%2e%2e',
  '..%2f..%2f',
  '%E0%A4%A',
  '%FF',
  'a'.repeat(8_000),
  '%0d%0a',
  ' '.replace(' ', '%20'),
]
const contentTypes = [
  'application/json',
  'text/plain',
  'multipart/form-data; boundary=x',
  'application/xml',
  'x',
  '',
  'application/x-www-form-urlencoded; charset=utf-16',
  'application/x-www-form-urlencoded; charset=nothing',
]
const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' }

describe('malformed input', () => {
  let server: TestServer
  let routes: readonly Route[]
  let wire: Wire
  let loop: EventLoop
  let standing: Standings
  let basic: string
  let asked = 0

  before(async function () {
    this.timeout(30_000)
    const high = await highApplication()
    ;({ server, routes } = await startWithRoutes({ applications: [...testApplications(), high.application] }))
    wire = openWire(server.port)
    basic = `Basic ${btoa(`first:${secrets.first}`)}`
    standing = await standAtEachStep(server)
    loop = watchEventLoop()
  })
  after(async () => {
    loop.stop()
    wire.close()
    await server.close()
  })

  /** In ms, of an answer. */
  const slow = 2_000
  const stackTrace = /node_modules|\.(?:js|ts):\d+|\n\s+at /

  const judge = (what: string, { status, headers, text, took }: Answer): void => {
    asked++
    assert.ok(status >= 200 && status < 500, `${what} answered ${status}`)
    assert.ok(took < slow, `${what} took ${took} ms`)
    assert.doesNotMatch(text, stackTrace, what)
    assert.ok(!text.includes('<script>alert'), `${what} is printed as it came`)
    assert.ok(!text.includes('210077'), `${what} is evaluated`)
    assert.doesNotMatch(headers.location ?? '', /server_error/, what)
    assert.ok(
      ![301, 307, 308].includes(status) || headers.location?.startsWith('/static'),
      `${what} answered ${status}`,
    )
  }

  /** Sends them all, 24 at a time. */
  const sendAll = async (requests: readonly Asked[]): Promise<void> => {
    const waiting = [...requests]
    const worker = async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        const { method, path, body = '' } = next
        const once = await wire.ask(next)
        // A busy machine may be slow once, the code would be always.
        const answer = once.took < slow ? once : await wire.ask(next)
        judge(`${method} ${path.slice(0, 120)} ${String(body).slice(0, 120)}`, answer)
      }
    }
    await Promise.all(Array.from({ length: 24 }, worker))
  }

  const headersFor = (path: string, route: Route): Record<string, string> => ({
    cookie: standing.at(path).cookie,
    ...(route.owner === 'engine' && !path.startsWith('/auth') && !path.startsWith('/session')
      ? { authorization: basic }
      : {}),
    ...(route.method === 'POST' ? { ...urlencoded, origin: server.url } : {}),
  })

  /** The paths of a route; the steps of a sign-in are routes of their own. */
  const steps = ['phone', 'code', 'resend', 'who', 'document', 'name', 'number', 'low']
  const pathsOf = (route: Route): readonly string[] => {
    const each = route.path.includes(':step') ? steps.map((step) => route.path.replace(':step', step)) : [route.path]
    return each.map((path) => fill(path, { uid: standing.at(path).uid, file: 'yihao.css' }))
  }

  const fieldsOf = (route: Route): readonly string[] => {
    if (route.owner === 'ours') return [...(route.method === 'POST' ? formFields() : []), 'lang', 'size', 'ui_locales']
    if (route.method === 'OPTIONS') return []
    const fields = engineFields[route.name ?? '']
    assert.ok(fields, `${route.method} ${route.path}: say which fields it takes`)
    return fields
  }

  /** The rest of a request that would be right. */
  const restOf = (route: Route, without: string): readonly string[] => {
    const party = relyingParty(server.url, 'first')
    const rest =
      route.name === 'authorization' || route.name === 'pushed_authorization_request'
        ? new URL(party.request().path, server.url).searchParams
        : new URLSearchParams({
            grant_type: without === 'refresh_token' ? 'refresh_token' : 'authorization_code',
            code: 'x',
            token: 'x',
            client_id: 'first',
          })
    rest.delete(without)
    return route.owner === 'engine' ? [rest.toString()] : []
  }

  const withPairs = (route: Route, path: string, pairs: readonly string[]): Asked => {
    const text = pairs.join('&')
    const headers = headersFor(path, route)
    return route.method === 'POST'
      ? { method: 'POST', path, headers, body: text }
      : { method: route.method, path: `${path}?${text}`, headers }
  }

  it('would be noticed if it did harm', () => {
    const right: Answer = { status: 400, headers: {}, text: '<p>no</p>', took: 1 }
    judge('nothing', right)
    const harm: readonly Partial<Answer>[] = [
      { status: 500 },
      { took: 2_500 },
      { text: 'Error: x\n    at f (file:///app/src/x.ts:1:2)' },
      { text: '<b><script>alert(1)</script></b>' },
      { text: 'is 210077' },
      { status: 303, headers: { location: 'http://localhost:4001/callback?error=server_error' } },
      { status: 307, headers: { location: '/x' } },
    ]
    for (const each of harm) assert.throws(() => judge('harm', { ...right, ...each }), assert.AssertionError)
  })

  it('meets every route and every field', () => {
    assert.ok(
      routes.length >= 30 &&
        routes.some(({ path }) => path === '/login/:uid/:step') &&
        routes.some(({ name }) => name === 'token'),
    )
    assert.ok(
      ['phone', 'code', 'kind', 'name', 'number', 'answer', 'xsrf'].every((field) => formFields().includes(field)),
    )
    for (const route of routes) fieldsOf(route)
  })

  it('is refused in every field of every route', async function () {
    this.timeout(60_000)
    const requests = routes.flatMap((route) =>
      pathsOf(route).flatMap((path) =>
        fieldsOf(route).flatMap((name) => {
          const rest = restOf(route, name)
          const pairs = [...values.map((value) => `${name}=${value}`), ...shapes.map((shape) => shape(name))]
          return [withPairs(route, path, rest), ...pairs.map((pair) => withPairs(route, path, [...rest, pair]))]
        }),
      ),
    )
    await sendAll(requests)
    assert.ok(asked > 5_000, String(asked))
  })

  it('is refused in every part of an address', async () => {
    const requests = routes.flatMap((route) =>
      [...new Set(route.path.split('/').filter((part) => part.startsWith(':')))].flatMap((parameter) =>
        segments.map((segment): Asked => {
          const path = fill(route.path.replace(parameter, segment), {
            uid: standing.number.uid,
            step: 'phone',
          })
          return { method: route.method, path, headers: headersFor(path, route) }
        }),
      ),
    )
    assert.ok(requests.length >= 60)
    const strange = [
      '//',
      '///x',
      '/%2e%2e/%2e%2e/',
      '/static/..%2f..%2fpackage.json',
      '/static/%2e%2e/%2e%2e/package.json',
      '/.env',
      '/.git/config',
      '/static/',
      '/?',
      '/?%',
      `/?${'a='.repeat(3_000)}`,
      '/login',
      '/login/',
      '/;/..',
      '/%',
    ]
    await sendAll([...requests, ...strange.map((path): Asked => ({ method: 'GET', path }))])
  })

  it('is refused in the headers', async () => {
    const odd = [
      '',
      '%',
      '__proto__',
      '{}',
      ',,,;;;===',
      'x'.repeat(6_000),
      `${'a,'.repeat(2_000)}`,
      'Basic !',
      'Basic Og==',
      'Bearer',
      'DPoP x',
      'text/html;q=x;q=',
      'yihao=; yihao=__proto__; lang=%; size=a; yihao-interaction=x',
    ]
    const requests = routes.flatMap((route) =>
      engineHeaders.flatMap((name) =>
        odd.map((value): Asked => {
          const [path = ''] = pathsOf(route)
          return { method: route.method, path, headers: { ...headersFor(path, route), [name]: value } }
        }),
      ),
    )
    await sendAll(requests)
  })

  it('is refused as a body of any type, size or number of fields', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => `field${at}=1`).join('&')
    const bodies: readonly (string | Buffer)[] = [
      '',
      '&&&===',
      '=',
      many(21),
      many(10_000),
      `phone=${'1'.repeat(1_000_000)}`,
      'a'.repeat(1_000_000),
      '{"phone":{"$ne":null}}',
      '[{"a":1}]',
      '{"__proto__":{"status":1}}',
      '__proto__=1&constructor=1&hasOwnProperty=1&toString=1',
      Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xed, 0xa0, 0x80]),
    ]
    const posts = routes.filter(({ method }) => method === 'POST')
    const requests = posts.flatMap((route) =>
      pathsOf(route).flatMap((path) => [
        ...bodies.flatMap((body) =>
          ['application/x-www-form-urlencoded', ...contentTypes.slice(0, 2)].map((type): Asked => ({
            method: 'POST',
            path,
            headers: { ...headersFor(path, route), 'content-type': type },
            body,
          })),
        ),
        ...contentTypes.map((type): Asked => ({
          method: 'POST',
          path,
          headers: { ...headersFor(path, route), 'content-type': type },
          body: 'phone=1',
        })),
        ...['gzip', 'br', 'x', 'identity, gzip'].map((encoding): Asked => ({
          method: 'POST',
          path,
          headers: { ...headersFor(path, route), 'content-encoding': encoding },
          body: 'phone=1',
        })),
      ]),
    )
    await sendAll(requests)
  })

  it('is refused as a method that a route does not know', async () => {
    const methods = ['HEAD', 'OPTIONS', 'TRACE', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'SEARCH']
    const requests = routes.flatMap((route) =>
      methods.map((method): Asked => {
        const [path = ''] = pathsOf(route)
        return { method, path, headers: headersFor(path, route) }
      }),
    )
    await sendAll(requests)
    const trace = await wire.ask({ method: 'TRACE', path: '/', headers: { 'x-secret': 'echo' } })
    assert.ok(trace.status >= 400 && !trace.text.includes('echo'))
  })

  it('is refused by the parser where it is no HTTP at all', async () => {
    const head = `Host: localhost:${server.port}\r\nOrigin: ${server.url}\r\nContent-Type: application/x-www-form-urlencoded\r\n`
    const nonsense = [
      'x\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      `GET /\u0000 HTTP/1.1\r\n${head}\r\n`,
      `GET /\u4e2d HTTP/1.1\r\n${head}\r\n`,
      `CONNECT evil.example:443 HTTP/1.1\r\n${head}\r\n`,
      `GET / HTTP/1.1\r\n${head}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
      `POST /token HTTP/1.1\r\n${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /token HTTP/1.1\r\n${head}Content-Length: -1\r\n\r\n`,
      `POST /token HTTP/1.1\r\n${head}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
      `POST /token HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n`,
      `POST /token HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n`,
      `POST /token HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n`,
      `POST /token HTTP/1.1\r\n${head}Transfer-Encoding: x\r\n\r\n`,
      `GET / HTTP/1.1\r\n${head}X: a\r\n b\r\n\r\n`,
      `GET / HTTP/1.1\r\n${head}X\u0000: a\r\n\r\n`,
      `GET / HTTP/1.1\r\n${head}Host: evil.example\r\n\r\n`,
      `GET http://evil.example/ HTTP/1.1\r\n${head}\r\n`,
      `GET * HTTP/1.1\r\n${head}\r\n`,
      `OPTIONS * HTTP/1.1\r\n${head}\r\n`,
    ]
    const answers = await Promise.all(nonsense.map(async (bytes) => ({ bytes, answer: await wire.raw(bytes, 500) })))
    for (const { bytes, answer } of answers) {
      const what = JSON.stringify(bytes.slice(0, 60))
      assert.doesNotMatch(answer.text, /^HTTP\/1\.1 5/, what)
      assert.doesNotMatch(answer.text, stackTrace, what)
      assert.doesNotMatch(answer.text, /evil/, what)
      assert.ok(answer.text !== '' || answer.closed, `${what} hangs`)
    }
  })

  it('has blocked nobody meanwhile, has left no fault in the log, and has broken nothing', async () => {
    // The requests are made in this process too.
    assert.ok(loop.longest() < 250, `blocked for ${loop.longest()} ms`)
    const faults = server.logged.filter((line) => (JSON.parse(line) as { level: number }).level >= 50)
    assert.deepEqual(faults, [])
    assert.equal(({} as Record<string, unknown>)['x'], undefined)
    server.clock.advance(3 * 3_600_000)
    const { tokens } = await signedIn(server, relyingParty(server.url, 'second'), await personOf('ayiguli'))
    assert.ok(tokens.id_token)
  })
})
