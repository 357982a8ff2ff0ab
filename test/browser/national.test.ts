/** 国家网络身份认证, the province and the nation in a browser, from the demo pages: each signs in, and all end in one account. */
import { strict as assert } from 'node:assert'
import { openChromium, openTab, type Browser, type BrowserContext, type Page } from '../support/chromium.ts'
import { personOf } from '../support/citizen.ts'
import { startCity, type City } from '../support/demo-city.ts'
import { giveDocument, provePhone } from '../support/stations.ts'

const names = ['sms', 'passkey', 'ctid', 'ctid-face', 'province', 'nation']

describe('platforms above the city in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let city: City
  let context: BrowserContext
  let page: Page
  let complaints: string[]

  before(async function () {
    browser = await openChromium(this)
    city = await startCity({
      settings(settings) {
        const { channels } = settings as { channels: { web: object } }
        Object.assign(channels.web, { verifiers: names })
      },
    })
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

  const main = async () => (await page.textContent('main')) ?? ''
  /** From the application to the page that says where the method leads. */
  const choose = async (method: string): Promise<void> => {
    await page.goto(`${city.insurance}/login`)
    await page.click(`button[name=method][value=${method}]`)
    await page.click('form[action$="/prove/leave"] button[type=submit]:not([form])')
  }
  /** Who he is at the service, and that he goes on. */
  const actAs = async (key: string, more: Readonly<Record<string, string>> = {}): Promise<void> => {
    for (const [field, value] of Object.entries({ person: key, ...more })) await page.selectOption(`#${field}`, value)
    await page.click('button[value=go]')
  }
  /** At the application again, after the notice where there is one. */
  const subject = async (): Promise<string> => {
    await page.waitForSelector('#citizen, button[value=agree], button[value=inform]')
    if ((await page.locator('#citizen').count()) === 0) await page.click('button[value=agree], button[value=inform]')
    await page.waitForSelector('#citizen')
    return /本应用中的标识 Subject here\s*(\S+?)(?=签名)/.exec((await page.textContent('#citizen')) ?? '')?.[1] ?? ''
  }
  const forget = () => context.clearCookies()

  for (const [method, who] of [
    ['province', '省'],
    ['nation', '国家'],
  ] as const)
    it(`signs in by the ${method}, whose words are those of the settings`, async () => {
      await page.goto(`${city.insurance}/login`)
      assert.match(await main(), new RegExp(`示例${who}`))
      await choose(method)
      await actAs(method === 'province' ? 'yan' : 'xian', { level: '2' })
      assert.ok(await subject())
      assert.match((await page.textContent('#citizen')) ?? '', /刘䶮|王𬎆/)
    })

  it('opens nothing by an account of a level that is no real name, and says so with a number to quote', async () => {
    await choose('province')
    await actAs('yan', { level: '1' })
    await page.waitForSelector('[role=alert]')
    assert.match(await main(), /没有核对上[^]*编号 [0-9A-Z]{5}-[0-9A-Z]{5}/)
  })

  it('comes back unharmed where he gives up at each of them', async () => {
    for (const method of ['ctid', 'province', 'nation']) {
      await choose(method)
      await page.click('button[value=cancel]')
      await page.waitForSelector('[role=alert]')
      assert.ok(page.url().startsWith(city.server.url))
      await forget()
    }
  })

  it('signs in by 网证 without a number, and is known again', async () => {
    await choose('ctid')
    await actAs('elder')
    await page.click('button[value=alone]')
    await page.waitForSelector('h1')
    assert.doesNotMatch(await main(), /林桂芝/, 'neither name nor number came along')
    const there = page.url()
    await forget()
    await choose('ctid')
    await actAs('elder')
    await page.waitForSelector('h1')
    assert.equal(await page.locator('button[value=alone]').count(), 0, 'he is not asked again')
    assert.equal(new URL(page.url()).host, new URL(there).host)
  })

  it('the same person by phone, 网证, 网证 with his face, the province and the nation is one account', async () => {
    const ayiguli = await personOf('ayiguli')
    await page.goto(`${city.insurance}/login`)
    await provePhone(city, page, ayiguli.phone)
    await giveDocument(page, ayiguli)
    const first = await subject()
    assert.ok(first)
    // 网证 is linked by proving himself once more in another way.
    await forget()
    await choose('ctid')
    await actAs('ayiguli')
    await page.click('button[value=other]')
    await page.click('button[name=method][value=province]')
    await page.click('form[action$="/prove/leave"] button[type=submit]:not([form])')
    await actAs('ayiguli', { level: '3' })
    assert.equal(await subject(), first)
    for (const method of ['ctid', 'ctid-face', 'province', 'nation']) {
      await forget()
      await choose(method)
      await actAs('ayiguli')
      assert.equal(await subject(), first, method)
    }
  })

  it('signs in by 网证 where no script runs, by one more press', async () => {
    await context.close()
    context = await browser.newContext({ locale: 'zh-CN', javaScriptEnabled: false })
    page = await context.newPage()
    await choose('ctid')
    await actAs('ayiguli')
    await page.click('button.do')
    assert.match(await main(), /没有自动返回的，请按下面的按钮/)
    await page.click('button.do')
    assert.ok(await subject())
  })

  it('logs nothing of whom, and nothing of what he showed', async () => {
    const logged = city.server.logged.join('\n')
    assert.match(logged, /\/return\/ctid/)
    for (const key of ['yan', 'xian', 'elder', 'ayiguli']) {
      const { name, number } = await personOf(key)
      assert.ok(!logged.includes(name) && !logged.includes(number), key)
    }
    assert.doesNotMatch(logged, /idCardAuthData|certPwdData|photoEncData|ticketId=|[?&]code=/)
  })
})
