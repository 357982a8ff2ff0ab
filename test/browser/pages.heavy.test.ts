import { strict as assert } from 'node:assert'
import { readdirSync } from 'node:fs'
import { accessibilityFaults, openChromium, type Browser, type BrowserContext, type Page } from '../support/chromium.ts'
import { personOf } from '../support/citizen.ts'
import { codeAt, startStage, stations, strangersPhone, type Stage } from '../support/stations.ts'

/** What can be pressed, with the label that presses it, as `tag width×height`, where it is smaller than a finger. */
const smallTargets = (least: number): string => `
  [...document.querySelectorAll('a:not(.skip), button, summary, input:not([type=hidden])')].flatMap((element) => {
    const boxes = [element, ...(element.type === 'radio' || element.type === 'checkbox' ? element.labels : [])]
      .map((one) => one.getBoundingClientRect())
    const [width, height] = ['width', 'height'].map((side) => Math.round(Math.max(...boxes.map((box) => box[side]))))
    const shown = element.checkVisibility()
    return !shown || (width >= ${least} && height >= ${least}) ? [] : [element.outerHTML.slice(0, 90) + ' ' + width + '×' + height]
  })`

/** The smallest text on the page, in px. */
const smallestText = `
  Math.min(...[...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => parseFloat(getComputedStyle(element).fontSize)))`

/** The narrowest value of a list of facts, in em: less than six, and words and numbers are broken to pieces. */
const narrowestValue = `
  Math.min(Infinity, ...[...document.querySelectorAll('dl dd')]
    .map((value) => value.clientWidth / parseFloat(getComputedStyle(value).fontSize)))`

const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'

const described = `(() => {
  const field = document.activeElement
  const ids = (field.closest('fieldset') ?? field).getAttribute('aria-describedby') ?? ''
  return ids.split(' ').map((id) => document.getElementById(id)?.textContent ?? 'missing: ' + id)
})()`

/** The title says it, the focus is in the field, the field's description holds it, and a 编号 stands beside it. */
async function assertFaultAnnounced(page: Page): Promise<void> {
  await page.waitForSelector('main input:focus')
  assert.match(await page.title(), /^没有完成：/)
  const fault = (await page.textContent('#fault'))?.trim() ?? ''
  assert.ok(fault.length > 5)
  assert.ok(((await page.evaluate(described)) as string[]).map((text) => text.trim()).includes(fault))
  assert.match((await page.textContent('[role=alert]')) ?? '', /编号 [0-9A-Z]{5}-[0-9A-Z]{5}/)
}

const variants = [
  { lang: 'zh', size: 'normal', least: 44, colorScheme: 'light' },
  { lang: 'zh', size: 'large', least: 60, colorScheme: 'dark' },
  { lang: 'en', size: 'normal', least: 44, colorScheme: 'dark' },
  { lang: 'en', size: 'large', least: 60, colorScheme: 'light' },
] as const

/** At 320 px, which is 1280 px at 400 % zoom as well (WCAG 2.1 §1.4.10). */
async function assertFitForAll(page: Page, address: URL, variant: (typeof variants)[number]): Promise<void> {
  const { lang, size, least, colorScheme } = variant
  const url = new URL(address)
  url.searchParams.set('lang', lang)
  url.searchParams.set('size', size)
  await page.emulateMedia({ colorScheme })
  await page.goto(url.href)
  const where = `${url.pathname} ${lang} ${size} ${colorScheme}`
  assert.equal(await page.getAttribute('html', 'lang'), lang === 'zh' ? 'zh-CN' : 'en', where)
  assert.equal(await page.locator('h1').count(), 1, where)
  assert.deepEqual(await accessibilityFaults(page), [], where)
  assert.deepEqual(await page.evaluate(smallTargets(least)), [], where)
  assert.ok(((await page.evaluate(smallestText)) as number) >= (size === 'large' ? 18 : 13), where)
  assert.ok(((await page.evaluate(narrowestValue)) as number) >= 6, `${where}: a value has no room`)
  assert.equal(await page.evaluate(overflow), 0, `${where}: wider than the screen`)
}

describe('the pages in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let stage: Stage
  let context: BrowserContext
  let page: Page

  const open = async (options: Parameters<Browser['newContext']>[0]): Promise<void> => {
    context = await browser.newContext({ locale: 'zh-CN', viewport: { width: 360, height: 640 }, ...options })
    page = await context.newPage()
    page.setDefaultTimeout(10_000)
  }

  before(async function () {
    browser = await openChromium(this)
    stage = await startStage()
  })
  afterEach(() => context?.close())
  after(async () => {
    await browser?.close()
    await stage?.close()
  })

  it('knows the way to every page there is', () => {
    const views = readdirSync('views').filter((name) => name.endsWith('.eta') && name !== 'layout.eta')
    assert.deepEqual(
      views.map((name) => name.replace('.eta', '')).sort(),
      [...new Set(stations.map(({ view }) => view))].sort(),
    )
  })

  for (const station of stations) {
    it(`${station.name}: WCAG 2.1 AA, targets and small screens${station.faulty ? ', and the fault announced' : ''}`, async () => {
      // Only the checker's own script needs it; the story runs under the policy.
      await open({ bypassCSP: true, viewport: { width: 320, height: 568 } })
      await station.open(stage, page)
      if (station.faulty) await assertFaultAnnounced(page)
      const address = new URL(page.url())
      for (const variant of variants) await assertFitForAll(page, address, variant)
    })
  }

  it('does not blame the field where no other input would help', async () => {
    await open({})
    await stations.find(({ name }) => name === 'number-unavailable')?.open(stage, page)
    assert.equal(await page.locator('[aria-invalid]').count(), 0)
    assert.match((await page.textContent('#fault')) ?? '', /您填的没有错/)
    assert.equal(await page.inputValue('#number'), '690101 20010315 1220')
  })

  it('registers by keyboard alone and without JavaScript, each page starting in its field', async () => {
    await open({ javaScriptEnabled: false })
    const { name, number } = await personOf('new-owner')
    const phone = (await personOf('new-owner')).phone
    await page.goto(`${stage.insurance}/login`)
    const type = async (field: string, text: string): Promise<void> => {
      await page.waitForSelector(`#${field}:focus-visible`)
      await page.keyboard.type(text)
      await page.keyboard.press('Enter')
    }
    await type('phone', phone)
    await page.waitForSelector('#code')
    await type('code', codeAt(stage, phone))
    await page.waitForSelector('#kind-0:focus')
    await page.keyboard.press('Enter')
    await type('name', name)
    await type('number', number)
    await page.waitForSelector('button[value=refuse]')
    for (let at = 0; at < 20; at += 1) {
      if ((await page.locator('button[value=refuse]:focus-visible').count()) === 1) break
      await page.keyboard.press('Tab')
    }
    await page.keyboard.press('Enter')
    await page.waitForSelector('#citizen')
    assert.match((await page.textContent('#citizen')) ?? '', new RegExp(name))
    assert.doesNotMatch((await page.textContent('#citizen')) ?? '', /手机号/, 'what was refused is not given')
  })

  it('groups phone and ID number while they are typed, and leaves a correction in the middle alone', async () => {
    await open({})
    await page.goto(`${stage.insurance}/login`)
    await page.keyboard.type('19900000001')
    assert.equal(await page.inputValue('#phone'), '199 0000 0001')
    await page.keyboard.press('Home')
    await page.keyboard.press('Delete')
    await page.keyboard.type('1')
    assert.equal(await page.inputValue('#phone'), '199 0000 0001')
    await page.fill('#phone', strangersPhone())
    await page.keyboard.press('Enter')
    await page.waitForSelector('#code')
  })

  it('shows the whole ID number in its field at 320 px and in large type', async () => {
    await open({ viewport: { width: 320, height: 568 } })
    await stations.find(({ name }) => name === 'number')?.open(stage, page)
    for (const size of ['normal', 'large']) {
      await page.goto(`${page.url().split('?')[0]}?size=${size}`)
      await page.fill('#number', '690101 19920305 1010')
      const hidden = `document.activeElement.scrollWidth - document.activeElement.clientWidth`
      assert.equal(await page.evaluate(hidden), 0, size)
    }
  })

  it('gives the two answers to a request for consent the same looks and size', async () => {
    await open({})
    await stations.find(({ name }) => name === 'notice-number')?.open(stage, page)
    await page.waitForLoadState()
    const looks = `[...document.querySelectorAll('.pair .even')].map((one) => {
      const { width, height } = one.getBoundingClientRect()
      const { color, backgroundColor, borderColor, fontWeight, fontSize } = getComputedStyle(one)
      return [width, height, color, backgroundColor, borderColor, fontWeight, fontSize].join(' ')
    })`
    const [agree, refuse, ...more] = (await page.evaluate(looks)) as string[]
    assert.ok(agree)
    assert.equal(agree, refuse)
    assert.deepEqual(more, [])
    assert.equal(await page.isChecked('#id_number'), false, 'the ID number is never ticked beforehand')
  })

  it('leads from the page about another citizen to the application, whatever he decides', async () => {
    await open({})
    await stations.find(({ name }) => name === 'switch-account')?.open(stage, page)
    assert.ok((await page.getAttribute('a.even', 'href'))?.startsWith(stage.insurance))
    await page.click('button[value=yes]')
    // Chromium holds the redirect after a form to the page's `form-action`.
    await page.waitForURL((url) => url.href.startsWith(stage.insurance))
  })
})
