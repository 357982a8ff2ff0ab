/** Behind TLS the cookies carry their prefixes, and a real browser still brings them back (engine trap 8). */
import { strict as assert } from 'node:assert'
import { createServer, type Server } from 'node:http'
import { startServer, testApplications, type TestServer } from '../support/app.ts'
import { openChromium, type Browser } from '../support/chromium.ts'
import { codeFor, personOf } from '../support/citizen.ts'
import { relyingParty } from '../support/relying-party.ts'
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.ts'

describe('in Chromium, behind self-signed TLS', function () {
  this.timeout(60_000)
  let browser: Browser
  let proxy: TlsProxy
  let server: TestServer
  let application: Server

  before(async function () {
    browser = await openChromium(this)
    proxy = await startTlsProxy()
    application = createServer((_request, response) => response.end('back'))
    await new Promise<void>((done) => application.listen(0, '127.0.0.1', done))
    const { port } = application.address() as { port: number }
    server = await startServer({
      applications: testApplications().map((one) => ({ ...one, redirectUris: [`http://localhost:${port}/callback`] })),
      settings(config) {
        config['issuer'] = proxy.url
        Object.assign(config['listen'] as object, { trustedProxies: ['127.0.0.1'] })
      },
    })
    proxy.to(server.port)
  })
  after(async () => {
    await browser?.close()
    await server?.close()
    proxy?.close()
    application?.close()
  })

  it('signs a citizen in with cookies that are host-bound and secure', async () => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'zh-CN' })
    const page = await context.newPage()
    const person = await personOf('yan')
    const [redirectUri] = (await server.app.storage.applications.list()).flatMap(({ id, body }) =>
      id === 'first' ? (JSON.parse(body) as { redirectUris: string[] }).redirectUris : [],
    )
    const request = relyingParty(server.url, 'first').request({ redirect_uri: redirectUri })
    await page.goto(`${server.url}${request.path}`)
    await page.getByRole('textbox').fill(person.phone.slice(3))
    await page.getByRole('button', { name: '获取验证码' }).click()
    await page.getByRole('textbox').fill(codeFor(server, person.phone))
    await page.keyboard.press('Enter')
    await page.getByRole('radio', { name: '居民身份证' }).check()
    await page.keyboard.press('Enter')
    await page.getByRole('textbox').fill(person.name)
    await page.keyboard.press('Enter')
    await page.getByRole('textbox').fill(person.number)
    await page.keyboard.press('Enter')
    await page.locator('button[value="agree"]').click()
    await page.waitForURL(/\/callback\?/)
    assert.match(page.url(), /code=/)
    assert.equal(new URL(page.url()).searchParams.get('iss'), proxy.url)

    const cookies = await context.cookies(proxy.url)
    const session = cookies.find(({ name }) => name === '__Host-yihao')
    assert.ok(session, cookies.map(({ name }) => name).join())
    assert.deepEqual([session.secure, session.httpOnly, session.path, session.sameSite], [true, true, '/', 'Lax'])
    for (const { name, secure } of cookies) assert.ok(secure, name)
    const again = await page.goto(
      `${server.url}${relyingParty(server.url, 'first').request({ redirect_uri: redirectUri }).path}`,
    )
    assert.match(again?.url() ?? '', /\/callback\?/, 'he is signed in')
    assert.match(
      (await (await page.request.get(`${proxy.url}/`)).headers())['strict-transport-security'] ?? '',
      /max-age=/,
    )
    await context.close()
  })
})
