import { strict as assert } from 'node:assert'
import { accessLog, routeOf } from '#src/http/access-log.ts'
import { createLogger } from '#src/http/log.ts'
import { rememberVisit } from '#src/http/visit.ts'
import { serve } from '../support/web.ts'

describe('The access log', () => {
  const routes: [path: string, route: string][] = [
    ['/', '/'],
    ['/token', '/token'],
    ['/.well-known/openid-configuration', '/.well-known/openid-configuration'],
    ['/login/V1StGXR8_Z5jdHi6B-myT/phone', '/login/:id/phone'],
    ['/session/end/confirm', '/session/end/confirm'],
    ['/people/690101199001011234', '/people/:id'],
    ['/13800000000', '/:id'],
    ['/%E5%BC%A0%E4%B8%89', '/:id'],
    ['/a/b/c/d/e/f/g/h', '/a/b/c/d/e'],
    [`/${'a'.repeat(40)}`, '/:id'],
    ['/Token', '/:id'],
    ['//x', '//x'],
  ]
  for (const [path, route] of routes) it(`writes ${path} as ${route}`, () => assert.equal(routeOf(path), route))

  it('writes one line a request, without query, headers, address or body', async () => {
    const lines: string[] = []
    const web = await serve((app) => {
      app.use(
        rememberVisit({ secure: false }),
        accessLog(createLogger('info', { write: (line: string) => void lines.push(line) })),
      )
      app.use((_request, response) => void response.status(418).end())
    })
    const response = await fetch(`${web.url}/login/V1StGXR8_Z5jdHi6B-myT/code?phone=13800000000`, {
      method: 'POST',
      body: new URLSearchParams({ code: '246810' }),
      headers: { cookie: 'session=opensesame', authorization: 'Bearer opensesame' },
    })
    await response.text()
    web.close()
    assert.equal(lines.length, 1)
    const { level: _l, time: _t, ms, ...line } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
    assert.deepEqual(line, {
      reference: response.headers.get('x-request-id'),
      method: 'POST',
      route: '/login/:id/code',
      status: 418,
      msg: 'request',
    })
    assert.ok(typeof ms === 'number' && ms >= 0)
    for (const secret of ['13800000000', '246810', 'opensesame', 'V1StGXR8', '127.0.0.1'])
      assert.ok(!lines[0]?.includes(secret), secret)
  })
})
