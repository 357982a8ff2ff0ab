import { strict as assert } from 'node:assert'
import { openChromium, type Browser, type Page } from '../support/chromium.ts'
import { personOf } from '../support/citizen.ts'
import { startCity, type City } from '../support/demo-city.ts'

describe('the story in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let city: City
  let page: Page
  const complaints: string[] = []

  /** The newest code on the demo phone, read as a person reads it. */
  const readCode = async (): Promise<string> => {
    const phone = await page.context().newPage()
    await phone.goto(city.phone)
    const text = (await phone.textContent('main')) ?? ''
    await phone.close()
    assert.match(text, /切勿告诉他人/)
    return /\d{6}(?!\d)/.exec(text.replace(/1\d\d \d{4} \d{4}/g, ''))?.[0] ?? ''
  }

  const next = async (field: string, text: string): Promise<void> => {
    await page.fill(`#${field}`, text)
    await page.click('button.do')
  }

  const citizen = async (): Promise<string> => (await page.textContent('#citizen')) ?? ''

  before(async function () {
    browser = await openChromium(this)
    city = await startCity()
    page = await (await browser.newContext({ locale: 'zh-CN', viewport: { width: 360, height: 640 } })).newPage()
    page.setDefaultTimeout(10_000)
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
  })
  after(async () => {
    await browser?.close()
    await city?.close()
  })

  it('a citizen registers by phone, name and ID number at the first application', async () => {
    const { phone, kind, name, number } = await personOf('yan')
    await page.goto(city.insurance)
    await page.click('text=用一号登录')
    await next('phone', phone)
    await next('code', await readCode())
    await page.check(`input[value=${kind}]`)
    await page.click('button.do')
    await next('name', name)
    await next('number', number)
    assert.match((await page.textContent('main')) ?? '', /依据.*社会保险法/s)
    await page.click('text=同意，继续')
    const shown = await citizen()
    assert.match(shown, new RegExp(`姓名 Name\\s*${name}`))
    assert.match(shown, /签名已验证[^✓]*✓ SGD_SM3_SM2/)
  })

  it('opens the second, is told what it learns, and is asked nothing', async () => {
    await page.click('text=去另一个应用')
    await page.click('text=用一号登录')
    assert.equal(await page.locator('input:not([type=hidden])').count(), 0)
    await page.click('button[value=inform]')
    const shown = await citizen()
    assert.match(shown, /签名已验证[^✓]*✓ ES256/)
    assert.match(shown, /6\*{16}0/, 'the ID number it was granted, masked')
  })

  it('a second visit asks nothing at all', async () => {
    await page.goto(`${city.insurance}/login`)
    assert.match(await citizen(), /✓ SGD_SM3_SM2/)
  })

  it('signing out at one ends both: the other forgets him by a notice', async () => {
    await page.goto(city.property)
    await page.click('text=退出登录')
    await page.click('button[value=yes]')
    await page.waitForSelector('text=用一号登录')
    assert.ok(page.url().startsWith(city.property))
    const deadline = Date.now() + 10_000
    do await page.goto(city.insurance)
    while ((await page.locator('#citizen').count()) > 0 && Date.now() < deadline)
    assert.equal(await page.locator('#citizen').count(), 0, 'the other application has forgotten him')
    await page.click('text=用一号登录')
    assert.equal(await page.locator('#phone').count(), 1, 'and Yihao asks who he is')
  })

  it('broke no security policy on the way', () => assert.deepEqual(complaints, []))
})
