/** A city's own verifier in a browser: the example in Python, plugged into the demo city by its settings alone. */
import { strict as assert } from 'node:assert'
import {
  accessibilityFaults,
  openChromium,
  openTab,
  type Browser,
  type BrowserContext,
  type Page,
} from '../support/chromium.ts'
import { startCity, type City } from '../support/demo-city.ts'
import { rightCard, startExample, type ExampleService } from '../support/own-service.ts'
import { declaration } from '../support/own-verifiers.ts'
import { temporaryDirectories } from '../support/temporary.ts'

describe("a city's own verifier in a browser", function () {
  this.timeout(30_000)
  const directory = temporaryDirectories()
  let browser: Browser
  let service: ExampleService
  let city: City
  let context: BrowserContext
  let page: Page
  let complaints: string[]

  before(async function () {
    browser = await openChromium(this)
    service = await startExample(directory())
    city = await startCity({
      settings(settings) {
        const { channels, verifiers } = settings as {
          channels: { web: { verifiers: readonly string[] } }
          verifiers: { own: object }
        }
        channels.web.verifiers = [...channels.web.verifiers, 'staff-card']
        verifiers.own = {
          'staff-card': declaration({ kind: 'http', url: service.url, keyFile: service.keyFile, timeout: 5 }),
        }
      },
    })
  })
  after(async () => {
    await browser?.close()
    await city?.close()
    service?.close()
  })
  beforeEach(async () => {
    ;({ context, page, complaints } = await openTab(browser))
  })
  afterEach(async () => {
    await context.close()
    assert.deepEqual(complaints, [])
  })

  const main = async () => (await page.textContent('main')) ?? ''
  const answer = async ({ card, pin }: typeof rightCard): Promise<void> => {
    await page.fill('#field-card', card)
    await page.fill('#field-pin', pin)
    await page.click('button.do')
  }

  it('signs in at both applications of the demo city, after a wrong PIN and a reload', async () => {
    await page.goto(`${city.insurance}/login`)
    await page.click('button[value="staff-card"]')
    await page.waitForSelector('#field-card')
    assert.match(await main(), /工作证/)
    // PAGES "Sizes": a field of whatever kind is as big as a finger, and they stand one below the other.
    const boxes = await Promise.all(['#field-card', '#field-pin'].map((field) => page.locator(field).boundingBox()))
    for (const box of boxes) assert.ok(box && box.height >= 44 && box.width === boxes[0]?.width)
    assert.deepEqual(await accessibilityFaults(page), [])
    await answer({ ...rightCard, pin: '000000' })
    await page.waitForSelector('[role=alert]')
    assert.match(await main(), /没有核对上/)
    // Nothing that was typed comes back.
    assert.equal(await page.inputValue('#field-pin'), '')
    await page.reload()
    await answer(rightCard)
    await page.waitForURL(/\/login\/[\w-]+$/)
    await page.click('button[value="agree"], button.do')
    await page.waitForURL(`${city.insurance}/**`)
    assert.match(await main(), /刘䶮/)
    await page.goto(`${city.property}/login`)
    await page.waitForURL(/login|callback|localhost/)
    await page.waitForSelector('main')
    assert.doesNotMatch(page.url(), /phone|method|prove/, 'the session of this browser is known at the other one')
  })

  it('reads in English and works by keyboard alone', async () => {
    await page.goto(`${city.insurance}/login`)
    await page.click('a[lang=en]')
    await page.click('button[value="staff-card"]')
    await page.waitForSelector('#field-card')
    assert.match(await main(), /Staff card[^]*Staff card number[^]*PIN of the card/)
    assert.equal(await page.evaluate('document.activeElement?.id'), 'field-card')
    await page.keyboard.type(rightCard.card)
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement?.id'), 'field-pin')
    await page.keyboard.type(rightCard.pin)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${city.insurance}/**`)
    assert.match(await main(), /刘䶮/)
  })
})
