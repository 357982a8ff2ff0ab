/**
 * What guards every route, whatever it does: headers, where forms and redirects may lead, who may send a form, and that
 * looking changes nothing (facts/security §2: 2, 24–26, 56; RFC 9700 §4.11–4.16).
 */
import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestServer } from '../support/app.ts'
import { relyingParty } from '../support/relying-party.ts'
import { fill, startWithRoutes, type Route } from '../support/routes.ts'
import { standAtEachStep, type Standings } from '../support/standing.ts'
import { openWire, type Answer, type Wire } from '../support/wire.ts'

const steps = ['phone', 'code', 'who', 'document', 'name', 'number', 'low']

describe('the guards of every route', () => {
  let server: TestServer
  let routes: readonly Route[]
  let standing: Standings
  let wire: Wire

  beforeEach(async () => {
    ;({ server, routes } = await startWithRoutes())
    standing = await standAtEachStep(server)
    wire = openWire(server.port)
  })
  afterEach(async () => {
    wire.close()
    await server.close()
  })

  const pathsOf = ({ path }: Route): readonly string[] =>
    (path.includes(':step') ? steps.map((step) => path.replace(':step', step)) : [path]).map((each) =>
      fill(each, { uid: standing.at(each).uid, file: 'yihao.css' }),
    )
  const pathsWith = (method: string, keep: (route: Route) => boolean = () => true) =>
    routes.filter((route) => route.method === method && keep(route)).flatMap(pathsOf)

  const get = (path: string, headers: Record<string, string> = {}) =>
    wire.ask({ method: 'GET', path, headers: { cookie: standing.at(path).cookie, accept: 'text/html', ...headers } })
  const post = (path: string, headers: Record<string, string>, body = '') =>
    wire.ask({
      method: 'POST',
      path,
      headers: { cookie: standing.at(path).cookie, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
    })

  /** Every page there is: those of the routes, and those that say no. */
  const pages = async (): Promise<readonly (readonly [string, Answer])[]> => {
    const party = relyingParty(server.url, 'first')
    const odd = [
      '/nowhere',
      '/%',
      '/auth',
      party.request({ client_id: 'nobody' }).path,
      '/login/x/phone',
      '/session/end?id_token_hint=x',
    ]
    const gone = await Promise.all([...pathsWith('GET'), ...odd].map(async (path) => [path, await get(path)] as const))
    const foreign = await Promise.all(
      pathsWith('POST').map(async (path) => [`POST ${path}`, await post(path, { accept: 'text/html' })] as const),
    )
    return [...gone, ...foreign].filter(([, { headers }]) => /html/.test(headers['content-type'] ?? ''))
  }

  const attribute = (name: string, text: string) =>
    [...text.matchAll(new RegExp(`\\s(?:${name})=(?:"([^"]*)"|([^\\s>]+))`, 'g'))].map(([, quoted, bare]) =>
      (quoted ?? bare ?? '').replaceAll('&amp;', '&'),
    )

  /** Our own origin, the applications', and what the settings of the city name. */
  const known = (address: string): boolean => {
    const { city } = server.config
    if ([city.complaints, city.windows, city.privacy, `tel:${city.hotline}`].includes(address)) return true
    return [server.url, 'http://localhost:4001', 'http://localhost:4002'].includes(new URL(address, server.url).origin)
  }

  it('puts the same security headers on every page', async () => {
    const all = await pages()
    assert.ok(all.length >= 20, String(all.length))
    for (const [path, { headers, text, status }] of all) {
      assert.equal(headers['x-frame-options'], 'DENY', path)
      assert.equal(headers['x-content-type-options'], 'nosniff', path)
      assert.equal(headers['referrer-policy'], 'same-origin', path)
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin', path)
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin', path)
      assert.match(String(headers['permissions-policy']), /camera=\(\), microphone=\(\), geolocation=\(\)/, path)
      assert.equal(headers['x-powered-by'] ?? headers['server'], undefined, path)
      if (status >= 300 && status < 400) continue
      assert.match(headers['cache-control'] ?? '', /no-store/, path)
      assert.match(text, /^<!doctype html>/i, path)
    }
  })

  it('has one content security policy, which only widens for the forms of one application', async () => {
    const fixed =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    let widened = 0
    for (const [path, { headers }] of await pages()) {
      const policy = String(headers['content-security-policy'])
      assert.doesNotMatch(policy, /unsafe|\*|,|http:(?!\/\/localhost:400[12])/, path)
      const targets = /form-action 'self'((?: http:\/\/localhost:400[12])*);/.exec(policy)?.[1]
      assert.ok(targets !== undefined, `${path}: ${policy}`)
      assert.equal(policy.replace(targets, ''), fixed, path)
      if (targets !== '') widened++
    }
    assert.ok(widened >= 5)
  })

  it('needs no more than that policy: no inline script, style or handler, and nothing from elsewhere', async () => {
    for (const [path, { text }] of await pages()) {
      assert.doesNotMatch(
        text,
        /<script(?![^>]* src="\/)|<style|\sstyle=|\son[a-z]+=|javascript:|<iframe|<base|<meta http-equiv/i,
        path,
      )
      for (const address of attribute('src|action|formaction', text))
        assert.match(address, /^\/(?!\/)/, `${path}: ${address}`)
      for (const [link = ''] of text.matchAll(/<link [^>]*>/g))
        for (const address of attribute('href', link)) assert.match(address, /^\/(?!\/)/, `${path}: ${address}`)
    }
  })

  it('leads nowhere else: not by a parameter, a path, or the links to another language and size', async () => {
    const names = [
      'next',
      'redirect',
      'redirect_url',
      'url',
      'to',
      'r',
      'dest',
      'continue',
      'return',
      'return_to',
      'returnTo',
      'back',
      'callback',
      'goto',
      'target',
      'redirect_uri',
      'post_logout_redirect_uri',
      'target_link_uri',
      'iss',
      'client_uri',
      'RelayState',
      'service',
    ]
    const foreign = [
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      'https:evil.example',
      'javascript:alert(1)//evil.example',
      '\thttps://evil.example',
    ]
    const query = (address: string) =>
      new URLSearchParams(Object.fromEntries(names.map((name) => [name, address]))).toString()
    const asked = foreign.flatMap((address) => [
      ...pathsWith('GET').map((path) => ({
        path: `${path}?${query(address)}`,
        answer: () => get(`${path}?${query(address)}`),
      })),
      ...pathsWith('POST', ({ path }) => !path.endsWith('/abort') && !path.endsWith('/notice')).map((path) => ({
        path,
        answer: () => post(path, { origin: server.url }, query(address)),
      })),
    ])
    const paths = [
      '//evil.example',
      '//evil.example/',
      '///evil.example',
      '//evil.example/..%2f',
      '/%2f%2fevil.example',
      '/%5cevil.example',
      '/\\evil.example',
      '/\\/evil.example',
      '/.//evil.example',
      '/..//evil.example',
      '/static//evil.example/..',
      '/static/..//evil.example',
      '/;//evil.example',
      '/x@evil.example',
      '//evil.example%2f..',
      '//user:pass@evil.example:80/x',
      '/https://evil.example',
      'http://evil.example/',
      'http://evil.example//evil.example',
    ]
    for (const path of paths)
      for (const tail of ['', '?lang=en', '?size=large&lang=zh', '?//evil.example', '?next=//evil.example'])
        asked.push({ path: path + tail, answer: () => get(path + tail) })
    assert.ok(asked.length > 200)
    for (const { path, answer } of asked) {
      const { headers, text, status } = await answer()
      if (headers.location !== undefined) {
        assert.ok([301, 302, 303].includes(status), `${path} answered ${status}`)
        assert.ok(known(new URL(headers.location, `${server.url}/x`).href), `${path} leads to ${headers.location}`)
      }
      assert.equal(headers['refresh'], undefined)
      if (!/html/.test(headers['content-type'] ?? '')) continue
      for (const address of attribute('href|action|formaction|src', text)) {
        const resolved = address.startsWith('tel:') ? address : new URL(address, `${server.url}/login/x/y`).href
        assert.ok(known(resolved), `${path} links to ${address}`)
      }
    }
  })

  /** Everything but what a sign-in keeps for itself. */
  const snapshot = async () => {
    const db = new DatabaseSync(join(server.directory, 'yihao.db'), { readOnly: true })
    try {
      const tables = ['people', 'documents', 'phones', 'applications', 'deliveries', 'audit', 'counters']
      const rows = tables.map((table) => [table, db.prepare(`SELECT * FROM ${table}`).all()])
      const attempts = db
        .prepare(
          "SELECT id, payload FROM artifacts WHERE kind IN ('Attempt', 'Evidence', 'Notice', 'Grant') ORDER BY id",
        )
        .all()
      return JSON.stringify([...rows, attempts, server.gateway.all().length])
    } finally {
      db.close()
    }
  }

  it('changes nothing when somebody only looks', async () => {
    const before = await snapshot()
    // Those that begin or go on with a sign-in, and userinfo, whose release is recorded, are the protocol's.
    const protocol = new Set(['authorization', 'resume', 'userinfo'])
    const looking = pathsWith('GET', ({ name }) => !protocol.has(name ?? ''))
    assert.ok(looking.length >= 20)
    for (const _ of [1, 2]) {
      for (const path of looking) {
        await get(path)
        await wire.ask({ method: 'HEAD', path, headers: { cookie: standing.at(path).cookie } })
        await get(`${path}?lang=en&size=large&phone=19900000001&code=123456&answer=agree&logout=yes`)
      }
    }
    assert.equal(await snapshot(), before)
    assert.equal((await get(`/login/${standing.notice.uid}`)).status, 200, 'the sign-in goes on')
  })

  it('takes a form from our own pages only, whatever says where it came from', async () => {
    const origin = server.url
    const foreign: readonly Record<string, string>[] = [
      {},
      { origin: 'null' },
      { origin: '' },
      { origin: 'https://evil.example' },
      { origin: `${origin}.evil.example` },
      { origin: `${origin}/` },
      { origin: `${origin}, https://evil.example` },
      { origin: origin.replace('http:', 'https:') },
      { origin: origin.replace('localhost', 'LOCALHOST') },
      { origin: origin.replace('localhost', '127.0.0.1') },
      { origin: 'http://localhost:4001' },
      { referer: `${origin}/` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': '' },
      { 'sec-fetch-site': 'SAME-ORIGIN' },
      { 'sec-fetch-site': 'cross-site', origin },
      { 'sec-fetch-site': 'same-site', origin },
      { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'same-origin', origin: 'null' },
      { 'x-forwarded-host': 'evil.example', origin: 'https://evil.example' },
      { host: 'evil.example', origin: 'http://evil.example' },
    ]
    // Reports of carriers are no forms: the key in the address lets them in, no cookie does. What another site brings back
    // changes nothing before our own page has sent it once more.
    const isForm = ({ owner, path }: Route) => owner === 'ours' && !/^\/(receipts|return)\//.test(path)
    const forms = [...pathsWith('POST', isForm), '/session/end/confirm']
    assert.ok(forms.length >= 9)
    const spelled = forms.flatMap((path) => [path, `${path}/`, path.toUpperCase(), `${path}?x=1`])
    const before = await snapshot()
    for (const path of spelled)
      for (const headers of foreign) {
        const { status } = await post(path, headers, 'phone=19900000006&answer=agree&logout=yes')
        assert.ok(
          status === 403 || (status === 404 && path !== path.toLowerCase()),
          `${path} ${JSON.stringify(headers)}: ${status}`,
        )
      }
    assert.equal(await snapshot(), before)
    for (const path of forms.filter((each) => !/abort|notice/.test(each)))
      for (const headers of [
        { origin },
        { 'sec-fetch-site': 'same-origin' },
        { 'sec-fetch-site': 'same-origin', origin },
      ])
        assert.notEqual((await post(path, headers as Record<string, string>)).status, 403, path)
  })

  it('knows no way round that guard by spelling the address otherwise', async () => {
    const { browser } = standing.notice
    const xsrf = /name="xsrf" value="([\w-]+)"/.exec((await browser.get('/session/end')).text)?.[1] ?? ''
    assert.ok(xsrf)
    const cookie = [...browser.cookies()].map(([name, value]) => `${name}=${value}`).join('; ')
    for (const path of [
      '//session/end/confirm',
      '/session//end/confirm',
      '/session/end/%63onfirm',
      '/session/end/./confirm',
      '/x/../session/end/confirm',
      '/session/end/confirm/',
      '/SESSION/END/CONFIRM',
      '/ſession/end/confirm',
    ].map(encodeURI)) {
      const { status } = await post(
        path.replaceAll('%25', '%'),
        { cookie, origin: 'https://evil.example' },
        `xsrf=${xsrf}&logout=yes`,
      )
      assert.ok(status === 403 || status === 404, `${path} answered ${status}`)
    }
    assert.equal((await get(`/login/${standing.notice.uid}`, { cookie })).status, 200, 'still signed in')
    const ours = await post('/session/end/confirm', { cookie, origin: server.url }, `xsrf=${xsrf}&logout=yes`)
    assert.equal(ours.status, 303, 'the form itself would have done it')
  })

  it('lets no script of another origin read or ask before it asks', async () => {
    for (const path of [...pathsWith('GET'), ...pathsWith('POST')]) {
      for (const method of ['GET', 'OPTIONS']) {
        const { headers } = await wire.ask({
          method,
          path,
          headers: {
            origin: 'https://evil.example',
            'access-control-request-method': 'POST',
            cookie: standing.at(path).cookie,
          },
        })
        const open = headers['access-control-allow-origin']
        if (/^\/(jwks|\.well-known)/.test(path))
          assert.equal(headers['access-control-allow-credentials'], undefined, path)
        else assert.equal(open, undefined, path)
      }
    }
  })
})
