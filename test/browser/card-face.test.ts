/** A card and a look into the camera at a terminal, as a citizen meets it, over an agent that does what the test says. */
import { strict as assert } from 'node:assert'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { sm3 } from 'jose'
import type { Device } from '../support/card-terminal.ts'
import { accessibilityFaults, openChromium, type Browser, type BrowserContext, type Page } from '../support/chromium.ts'
import { startCity, type City } from '../support/demo-city.ts'
import { deviceCertificates } from '../support/device-certificates.ts'
import { startScriptedAgent, type Look, type ScriptedAgent } from '../support/scripted-agent.ts'

const agree = 'button[data-begin]'

describe('a card and a face in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let city: City
  let agent: ScriptedAgent
  let context: BrowserContext
  let page: Page
  let complaints: string[]
  let directory: string

  before(async function () {
    browser = await openChromium(this)
    directory = mkdtempSync(join(tmpdir(), 'yihao-card-face-'))
    const issue = deviceCertificates(directory)
    const root = issue({ name: 'root', authority: true })
    const device: Device = {
      id: 'hall-1',
      sam: '05.01-20200101-0000000001',
      chain: [issue({ name: 'hall', by: root })],
    }
    agent = await startScriptedAgent(device, () => city.server.url)
    const terminals = join(directory, 'terminals')
    mkdirSync(terminals)
    const row = {
      ...{ id: device.id, sam: device.sam, channel: 'kiosk', status: 'active', place: '政务大厅' },
      name: { zh: '自助终端', en: 'Kiosk' },
      certificate: `sm3:${sm3(device.chain[0].der).toString('hex')}`,
    }
    writeFileSync(join(terminals, 'hall-1.json'), JSON.stringify(row))
    city = await startCity({
      terminal: true,
      settings(settings) {
        const { verifiers } = settings as { verifiers: { idCard: object } }
        Object.assign(verifiers.idCard, { agent: agent.url, roots: root.file, terminals })
      },
    })
  })
  after(async () => {
    await browser?.close()
    await city?.close()
    await agent?.close()
    if (directory) rmSync(directory, { recursive: true, force: true })
  })

  const open = async (options: Parameters<Browser['newContext']>[0] = {}) => {
    await context?.close()
    context = await browser.newContext({ locale: 'zh-CN', viewport: { width: 1366, height: 768 }, ...options })
    page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to|CORS|sandbox/.test(message.text())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
  }
  beforeEach(async () => {
    complaints = []
    Object.assign(agent, { card: false, face: null })
    Object.assign(agent.pictures, { shown: 0, refused: 0 })
    await open()
  })
  afterEach(async () => {
    await context.close()
    assert.deepEqual(complaints, [])
  })

  const arrive = async () => {
    await page.goto(`${city.kiosk}/`)
    await page.click('a.do')
    await page.click('button[value=card-face]')
    await page.waitForSelector(`${agree}:enabled`)
  }
  const until = async (holds: () => boolean | Promise<boolean>) => {
    const started = performance.now()
    while (!(await Promise.resolve(holds()).catch(() => false))) {
      assert.ok(performance.now() - started < 10_000)
      await pause(30)
    }
  }
  const progress = async () => (await page.textContent('[data-progress]')) ?? ''
  const says = (text: string | RegExp) =>
    until(async () => (typeof text === 'string' ? (await progress()) === text : text.test(await progress())))
  const begin = async () => {
    await page.click(agree)
    await until(() => agent.asked() !== undefined)
  }
  const sees = (face: Look | null) => void (agent.face = face)
  const fault = () => page.textContent('form [role=status]')
  const framed = () => page.locator('iframe[data-mirror]')
  const signedIn = async () => {
    await page.waitForSelector('#citizen, button[value=inform]')
    if ((await page.$('#citizen')) === null) await page.click('button[value=inform]')
    return (await page.textContent('#citizen')) ?? ''
  }

  it('tells him one thing at a time, shows him himself, and signs him in at level 2', async () => {
    await arrive()
    assert.equal(await framed().isVisible(), false)
    await begin()
    await says(/请把身份证平放在读卡器上/)
    assert.equal(await framed().isVisible(), false, 'the camera is not on yet')
    const { actions = [] } = agent.asked() ?? {}
    assert.equal(new Set(actions).size, 2)
    agent.card = true
    await says('身份证放好了，请先不要拿开。摄像头马上打开。')
    assert.equal(await framed().isVisible(), false, 'nor now')
    for (const [face, text] of [
      [{ step: 'look', see: 'nobody' }, '请正对屏幕，看着画面。'],
      [{ step: 'look', see: 'far' }, '请靠近一点。'],
      [{ step: 'look', see: 'many' }, '只能有一个人。请旁边的人让一让。'],
      [{ step: 'look', see: 'ok' }, '请正对屏幕，看着画面。'],
      [{ step: 'left', see: 'ok' }, '请慢慢向左转头。'],
      [{ step: 'left', see: 'nobody' }, '看不到您的脸。请转回来，正对屏幕。'],
      [{ step: 'right', see: 'ok' }, '请慢慢向右转头。'],
      [{ step: 'mouth', see: 'ok' }, '请正对屏幕，张开嘴。'],
    ] as const) {
      sees(face)
      await says(text)
      assert.equal(await framed().isVisible(), true)
    }
    await until(() => agent.pictures.shown > 0)
    assert.equal(agent.pictures.refused, 0)
    sees(null)
    await says('好了，正在比对，请稍等。')
    assert.equal(await framed().isVisible(), false)
    await agent.read()
    await says('读好了，请取走身份证。')
    agent.card = false
    const shown = await signedIn()
    assert.match(shown, /刘䶮/)
    assert.match(shown, /urn:yihao:loa:2/)
  })

  it('lets a turning head be lost for a moment without saying so', async () => {
    await arrive()
    await begin()
    sees({ step: 'left', see: 'ok' })
    await says('请慢慢向左转头。')
    await page.evaluate(`globalThis.heard = []
      new MutationObserver(() => heard.push(document.querySelector('[data-progress]').textContent))
        .observe(document.querySelector('[data-progress]'), { childList: true, characterData: true, subtree: true })`)
    let looks = 0
    // Lost at one look of the page, found at the next.
    await page.route('**/state', async (route) => {
      looks += 1
      const face = { step: 'left', see: looks % 2 === 1 ? 'nobody' : 'ok' }
      await route.fulfill({ json: { card: true, face }, headers: { 'access-control-allow-origin': '*' } })
    })
    await until(() => looks > 5)
    assert.deepEqual(await page.evaluate('heard'), [])
  })

  it('can be stopped while it is under way, and the agent is left alone at once', async () => {
    await arrive()
    await begin()
    sees({ step: 'look', see: 'ok' })
    await framed().waitFor()
    await page.click('[data-under-way] button')
    await page.waitForSelector('button[value=id-card]')
    await until(() => agent.asked() === undefined)
  })

  it('leads who does not agree to the other ways, and opens no camera', async () => {
    await arrive()
    await page.click('.pair button[form=others]')
    await page.waitForSelector('button[value=sms]')
    assert.equal(agent.asked(), undefined)
  })

  for (const [outcome, sentence] of [
    ['mismatch', /照片没有比对上[^]*换一种方式/],
    ['no-face', /摄像头没有看到您的脸/],
    ['actions', /没有看清您的动作/],
  ] as const)
    it(`says after ${outcome} what he can do, and lets him try again`, async () => {
      await arrive()
      await begin()
      await agent.read({ outcome })
      await page.waitForSelector('.summary')
      assert.match((await page.textContent('.summary')) ?? '', sentence)
      await page.waitForSelector(`${agree}:enabled`)
      await begin()
      assert.equal(await page.isVisible('.summary'), false, 'what was before is over')
      await agent.read()
      assert.match(await signedIn(), /刘䶮/)
    })

  for (const [error, sentence] of [
    ['no-camera', /没有摄像头/],
    ['too-young', /未满14周岁[^]*请取走身份证/],
    ['camera-fault', /摄像头没有接好[^]*请取走身份证/],
    ['photo-fault', /照片没有读出来[^]*请取走身份证/],
    ['too-often', /次数已用完[^]*请取走身份证/],
    ['no-card', /没有读到身份证/],
    ['busy', /读卡器正忙/],
    ['a-new-word', /现在不能这样核对/],
  ] as const)
    it(`says in words that the agent answers ${error}, with the buttons back and the focus in them`, async () => {
      await arrive()
      await begin()
      agent.fail(error)
      await until(async () => sentence.test((await fault()) ?? ''))
      assert.equal(await progress(), '')
      assert.equal(await page.isVisible('.pair'), true)
      assert.equal(await framed().isVisible(), false)
      await page.waitForSelector(`${agree}:focus`)
    })

  it('is done by keyboard alone, and begins once however often it is pressed', async () => {
    await arrive()
    for (let at = 0; at < 20 && (await page.locator(`${agree}:focus`).count()) === 0; at += 1)
      await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await until(() => agent.asked() !== undefined)
    await page.waitForSelector('[data-progress]:focus')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.waitForSelector('[data-under-way] button:focus')
    await agent.read()
    assert.match(await signedIn(), /刘䶮/)
  })

  it('shows the text anew to whoever agreed to one that no longer stands', async () => {
    await arrive()
    await page.evaluate(`document.querySelector('[name=consent]').value = '0'`)
    await page.click(agree)
    await page.waitForSelector('.summary')
    assert.match((await page.textContent('.summary')) ?? '', /没有您的同意，不会开始/)
    assert.equal(await page.inputValue('[name=consent]'), '1')
    assert.equal(agent.asked(), undefined)
  })

  it('says without JavaScript that it needs it, and leads on', async () => {
    await open({ javaScriptEnabled: false })
    await page.goto(`${city.kiosk}/`)
    await page.click('a.do')
    await page.click('button[value=card-face]')
    await page.waitForSelector(`${agree}:disabled`)
    assert.match((await page.textContent('[data-until-ready]')) ?? '', /JavaScript/)
    await page.click('.pair button[form=others]')
    await page.waitForSelector('button[value=id-card]')
  })

  describe('for everybody', () => {
    const sizes = { kiosk: [1080, 1920], desktop: [1366, 768], phone: [320, 568] } as const
    const shots = process.env['SCREENSHOTS']
    const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
    const smallest = `Math.min(...[...document.querySelectorAll('button, .ways a')].filter((one) => one.checkVisibility())
      .map((one) => Math.round(one.getBoundingClientRect().height)))`

    const judge = async (name: string, least: number) => {
      // Without its style sheet a page has other sizes.
      await page.waitForLoadState()
      for (const [size, [width, height]] of Object.entries(sizes)) {
        await page.setViewportSize({ width, height })
        assert.equal(await page.evaluate(overflow), 0, `${name} ${size}: wider than the screen`)
        if (shots) await page.screenshot({ path: `${shots}/card-face-${name}-${size}.png`, fullPage: size === 'phone' })
      }
      assert.ok(((await page.evaluate(smallest)) as number) >= least, name)
      assert.deepEqual(await accessibilityFaults(page), [], name)
    }

    for (const [lang, size, least, colorScheme] of [
      ['zh', 'normal', 44, 'light'],
      ['zh', 'large', 60, 'light'],
      ['en', 'normal', 44, 'dark'],
      ['en', 'large', 60, 'light'],
    ] as const)
      it(`fits every screen and reader: ${lang}, ${size}`, async () => {
        if (shots) mkdirSync(shots, { recursive: true })
        // Only the checker's own script needs it.
        await open({ bypassCSP: true, colorScheme })
        const name = (what: string) => `${lang}-${size}-${what}`
        await arrive()
        await page.goto(`${page.url().split('?')[0]}?lang=${lang}&size=${size}`)
        await page.waitForSelector(`${agree}:enabled`)
        await judge(name('consent'), least)
        await begin()
        await judge(name('card'), least)
        sees({ step: 'left', see: 'ok' })
        await framed().waitFor()
        await until(() => agent.pictures.shown > 0)
        await judge(name('mirror'), least)
        agent.fail('camera-fault')
        await page.waitForSelector(`${agree}:focus`)
        await judge(name('fault'), least)
        await begin()
        await agent.read({ outcome: 'mismatch' })
        await page.waitForSelector('.summary')
        await judge(name('mismatch'), least)
      })
  })
})
