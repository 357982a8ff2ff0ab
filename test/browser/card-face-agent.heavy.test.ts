/**
 * A card and a look into the camera with all parts as they are: page, server, terminal agent with its model, fake reader
 * and fake camera of the demo city.
 */
import { strict as assert } from 'node:assert'
import { castMember, readPopulation } from '#src/demo/cast.ts'
import { openChromium, openTab, type Browser, type Page, type Tab } from '../support/chromium.ts'
import { startCity, type City } from '../support/demo-city.ts'

describe('a card and a face at the demo’s terminal', function () {
  // A picture takes the model a second, and a busy machine some.
  this.timeout(90_000)
  let browser: Browser
  let city: City
  let tab: Tab
  let page: Page

  before(async function () {
    browser = await openChromium(this)
    city = await startCity({ terminal: true })
  })
  after(async () => {
    await browser?.close()
    await city?.close()
  })
  beforeEach(async () => {
    tab = await openTab(browser, { viewport: { width: 1366, height: 768 } }, /Content Security Policy|Refused|CORS/)
    page = tab.page
    page.setDefaultTimeout(60_000)
  })
  afterEach(async () => {
    await desk('lift')
    await tab.context.close()
    assert.deepEqual(tab.complaints, [])
  })

  const desk = async (what: string, fields: Record<string, string> = {}) => {
    const answer = await fetch(new URL(what, city.cardReaderUrl), { method: 'POST', body: new URLSearchParams(fields) })
    assert.equal(answer.status, 200)
  }
  /** Goes to the camera with this card, which is taken away when the page says so. */
  const comes = async (person: string, scene: string) => {
    await desk('scene', { scene })
    await page.goto(`${city.kiosk}/`)
    await page.click('a.do')
    await page.click('button[value=card-face]')
    await page.click('button[data-begin]:enabled')
    await desk('place', { person, condition: 'valid' })
  }
  const toBeTaken = async () => {
    await page.locator('[data-progress]').filter({ hasText: '请取走身份证' }).waitFor()
    await desk('lift')
  }

  it('sign in whoever holds the card, looks and moves, and no picture is the page’s', async () => {
    const pictures: string[] = []
    page.on('response', (response) => {
      const type = response.headers()['content-type'] ?? ''
      if (/^(image\/jpeg|multipart)/.test(type))
        pictures.push(`${response.frame().url()} ${new URL(response.url()).pathname}`)
    })
    await comes('yan', 'holder')
    await page.locator('iframe[data-mirror]').waitFor()
    await toBeTaken()
    await page.waitForSelector('#citizen, button[value=inform]')
    if ((await page.$('#citizen')) === null) await page.click('button[value=inform]')
    const shown = (await page.textContent('#citizen')) ?? ''
    const { name } = castMember(await readPopulation(), 'yan')
    assert.ok(shown.includes(name))
    assert.match(shown, /urn:yihao:loa:2/)
    assert.doesNotMatch(shown, /face/)
    assert.ok(pictures.length > 0)
    for (const picture of pictures) assert.equal(picture, `${city.terminal}/mirror /mirror/picture`)
  })

  it('open nothing to whoever holds another’s card', async () => {
    await comes('xian', 'other')
    await toBeTaken()
    await page.locator('[role=alert]').filter({ hasText: '照片没有比对上' }).waitFor()
    const rows = await city.server.app.storage.audit.read('node-1', 0, 10_000)
    const last = rows.map(({ body }) => JSON.parse(body) as { type: string; facts?: { why?: string } })
    assert.equal(last.filter(({ type }) => type === 'challenge.answered').at(-1)?.facts?.why, 'face-mismatch')
  })
})
