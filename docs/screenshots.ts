/** `npm run screenshots`: takes the pictures of the README anew, from the real pages and synthetic people. */
import { join } from 'node:path'
import { launchChromium } from '../test/support/chromium.ts'
import { startStage, stations } from '../test/support/stations.ts'

const phone = { width: 360, height: 640 }
const desktop = { width: 1024, height: 640 }

const pictures = [
  { file: 'phone', station: 'phone', viewport: phone },
  { file: 'code-large', station: 'code', viewport: phone, query: '?size=large' },
  { file: 'notice', station: 'notice-duty-consent', viewport: phone },
  { file: 'number-wrong', station: 'number-check', viewport: phone },
  { file: 'methods', station: 'method', viewport: phone },
  { file: 'consent', station: 'prove-redirect-consent', viewport: phone, until: '.pair' },
  { file: 'me', station: 'me', viewport: desktop },
] as const

const stage = await startStage()
const browser = await launchChromium()
try {
  for (const { file, station, viewport, ...more } of pictures) {
    const context = await browser.newContext({ viewport, locale: 'zh-CN' })
    const page = await context.newPage()
    const way = stations.find(({ name }) => name === station)
    if (!way) throw new Error(`there is no station ${station}: ${stations.map(({ name }) => name).join(', ')}`)
    await way.open(stage, page)
    if ('query' in more) await page.goto(`${page.url()}${more.query}`)
    if ('until' in more) await page.locator(more.until).evaluate((last) => last.scrollIntoView(false))
    await page.screenshot({ path: join(import.meta.dirname, `${file}.png`) })
    await context.close()
  }
} finally {
  await browser.close()
  await stage.close()
}
