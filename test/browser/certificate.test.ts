/** 数字证书 in a browser, from the demo pages, over the demo city's signing agent: each kind of key, and what goes wrong. */
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import {
  accessibilityFaults,
  openChromium,
  openTab,
  type Browser,
  type BrowserContext,
  type Page,
} from '../support/chromium.ts'
import { startCity, type City } from '../support/demo-city.ts'

describe('certificates in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let city: City
  let context: BrowserContext
  let page: Page
  let complaints: string[]
  let agent: string

  before(async function () {
    browser = await openChromium(this)
    city = await startCity({
      settings(settings) {
        const { channels } = settings as { channels: { web: object } }
        Object.assign(channels.web, { verifiers: ['sms', 'passkey', 'certificate'] })
      },
    })
    agent = city.server.config.verifiers.certificate?.agent ?? ''
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

  /** At the agent's own page, as the demo's visitor does it. */
  const plugIn = async (holder: string): Promise<void> => {
    await page.goto(agent)
    await page.check(`input[name=token][value="${holder}"]`)
    await page.click('button[type=submit]')
  }
  const choose = async (): Promise<void> => {
    await page.goto(`${city.insurance}/login`)
    await page.click('button[name=method][value=certificate]')
    await page.waitForSelector('form[data-device=certificate] button:enabled')
  }
  const sign = () => page.click('form[data-device=certificate] button[type=submit]')
  const status = (text: RegExp) => page.locator('[role=status]').filter({ hasText: text }).waitFor()
  const whys = async () => {
    const rows = await city.server.app.storage.audit.read('node-1', 0, 10_000)
    const facts = rows.map(({ body }) => JSON.parse(body) as { type: string; facts?: { why?: unknown } })
    return facts.filter(({ type }) => type === 'challenge.answered').map(({ facts }) => facts?.why)
  }

  for (const [holder, name] of [
    ['yan', '刘䶮'],
    ['xian', '王𬎆'],
    ['ayiguli', '阿依古丽·买买提'],
  ] as const)
    it(`signs ${holder} in, whom the certificate names and the register knows`, async () => {
      await plugIn(holder)
      await choose()
      await sign()
      await page.waitForSelector('#citizen, button[value=agree], button[value=inform]')
      if ((await page.locator('#citizen').count()) === 0) await page.click('button[value=agree], button[value=inform]')
      const shown = (await page.waitForSelector('#citizen')) && ((await page.textContent('#citizen')) ?? '')
      assert.ok(shown.includes(name))
      assert.match(shown, /urn:yihao:loa:2/, 'the most that this application asks for')
      assert.match(shown, /hwk/)
    })

  it('refuses a revoked certificate, says so without saying why, and leaves the reason in the trail', async () => {
    await plugIn('new-owner')
    await choose()
    await sign()
    await page.waitForSelector('[role=alert]')
    assert.match((await page.textContent('main')) ?? '', /没有核对上[^]*编号 [0-9A-Z]{5}-[0-9A-Z]{5}/)
    assert.equal((await whys()).at(-1), 'revoked')
  })

  it('tells apart that no token is there and that no agent answers, and signs in after', async () => {
    await plugIn('')
    await choose()
    await sign()
    await status(/没有找到UKey/)
    await page.route(`${agent}/sign`, (route) => route.abort())
    await sign()
    await status(/没有找到证书助手/)
    await page.unroute(`${agent}/sign`)
    await page.route(`${agent}/sign`, (route) =>
      route.fulfill({
        ...{ status: 409, contentType: 'application/json', body: '{"error":"cancelled"}' },
        headers: { 'access-control-allow-origin': city.server.url },
      }),
    )
    await sign()
    await status(/您没有签名/)
    await page.unroute(`${agent}/sign`)
    const other = await context.newPage()
    const form = { form: { token: 'yan' }, maxRedirects: 0 }
    await other.request.post(agent, form)
    await sign()
    await page.waitForSelector('#citizen, button[value=agree], button[value=inform]')
  })

  it('cannot be pressed before its script is there, and says what to do where that takes long', async () => {
    let arrives = () => {}
    const late = new Promise<void>((done) => (arrives = done))
    await page.route('**/static/certificate.js', async (route) => {
      await late
      await route.continue()
    })
    await page.goto(`${city.insurance}/login`)
    await page.click('button[name=method][value=certificate]', { noWaitAfter: true })
    const hint = page.locator('[data-until-ready]')
    await page.waitForSelector('form[data-device=certificate] button:disabled')
    assert.equal(await hint.isVisible(), false, 'most scripts come at once')
    await hint.waitFor()
    assert.match((await hint.textContent()) ?? '', /请稍等或刷新本页/)
    arrives()
    await page.waitForSelector('form[data-device=certificate] button:enabled')
    assert.equal(await hint.isVisible(), false)
  })

  it('is asked by the issuer’s pages alone', async () => {
    const ask = (origin: string, text: string) =>
      fetch(`${agent}/sign`, {
        method: 'POST',
        headers: { origin, 'content-type': 'application/json' },
        body: JSON.stringify({ text }),
      })
    const text = `YIHAO-CERTIFICATE-SIGN-IN-1\n网站 Site: ${city.server.url}\n`
    assert.equal((await ask('https://evil.example', text)).status, 403)
    assert.equal((await ask(city.server.url, 'a contract')).status, 400)
    assert.equal((await ask(city.server.url, text.replace(city.server.url, 'https://evil.example'))).status, 400)
    const answer = await ask(city.server.url, text)
    assert.equal(answer.headers.get('access-control-allow-origin'), city.server.url)
  })

  it('is a page that everybody can use, in both languages and in large type', async () => {
    const directory = process.env['SCREENSHOTS']
    if (directory) mkdirSync(directory, { recursive: true })
    const seeing = await browser.newContext({ locale: 'zh-CN', viewport: { width: 360, height: 640 }, bypassCSP: true })
    page = await seeing.newPage()
    const shot = async (name: string) => {
      assert.deepEqual(await accessibilityFaults(page), [], name)
      if (directory) await page.screenshot({ path: `${directory}/certificate-${name}.png`, fullPage: true })
    }
    const shoot = async (name: string) => {
      await page.setViewportSize({ width: 360, height: 640 })
      await shot(`${name}-phone`)
      await page.setViewportSize({ width: 1366, height: 768 })
      await shot(`${name}-desktop`)
    }
    await plugIn('new-owner')
    await shoot('agent')
    await choose()
    await shoot('zh')
    await page.click('.switches a >> nth=1')
    await shoot('en')
    await page.click('.switches a >> nth=0')
    await shoot('en-large')
    await page.click('.switches a >> nth=1')
    await page.click('.switches a >> nth=0')
    await page.route(`${agent}/sign`, (route) => route.abort())
    await sign()
    await status(/证书助手/)
    await shoot('zh-no-agent')
    await page.unroute(`${agent}/sign`)
    await sign()
    await page.waitForSelector('[role=alert]')
    await shoot('zh-refused')
    await seeing.close()
  })
})
