/** The start page of a terminal in a browser: what it says of the reader, the card left behind, nobody there any more. */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { accessibilityFaults, openChromium, type Browser, type BrowserContext, type Page } from '../support/chromium.ts'
import { startCity } from '../support/demo-city.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { startTerminalAgent, type TerminalAgent } from '../support/terminal-agent.ts'

/** Where to leave pictures, for whoever judges them. */
const pictures = process.env['PICTURES']

const services = [
  {
    name: { zh: '社保查询', en: 'Social insurance records' },
    hint: { zh: '缴费记录、参保证明', en: 'Payments and certificates' },
    url: 'https://social.example/',
  },
  {
    name: { zh: '不动产登记', en: 'Property registration' },
    hint: { zh: '登记结果、查询证明', en: 'Results and certificates' },
    url: 'https://property.example/',
  },
  { name: { zh: '居住证办理', en: 'Residence permit' }, url: 'https://residence.example/' },
]
const text = Buffer.alloc(256, 'synthetic text. ')

describe('the start page of a terminal in a browser', function () {
  this.timeout(30_000)
  const newDirectory = temporaryDirectories()
  let browser: Browser
  let agent: TerminalAgent
  let context: BrowserContext
  let page: Page
  let complaints: string[]

  before(async function () {
    browser = await openChromium(this)
    agent = await startTerminalAgent({ directory: newDirectory(), settings: { services } })
  })
  after(async () => {
    await browser?.close()
    await agent?.close()
  })
  const open = async (width: number, height: number, colorScheme: 'light' | 'dark' = 'light') => {
    context = await browser.newContext({ locale: 'zh-CN', viewport: { width, height }, bypassCSP: false, colorScheme })
    page = await context.newPage()
    page.setDefaultTimeout(5_000)
    await page.clock.install()
    complaints = []
    page.on('console', (message) => void complaints.push(message.text()))
    page.on('pageerror', (error) => void complaints.push(error.message))
    await page.goto(agent.url)
    await page.waitForSelector('#status [data-state]:not([hidden])')
  }
  afterEach(async () => {
    await context.close()
    agent.fake.lift()
    assert.deepEqual(complaints, [])
  })
  const shown = (selector: string) => page.locator(selector).innerText()
  const says = async (selector: string, words: RegExp) => {
    for (let tried = 0; tried < 200; tried += 1) {
      if ((await page.locator(selector).isVisible()) && words.test(await shown(selector))) return
      await page.clock.runFor(100)
      await pause(15)
    }
    assert.fail(`${words}: ${await page.locator(selector).textContent()}`)
  }
  const gone = async (selector: string) => {
    for (let tried = 0; await page.locator(selector).isVisible(); tried += 1) {
      assert.ok(tried < 200, `${selector} stays`)
      await page.clock.runFor(100)
      await pause(15)
    }
  }
  const picture = async (name: string) => {
    if (pictures === undefined) return
    mkdirSync(pictures, { recursive: true })
    await page.screenshot({ path: join(pictures, `terminal-${name}.png`) })
  }

  for (const [name, width, height] of [
    ['kiosk', 1080, 1920],
    ['window', 1366, 768],
  ] as const) {
    it(`stands on a ${name} of ${width} × ${height} in both languages, with targets of 60 pixels and more`, async () => {
      await open(width, height)
      await says('#status', /读卡器正常/)
      assert.match(await shown('h1'), /请选择要办的事/)
      await picture(`${name}-zh`)
      await page.click('#language')
      assert.match(await shown('h1'), /What would you like to do/)
      assert.equal(await page.locator('html').getAttribute('lang'), 'en')
      assert.doesNotMatch(await shown('main'), /\p{Script=Han}/u)
      await picture(`${name}-en`)
      for (const target of await page.locator('a:visible, button:visible').all()) {
        const box = await target.boundingBox()
        assert.ok(box && box.width >= 60 && box.height >= 60, JSON.stringify(box))
      }
      const scrolls =
        'document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth'
      assert.equal(await page.evaluate(scrolls), false, 'it scrolls')
      assert.deepEqual(
        await page.locator('main a').evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
        services.map(({ url }) => url),
      )
    })
  }

  it('says that a card lies there, and asks for the one that was there before it until it is taken', async () => {
    await open(1080, 1920)
    agent.fake.place({ text })
    await says('#status', /读卡器上有身份证/)
    assert.equal(await page.locator('#take').isVisible(), false)
    await picture('card-zh')
    await page.reload()
    await says('#take', /请取走身份证/)
    await picture('take-zh')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await says('#take', /请取走身份证/)
    agent.fake.lift()
    await gone('#take')
    await says('#status', /读卡器正常/)
  })

  it('asks whether somebody is still there, and goes back to the start when nobody answers', async () => {
    await open(1080, 1920)
    await page.click('#language')
    await page.clock.runFor(39_000)
    assert.equal(await page.locator('#idle').isVisible(), false)
    await says('#idle', /Are you still there/)
    await picture('idle-en')
    await page.click('#stay')
    await gone('#idle')
    assert.match(await shown('h1'), /What would/)
    await page.clock.runFor(41_000)
    await says('#idle', /Are you still there/)
    await page.clock.runFor(21_000)
    await gone('#idle')
    assert.match(await shown('h1'), /请选择/)
    // At the start there is nothing to go back from.
    await page.clock.runFor(60_000)
    assert.equal(await page.locator('#idle').isVisible(), false)
  })

  it('asks for a card that nobody comes for', async () => {
    await open(1366, 768)
    agent.fake.place({ text })
    await says('#status', /读卡器上有身份证/)
    await page.clock.runFor(41_000)
    await says('#idle', /还在办理吗/)
    await picture('idle-zh')
    await page.clock.runFor(21_000)
    await says('#take', /请取走身份证/)
  })

  it('says that there is no reader, and shows the same in the dark', async () => {
    await open(1366, 768, 'dark')
    agent.fake.behaviour.silent = true
    await says('#status', /读卡器没有连上/)
    await picture('absent-dark-zh')
    agent.fake.behaviour.silent = false
    await says('#status', /读卡器正常/)
  })

  it('leaves nothing to complain of for WCAG 2.1 AA, in either language and behind each question', async () => {
    const faults: string[] = []
    const look = async (waitFor: string, act = async (_page: Page): Promise<void> => undefined) => {
      const own = await browser.newContext({ bypassCSP: true, viewport: { width: 1080, height: 1920 } })
      const fresh = await own.newPage()
      await fresh.goto(agent.url)
      await fresh.waitForSelector(waitFor)
      await act(fresh)
      faults.push(...(await accessibilityFaults(fresh)))
      await own.close()
    }
    await open(1080, 1920)
    await look('#status [data-state=ready]:not([hidden])')
    await look('#status [data-state=ready]:not([hidden])', (fresh) => fresh.click('#language'))
    await look('#language', async (fresh) => void (await fresh.evaluate('document.getElementById("idle").showModal()')))
    agent.fake.place({ text })
    await says('#status', /读卡器上有身份证/)
    await look('#take[open]')
    assert.deepEqual(faults, [])
  })

  it('has a card read for a page of the issuer, and for no other', async () => {
    const pages = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>page'))
    await once(pages.listen(0, 'localhost'), 'listening')
    const { port } = pages.address() as AddressInfo
    const issuer = `http://localhost:${port}`
    const own = await startTerminalAgent({ directory: newDirectory(), settings: { issuer, wait: 10 } })
    context = await browser.newContext()
    page = await context.newPage()
    complaints = []
    const ask = (from: string) =>
      page.goto(from).then(() =>
        page.evaluate(async (url) => {
          const headers = { 'content-type': 'application/json' }
          const body = JSON.stringify({ nonce: 'n0nce-of-the-server-0123456789', attempt: 'a1' })
          const answered = await fetch(url, { method: 'POST', headers, body }).catch(() => undefined)
          return answered && ((await answered.json()) as { reading?: string; error?: string })
        }, `${own.url}/reading`),
      )
    try {
      own.fake.place({ text })
      const state = `fetch('${own.url}/state').then((answered) => answered.json())`
      await page.goto(issuer)
      while (!((await page.evaluate(state)) as { card: boolean }).card) await pause(50)
      assert.equal(await ask(`http://other.localhost:${port}`), undefined)
      assert.ok(!own.fake.asked.includes('3001'), 'the card was read')
      const { reading = '' } = (await ask(issuer)) ?? {}
      assert.equal(reading.split('.').length, 3)
    } finally {
      await own.close()
      pages.close()
      pages.closeAllConnections()
    }
  })

  it('leads to a service of the demo city where a card signs in, and asks for that card at the end', async () => {
    const city = await startCity({ terminal: true })
    context = await browser.newContext({ locale: 'zh-CN', viewport: { width: 1080, height: 1920 } })
    page = await context.newPage()
    page.setDefaultTimeout(10_000)
    complaints = []
    page.on('pageerror', (error) => void complaints.push(error.message))
    try {
      await page.goto(city.terminal ?? '')
      await page.click('main a')
      await page.click('a.do')
      await page.click('button[value=id-card]')
      await page.waitForSelector('form[data-device=id-card]')
      await picture('service-zh')
      // By the hands of somebody at the reader, as a visitor of the demo has them.
      const hands = await context.newPage()
      await hands.goto(city.cardReaderUrl)
      await hands.selectOption('[name=person]', 'ayiguli')
      await hands.click('form[action=place] button')
      assert.match((await hands.textContent('[role=status]')) ?? '', /阿依古丽·买买提（有效）/)
      await hands.setViewportSize({ width: 1366, height: 768 })
      if (pictures !== undefined) await hands.screenshot({ path: join(pictures, 'terminal-hands.png') })
      await page.click('form[data-device=id-card] button')
      await page.locator('[data-progress]', { hasText: '请取走身份证' }).waitFor()
      // Not taken: the terminal asks for it once the citizen has gone.
      await page.goto(city.terminal ?? '')
      await page.waitForSelector('#take[open]')
      await hands.click('form[action=lift] button')
      await page.waitForSelector('#take:not([open])', { state: 'attached' })
      await page.waitForSelector('#status [data-state=ready]:not([hidden])')
    } finally {
      await city.close()
    }
  })
})
