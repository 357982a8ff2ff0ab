import { strict as assert } from 'node:assert'
import { createDeviceCookie } from '#src/http/device.ts'
import { serve, type Web } from '../support/web.ts'

const device = 'd'.repeat(43)

describe('the cookie of a device', () => {
  let web: Web
  const start = async (secure: boolean) => {
    const cookie = createDeviceCookie({ secure })
    web = await serve((app) => {
      app.get('/write', (_request, response) => {
        cookie.write(response, device)
        response.end()
      })
      app.get('/read', (request, response) => void response.end(cookie.read(request) ?? 'none'))
    })
  }
  afterEach(() => web.close())
  const written = async () => (await fetch(`${web.url}/write`)).headers.getSetCookie()[0]?.split('; ') ?? []
  const read = async (cookie: string) => (await fetch(`${web.url}/read`, { headers: { cookie } })).text()

  it('lasts a year, out of reach of scripts and of other sites, and under https of other hosts', async () => {
    await start(true)
    const [pair, ...attributes] = await written()
    assert.equal(pair, `__Host-device=${device}`)
    for (const attribute of ['Max-Age=31536000', 'HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/'])
      assert.ok(attributes.includes(attribute), attribute)
    assert.ok(!attributes.some((attribute) => attribute.startsWith('Domain')))
    assert.equal(await read(`a=b; __Host-device=${device}`), device)
    assert.equal(await read(`device=${device}`), 'none', 'one that a neighbour could have planted')
  })

  it('has a plain name where there is no https, and is read only in its own form', async () => {
    await start(false)
    assert.equal((await written())[0], `device=${device}`)
    assert.equal(await read(`device=${device}`), device)
    for (const odd of ['', 'x', `${device}x`, `${'d'.repeat(42)}!`, `${'d'.repeat(42)}%00`])
      assert.equal(await read(`device=${odd}`), 'none', odd)
  })
})
