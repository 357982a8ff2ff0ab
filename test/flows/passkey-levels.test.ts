/** What a passkey is worth (DESIGN D8): never above the account, the kind of passkey, and the sign-in that added it. */
import { strict as assert } from 'node:assert'
import { createHighClient } from '#src/demo/high-client.ts'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { highApplication, manyTexts, startServer, testApplications, type TestServer } from '../support/app.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { attemptOf, personOf, signedIn, stepOf } from '../support/citizen.ts'
import { describeStock } from '../support/policy.ts'
import { addPasskey, signInByPasskey } from '../support/passkeys.ts'
import { relyingParty } from '../support/relying-party.ts'

describeStock('the level of a passkey', () => {
  let server: TestServer
  let high: Awaited<ReturnType<typeof highApplication>>

  const start = async (addedAt2: 2 | 3, channel: readonly string[] = ['sms', 'passkey']) => {
    high = await highApplication()
    const application = { ...high.application, level: 3 } as ApplicationInput
    server = await startServer({
      applications: [...testApplications(), application],
      settings(settings) {
        manyTexts(settings)
        const { verifiers, channels } = settings as { verifiers: { passkey: object }; channels: { web: object } }
        Object.assign(verifiers.passkey, { addedAt2 })
        Object.assign(channels.web, { verifiers: channel })
      },
    })
  }
  afterEach(() => server.close())

  const client = () =>
    createHighClient({
      issuer: server.url,
      clientId: 'high',
      privateJwk: high.privateJwk,
      redirectUri: 'http://localhost:4003/callback',
      postLogoutRedirectUri: 'http://localhost:4003/signed-out',
      scope: 'openid profile id_number',
      algorithm: 'ES256',
    })

  /** A citizen whose account was proofed to that level, and who has just added a device of his. */
  const owner = async (proofing: 2 | 3, kind: { syncable?: boolean; synced?: boolean } = {}) => {
    const person = await personOf('yan')
    const { browser } = await signedIn(server, relyingParty(server.url, 'first'), person)
    const [citizen] = await server.app.directory.byPhone(person.phone)
    assert.ok(citizen)
    const document = { kind: 'resident-id-card', number: person.number } as const
    if (proofing > 2)
      await server.app.directory.bindProven(citizen.id, { name: person.name, document, phone: person.phone, proofing })
    const device = createAuthenticator({ origin: server.url, ...kind })
    assert.match((await addPasskey(browser, device)).text, /我的手机/)
    return { browser, device, person }
  }

  const arrive = async (browser: Browser = openBrowser(server.url)) => {
    const party = client()
    const started = await party.start()
    const page = await browser.get(started.url.slice(server.url.length))
    return { party, started, browser, page }
  }

  it('is 3 for one that cannot leave its device, for an account of 3, where the setting trusts its adding', async () => {
    await start(3)
    const { device } = await owner(3)
    const { party, started, browser, page } = await arrive()
    assert.equal(stepOf(page), 'passkey')
    const notice = await signInByPasskey(browser, page, device)
    const { location = '' } = await browser.post(`${attemptOf(notice)}/notice`, { answer: 'agree', id_number: 'on' })
    const { claims } = await party.finish(new URL(location), started)
    assert.deepEqual([claims['acr'], claims['amr']], ['urn:yihao:loa:3', ['hwk', 'user']])
  })

  it('steps up a session of a text message, of the same person', async () => {
    await start(3)
    const { device, browser } = await owner(3)
    const { page } = await arrive(browser)
    assert.equal(stepOf(page), 'passkey')
    const notice = await signInByPasskey(browser, page, device)
    assert.match(notice.text, /丙局/)
  })

  const lower: readonly [string, 2 | 3, 2 | 3, { syncable?: boolean; synced?: boolean }, RegExp][] = [
    ['an account of 2', 3, 2, {}, /没有当面或用证件核实过/],
    ['a synced one', 3, 3, { syncable: true, synced: true }, /达不到这项服务的要求/],
    ['one that may be synced and is not yet', 3, 3, { syncable: true }, /达不到这项服务的要求/],
    ['one that was added after a text message, by default', 2, 3, {}, /达不到这项服务的要求/],
  ]
  for (const [what, addedAt2, proofing, kind, words] of lower)
    it(`is 2 for ${what}: the page says so, and the way back is there`, async () => {
      await start(addedAt2)
      const { device } = await owner(proofing, kind)
      const { browser, page } = await arrive()
      const low = await signInByPasskey(browser, page, device)
      assert.equal(stepOf(low), 'low')
      assert.match(low.text, words)
      const back = await browser.post(`${attemptOf(low)}/abort`, {})
      assert.equal(new URL(back.location ?? '').searchParams.get('error'), 'access_denied')
    })

  it('asks at level 3 for no phone, and tells whoever has no passkey where to get one', async () => {
    await start(3)
    const { browser, page } = await arrive()
    assert.equal(stepOf(page), 'passkey')
    assert.match(page.text, /还没有添加过设备/)
    assert.match(page.text, /href="\/me\/passkeys"/)
    assert.match(page.text, /窗口/)
    const phone = await browser.get(`${attemptOf(page)}/phone`)
    assert.equal(stepOf(phone), 'passkey')
    await browser.post(`${attemptOf(page)}/phone`, { phone: (await personOf('yan')).phone })
    assert.equal(server.gateway.all().length, 0, 'no code is sent where none is enough')
  })

  it('is nowhere to be seen in a channel that does not take passkeys', async () => {
    await start(2, ['sms'])
    const party = relyingParty(server.url, 'first')
    const browser = openBrowser(server.url)
    const page = await browser.get(party.request().path)
    assert.doesNotMatch(page.text, /指纹|webauthn|passkey/)
    const { browser: mine } = await signedIn(server, party, await personOf('yan'))
    assert.doesNotMatch((await mine.get('/me')).text, /指纹/)
    assert.equal((await mine.get('/me/passkeys')).status, 404)
  })
})
