/** The whole door as each of the cast, by keyboard alone, in turn in both languages and both type sizes. */
import { strict as assert } from 'node:assert'
import { documentKinds } from '#src/identity/id-number.ts'
import { openChromium, type Browser, type Page } from '../support/chromium.ts'
import { personOf } from '../support/citizen.ts'
import { startCity, type City } from '../support/demo-city.ts'
import { codeAt } from '../support/stations.ts'

/** Who comes in, and what those are told who do not. */
const entering = [
  'yan',
  'xian',
  'ayiguli',
  'maria',
  'teenager',
  'elder',
  'new-owner',
  'old-owner',
  'renumbered',
  'renamed',
]
const refused = {
  child: [/未满14周岁/, /Under the age of 14/],
  deceased: [/请带证件到窗口/, /window/],
  cancelled: [/请带证件到窗口/, /window/],
  void: [/已经失效/, /no longer valid/],
} as const

describe('in Chromium, the door as each of the cast', function () {
  this.timeout(60_000)
  let browser: Browser
  let city: City
  let turn = 0

  before(async function () {
    browser = await openChromium(this)
    city = await startCity()
  })
  after(async () => {
    await browser?.close()
    await city?.close()
  })

  /** A page in the next language and type size. */
  const open = async (): Promise<{ page: Page; english: boolean }> => {
    turn += 1
    const english = turn % 2 === 0
    const context = await browser.newContext({
      viewport: { width: 360, height: 640 },
      locale: english ? 'en-GB' : 'zh-CN',
    })
    const page = await context.newPage()
    await page.goto(`${city.server.url}/?size=${turn % 4 < 2 ? 'large' : 'normal'}`)
    await page.goto(`${city.insurance}/login`)
    return { page, english }
  }

  /**
   * The page puts the focus where the answer goes; a citizen waits for it as long as he needs. By a locator: a text that
   * the page would have to evaluate again and again is refused by its policy.
   */
  const focused = (page: Page) => page.locator('main input:focus').waitFor()

  const type = async (page: Page, text: string): Promise<void> => {
    await focused(page)
    await page.keyboard.type(text)
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
  }

  /** From the phone page to behind the register's answer; the focus is where the eye is, so no key is pressed to get there. */
  const walk = async (page: Page, key: string, phone: string): Promise<void> => {
    await type(page, phone)
    await type(page, codeAt(city, phone))
    await document(page, key)
  }

  const document = async (page: Page, key: string): Promise<void> => {
    const person = await personOf(key)
    await focused(page)
    for (let down = documentKinds.indexOf(person.kind as never); down > 0; down -= 1)
      await page.keyboard.press('ArrowDown')
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    await type(page, person.name)
    await type(page, person.number)
  }

  /** Tabs to a button and presses it. */
  const press = async (page: Page, value: string): Promise<void> => {
    for (let tabs = 0; tabs < 30; tabs += 1) {
      if ((await page.evaluate('document.activeElement?.getAttribute("value")')) === value) break
      await page.keyboard.press('Tab')
    }
    await Promise.all([page.waitForURL(`${city.insurance}/**`), page.keyboard.press('Enter')])
  }

  for (const key of entering) {
    it(`lets ${key} in`, async () => {
      const person = await personOf(key)
      const { page } = await open()
      await walk(page, key, person.phone.replace('+86', ''))
      await press(page, 'agree')
      assert.match(await page.locator('#citizen').innerText(), new RegExp(person.name))
      await page.context().close()
    })
  }

  it('lets he and xu in, who share a phone', async () => {
    const [he, xu] = [await personOf('he'), await personOf('xu')]
    const phone = he.phone.replace('+86', '')
    const first = await open()
    await walk(first.page, 'he', phone)
    await press(first.page, 'agree')
    await first.page.context().close()
    city.server.clock.advance(120_000)
    const { page } = await open()
    await type(page, phone)
    await focused(page)
    await page.keyboard.type(codeAt(city, phone))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    await document(page, 'xu')
    await press(page, 'agree')
    assert.match(await page.locator('#citizen').innerText(), new RegExp(xu.name))
    await page.context().close()
  })

  for (const [key, sentences] of Object.entries(refused)) {
    it(`tells ${key} plainly why not`, async () => {
      const person = await personOf(key)
      const { page, english } = await open()
      await walk(page, key, person.phone === '' ? '19900000099' : person.phone.replace('+86', ''))
      assert.match(await page.locator('[role=alert]').innerText(), sentences[english ? 1 : 0])
      await page.context().close()
    })
  }
})
