/** Passkeys in a browser, with Chromium's virtual authenticator: adding, signing in by button and by field, levels, the end. */
import { strict as assert } from 'node:assert'
import { createHighClient } from '#src/demo/high-client.ts'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { highApplication } from '../support/app.ts'
import { openChromium, openTab, type Browser, type BrowserContext, type Page } from '../support/chromium.ts'
import { personOf } from '../support/citizen.ts'
import { startCity, type City } from '../support/demo-city.ts'
import { provePhone } from '../support/stations.ts'
import { plugIn } from '../support/virtual-authenticator.ts'

describe('passkeys in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let city: City
  let high: Awaited<ReturnType<typeof highApplication>>
  let context: BrowserContext
  let page: Page
  let complaints: string[]

  before(async function () {
    browser = await openChromium(this)
    high = await highApplication()
    const application = { ...high.application, level: 3 } as ApplicationInput
    city = await startCity({
      more: [application],
      settings(settings) {
        const { verifiers } = settings as { verifiers: { sms: object; passkey: object } }
        Object.assign(verifiers.sms, { resendAfter: 2, perPhoneDaily: 1000 })
        Object.assign(verifiers.passkey, { addedAt2: 3 })
      },
    })
    for (const key of ['elder', 'teenager', 'yan', 'xian']) {
      const { kind, name, number, phone } = await personOf(key)
      const document = { kind: kind as 'resident-id-card', number, status: 'proven' } as const
      await city.server.app.directory.open({ name, document, phone, proven: true, proofing: 3 })
    }
  })
  beforeEach(async () => {
    ;({ context, page, complaints } = await openTab(browser))
  })
  afterEach(async () => {
    await context.close()
    assert.deepEqual(complaints, [])
  })
  after(async () => {
    await browser?.close()
    await city?.close()
  })

  const me = () => `${city.server.url}/me`
  const list = async () => (await page.textContent('main')) ?? ''
  /** Signs in by phone, as far as the list of devices. */
  const signInByPhone = async (key: string): Promise<void> => {
    const { phone } = await personOf(key)
    await page.goto(me())
    await provePhone(city, page, phone)
    await page.waitForURL(me())
    await page.click('form[action="/me/passkeys"] button')
  }
  const add = async (name: string): Promise<void> => {
    await page.click('form[action="/me/passkeys/new"] button')
    await page.fill('#name', name)
    await page.click('button.do')
    await page.waitForURL(`${me()}/passkeys`)
  }
  const signOut = async (): Promise<void> => {
    await context.clearCookies()
    await page.goto(me())
    await page.waitForSelector('#phone')
  }
  const pressPasskey = () => page.click('[data-passkey=get] button')

  it('adds this device, signs out, and signs in by one press', async () => {
    await signInByPhone('elder')
    const authenticator = await plugIn(page)
    await add('老人机')
    assert.match(await list(), /老人机\s*只在这一台设备上/)
    assert.equal(await authenticator.count(), 1)
    // Without a finger the field's own offer waits, and the button is pressed.
    await authenticator.recognise(false)
    await signOut()
    await authenticator.recognise(true)
    await pressPasskey()
    await page.waitForURL(me())
    assert.match(await list(), /我的账号/)
  })

  it('offers it in the field of the phone, and nothing has to be pressed', async () => {
    await signInByPhone('yan')
    await plugIn(page)
    await add('我的手机')
    await context.clearCookies()
    await page.goto(me())
    await page.waitForURL(me())
    assert.match(await list(), /我的账号/)
  })

  it('says where the device did not recognise him, and the phone still works', async () => {
    await signInByPhone('xian')
    const authenticator = await plugIn(page)
    await add('我的手机')
    await authenticator.recognise(false)
    await signOut()
    await pressPasskey()
    await page.waitForSelector('[role=status]:not(:empty)')
    assert.match((await page.textContent('[role=status]')) ?? '', /没有完成。可以再按一次，也可以用上面的手机号登录。/)
    await provePhone(city, page, (await personOf('xian')).phone)
    await page.waitForURL(me())
  })

  it('does not add the same device twice', async () => {
    await signInByPhone('teenager')
    const authenticator = await plugIn(page)
    await add('平板')
    await page.click('form[action="/me/passkeys/new"] button')
    await page.click('button.do')
    await page.waitForSelector('[role=status]:not(:empty)')
    assert.match((await page.textContent('[role=status]')) ?? '', /已经添加过/)
    assert.equal(await authenticator.count(), 1)
  })

  it('gives it another name, removes it, and it signs in no more', async () => {
    await signInByPhone('teenager')
    const authenticator = await plugIn(page)
    await add('新平板')
    await page.click('li:has-text("新平板") button')
    await page.fill('#name', '客厅的平板')
    await page.click('button[value=rename]')
    assert.match(await list(), /客厅的平板/)
    await page.click('li:has-text("客厅的平板") button')
    await page.click('button[value=remove]')
    assert.doesNotMatch(await list(), /客厅的平板/)
    await authenticator.recognise(false)
    await signOut()
    await authenticator.recognise(true)
    await pressPasskey()
    await page.waitForSelector('[role=alert]')
    assert.match((await page.textContent('[role=alert]')) ?? '', /没有认出这台设备[^]*编号 [0-9A-Z]{5}-[0-9A-Z]{5}/)
  })

  it('keeps to a public computer what was said on the page', async () => {
    await signInByPhone('elder')
    const authenticator = await plugIn(page)
    await add('我的优盘')
    await authenticator.recognise(false)
    await signOut()
    await page.check('#public-computer')
    await authenticator.recognise(true)
    await pressPasskey()
    await page.waitForURL(me())
    const session = (await context.cookies()).find(({ name }) => name === 'yihao')
    assert.equal(session?.expires, -1, 'it ends with the browser')
  })

  const levels = [
    ['device-bound', false, /丙局/],
    ['synced', true, /达不到这项服务的要求/],
  ] as const
  for (const [what, synced, words] of levels)
    it(`reaches ${synced ? 'level 2 and not 3' : 'level 3'} by a ${what} passkey`, async () => {
      await signInByPhone('xian')
      await plugIn(page, { synced })
      await add(`第${synced ? 2 : 1}台`)
      assert.match(await list(), synced ? /会同步到您账户下的其他设备/ : /只在这一台设备上/)
      const client = createHighClient({
        issuer: city.server.url,
        clientId: 'high',
        privateJwk: high.privateJwk,
        redirectUri: 'http://localhost:4003/callback',
        postLogoutRedirectUri: 'http://localhost:4003/signed-out',
        scope: 'openid profile id_number',
        algorithm: 'ES256',
      })
      const started = await client.start()
      await page.goto(started.url)
      assert.equal(await page.locator('#phone').count(), 0, 'a phone is not enough')
      await pressPasskey()
      await page.waitForSelector(synced ? 'text=换一台设备再试' : 'button[value=refuse]')
      assert.match(await list(), words)
      if (synced) return
      const called = page.waitForRequest((request) => request.url().startsWith('http://localhost:4003/callback'))
      await page.click('button[value=agree]')
      const { claims } = await client.finish(new URL((await called).url()), started)
      assert.deepEqual([claims['acr'], claims['amr']], ['urn:yihao:loa:3', ['hwk', 'user']])
    })

  it('shows nothing of it without JavaScript, and says so where nothing else is enough', async () => {
    await context.close()
    context = await browser.newContext({ locale: 'zh-CN', javaScriptEnabled: false })
    page = await context.newPage()
    await page.goto(me())
    assert.equal(await page.locator('[data-passkey]:visible').count(), 0)
    assert.equal(await page.locator('#phone:visible').count(), 1)
  })
})
