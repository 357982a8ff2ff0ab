/** 人脸识别 in a browser, from the demo pages: consent, the service's page, and back; each ending; refusing weighs the same. */
import { strict as assert } from 'node:assert'
import {
  accessibilityFaults,
  openChromium,
  openTab,
  type Browser,
  type BrowserContext,
  type Page,
} from '../support/chromium.ts'
import { personOf } from '../support/citizen.ts'
import { startCity, type City } from '../support/demo-city.ts'
import { giveDocument } from '../support/stations.ts'

describe('a face in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let city: City
  let context: BrowserContext
  let page: Page
  let complaints: string[] = []

  before(async function () {
    browser = await openChromium(this)
    city = await startCity({
      settings(settings) {
        const { channels } = settings as { channels: { web: object } }
        Object.assign(channels.web, { verifiers: ['sms', 'face', 'province'] })
      },
    })
  })
  const open = async (locale: 'zh-CN' | 'en-GB', viewport = { width: 360, height: 640 }): Promise<void> => {
    await context?.close()
    assert.deepEqual(complaints, [])
    ;({ context, page, complaints } = await openTab(browser, { locale, viewport }))
  }
  beforeEach(() => {
    complaints = []
    return open('zh-CN')
  })
  afterEach(() => assert.deepEqual(complaints, []))
  after(async () => {
    await browser?.close()
    await city?.close()
  })

  const main = async () => (await page.textContent('main')) ?? ''
  /** From the application to the page that asks for consent. */
  const asks = async (key: string): Promise<void> => {
    await page.goto(`${city.insurance}/login`)
    await page.click('button[name=method][value=face]')
    await giveDocument(page, await personOf(key))
    await page.waitForSelector('form[action$="/prove/leave"]')
  }
  const agree = () => page.click('form[action$="/prove/leave"] button:not([form])')
  const end = (ending: string) => page.click(`button[value=${ending}]`)

  it('signs in whom the service recognises', async () => {
    await asks('xian')
    await agree()
    assert.match(await main(), /这里没有摄像头/)
    assert.doesNotMatch(page.url(), /690101|%E7/)
    await end('passed')
    await page.waitForSelector('#citizen, button[value=agree], button[value=inform]')
    if ((await page.locator('#citizen').count()) === 0) await page.click('button[value=agree], button[value=inform]')
    await page.waitForSelector('#citizen')
    assert.match((await page.textContent('#citizen')) ?? '', /王𬎆[^]*face/)
  })

  it('lets in nobody whom it does not, and nobody who has not been looked at, and says what to do', async () => {
    for (const [key, ending] of [
      ['he', 'failed'],
      ['xu', 'unfinished'],
    ] as const) {
      await asks(key)
      await agree()
      await end(ending)
      await page.waitForSelector('[role=alert]')
      assert.match(await main(), /没有核对上[^]*编号 [0-9A-Z]{5}-[0-9A-Z]{5}/)
      await context.clearCookies()
    }
  })

  it('offers agreeing and disagreeing alike, and the other ways to whoever disagrees', async () => {
    await asks('yan')
    const looks = await page.evaluate<readonly string[]>(
      `[...document.querySelectorAll('.pair button')].map((button) => {
        const { backgroundColor, color, fontWeight, fontSize, height, width } = getComputedStyle(button)
        return [backgroundColor, color, fontWeight, fontSize, height, width].join()
      })`,
    )
    assert.ok(looks.length === 2 && looks[0] === looks[1], looks.join(' | '))
    await page.click('.pair button[form=others]')
    await page.waitForSelector('#phone')
    assert.equal(await page.locator('button[name=method][value=province]').count(), 1)
  })

  it('does no harm by the back button', async () => {
    await asks('teenager')
    await agree()
    await end('failed')
    await page.waitForSelector('[role=alert]')
    await page.goBack()
    await page.goBack()
    await page.waitForLoadState()
    await page.goto(`${city.insurance}/login`)
    await page.waitForSelector('#phone, h1')
    assert.ok(page.url().startsWith(city.server.url))
  })

  it('is readable for everybody, in both languages and in large type', async () => {
    const folder = process.env['SCREENSHOTS']
    const phone = { width: 360, height: 640 }
    for (const [name, locale, viewport, size] of [
      ['zh-phone', 'zh-CN', phone, 'normal'],
      ['en-phone', 'en-GB', phone, 'normal'],
      ['zh-large', 'zh-CN', phone, 'large'],
      ['zh-desktop', 'zh-CN', { width: 1366, height: 768 }, 'normal'],
      ['en-desktop', 'en-GB', { width: 1366, height: 768 }, 'normal'],
    ] as const) {
      await open(locale, viewport)
      await asks('ayiguli')
      if (size === 'large') await page.goto(`${page.url()}?size=large`)
      assert.deepEqual(await accessibilityFaults(page), [], name)
      const isWide = await page.evaluate<boolean>('document.documentElement.scrollWidth > window.innerWidth')
      assert.equal(isWide, false, `${name} scrolls sideways`)
      if (folder === undefined) continue
      await page.screenshot({ path: `${folder}/consent-${name}.png`, fullPage: true })
      if (size === 'large') continue
      await agree()
      await page.screenshot({ path: `${folder}/service-${name}.png`, fullPage: true })
      await end('failed')
      await page.waitForSelector('[role=alert]')
      await page.screenshot({ path: `${folder}/refused-${name}.png`, fullPage: true })
    }
  })
})
