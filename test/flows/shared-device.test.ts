/** A self-service terminal: whoever comes next finds nothing of the one before. */
import { strict as assert } from 'node:assert'
import { decodeJwt } from 'jose'
import { startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { attemptOf, personOf, signIn, signedIn, stepOf, type Person } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

describe('a device that is everybody’s', () => {
  let server: TestServer
  let terminal: RelyingParty
  let web: RelyingParty
  let yan: Person
  let browser: Browser
  beforeEach(async () => {
    const [first, second] = testApplications()
    server = await startServer({
      applications: [{ ...first, channel: 'kiosk' } as never, second as never],
      settings(settings) {
        const { channels } = settings as { channels: Record<string, object> }
        const session = { absolute: 900, idle: 120 }
        channels['kiosk'] = { verifiers: ['sms'], top: 2, session, shared: true }
      },
    })
    terminal = relyingParty(server.url, 'first')
    web = relyingParty(server.url, 'second')
    yan = await personOf('yan')
    browser = openBrowser(server.url)
    const { location, request } = await signIn(server, browser, terminal, yan)
    assert.equal(decodeJwt((await terminal.tokens(location, request)).id_token)['acr'], 'urn:yihao:loa:2')
  })
  afterEach(() => server.close())

  it('asks the next citizen to sign in, at the same service and at others, and shows him nobody’s account', async () => {
    for (const path of [terminal.request().path, web.request().path, '/me']) {
      const page = await browser.get(path)
      assert.equal(stepOf(page), 'phone', path)
      assert.doesNotMatch(page.text, /刘|䶮/)
    }
  })

  it('says at once that nobody is signed in to whoever asks without a page', async () => {
    const { location = '' } = await browser.get(terminal.request({ prompt: 'none' }).path)
    assert.equal(new URL(location).searchParams.get('error'), 'login_required')
  })

  it('remembers nobody: its cookies end with the browser, and it becomes no known device', async () => {
    const headers = [...browser.cookies().keys()]
    assert.ok(!headers.some((name) => name.includes('device')), headers.join())
  })

  it('does not ask whether this is a public computer', async () => {
    const page = await browser.get(terminal.request().path)
    assert.doesNotMatch(page.text, /这是公用电脑/)
    assert.match((await openBrowser(server.url).get(web.request().path)).text, /这是公用电脑/)
  })

  it('has no session that a code could be linked to, or a stronger proof be given in', async () => {
    const page = await browser.get(web.request().path)
    const attempt = attemptOf(page)
    const link = await browser.post(`${attempt}/link`, { choice: 'session' })
    assert.equal(stepOf(link), 'phone')
  })

  it('leaves single sign-on elsewhere as it is', async () => {
    const { browser: own } = await signedIn(server, web, await personOf('xian'))
    assert.ok((await own.get(web.request().path)).location, 'it asked again')
    assert.equal(stepOf(await own.get(terminal.request().path)), 'phone', 'a terminal takes no session from elsewhere')
  })
})
