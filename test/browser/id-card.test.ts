/** A card at a self-service terminal: demo application, pages, agent and fake reader, as a citizen meets them. */
import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { castMember, readPopulation } from '#src/demo/cast.ts'
import { cardOf, type Condition } from '#src/demo/fake-reader/cards.ts'
import {
  accessibilityFaults,
  openChromium,
  openTab,
  type Browser,
  type BrowserContext,
  type Page,
} from '../support/chromium.ts'
import { startCity, type City } from '../support/demo-city.ts'
import { provePhone, strangersPhone } from '../support/stations.ts'

describe('an identity card in a browser', function () {
  this.timeout(30_000)
  let browser: Browser
  let city: City
  let context: BrowserContext
  let page: Page
  let complaints: string[]

  before(async function () {
    browser = await openChromium(this)
    city = await startCity({
      terminal: true,
      settings(settings) {
        const { verifiers } = settings as { verifiers: { idCard: object } }
        Object.assign(verifiers.idCard, { prefill: { vendor: 'cvr', channels: ['kiosk'] } })
      },
    })
  })
  after(async () => {
    await browser?.close()
    await city?.close()
  })
  beforeEach(async () => {
    const desktop = { viewport: { width: 1366, height: 768 } }
    ;({ context, page, complaints } = await openTab(browser, desktop, /Content Security Policy|Refused to|CORS/))
  })
  afterEach(async () => {
    city.cardReader.lift()
    await context.close()
    assert.deepEqual(complaints, [])
  })

  const put = async (key: string, condition: Condition = 'valid') =>
    city.cardReader.place(cardOf(castMember(await readPopulation(), key), condition))
  const arrive = async () => {
    await page.goto(`${city.kiosk}/`)
    await page.click('a.do')
    await page.click('button[value=id-card]')
    await page.waitForSelector('form[data-device=id-card] button:enabled')
  }
  const progress = () => page.textContent('[data-progress]')
  const press = () => page.click('form[data-device=id-card] button')
  const until = async (holds: () => Promise<boolean>) => {
    const started = performance.now()
    // A page that is just going on has no answer.
    while (!(await holds().catch(() => false))) {
      assert.ok(performance.now() - started < 10_000)
      await pause(50)
    }
  }
  /** Reads the card that lies there and takes it off when the page says so. */
  const read = async () => {
    await press()
    await until(async () => (await progress().catch(() => '')) === '读好了，请取走身份证。')
    city.cardReader.lift()
  }
  const signedIn = async () => {
    // At the first time, what the application learns is told first.
    await page.waitForSelector('#citizen, button[value=inform]')
    if ((await page.$('#citizen')) === null) await page.click('button[value=inform]')
    return (await page.textContent('#citizen')) ?? ''
  }
  const whys = async () => {
    const rows = await city.server.app.storage.audit.read('node-1', 0, 10_000)
    return rows
      .map(({ body }) => JSON.parse(body) as { type: string; verifier?: string; facts?: { why?: string } })
      .filter(({ type, verifier }) => type === 'challenge.answered' && verifier === 'id-card')
      .map(({ facts }) => facts?.why)
  }

  it('signs in who puts it down, asks him to take it away, and names nobody to the page', async () => {
    await arrive()
    await put('yan')
    await read()
    const shown = await signedIn()
    assert.match(shown, /刘䶮/)
    assert.match(shown, /urn:yihao:loa:2/)
    assert.match(shown, /sc/)
  })

  it('is a page that a screen reader can use, waiting and refused', async () => {
    await arrive()
    assert.deepEqual(await accessibilityFaults(page), [])
    await press()
    await until(async () => /请把身份证平放/.test((await progress()) ?? ''))
    assert.deepEqual(await accessibilityFaults(page), [])
    await put('yan', 'damaged')
    await until(async () => /没有读出来/.test((await page.textContent('form [role=status]')) ?? ''))
    assert.deepEqual(await accessibilityFaults(page), [])
  })

  it('waits for the card, by keyboard alone', async () => {
    await arrive()
    await page.focus('form[data-device=id-card] button')
    await page.keyboard.press('Enter')
    await until(async () => /请把身份证平放在读卡器上/.test((await progress()) ?? ''))
    // Pressed once more, nothing begins twice.
    await page.keyboard.press('Enter')
    await put('maria')
    await until(async () => (await progress().catch(() => '')) === '读好了，请取走身份证。')
    city.cardReader.lift()
    assert.match(await signedIn(), /MARIA GARCIA LOPEZ/)
  })

  it('ends in the account that the same person has by phone', async () => {
    const { kind, name, number, phone = '' } = castMember(await readPopulation(), 'xian')
    const document = { kind: kind as 'resident-id-card', number, status: 'proven' } as const
    await city.server.app.directory.open({ name, document, phone, proven: true, proofing: 2 })
    const subject = async () => ((await signedIn()).match(/[\w-]{43}/) ?? [''])[0]
    await page.goto(`${city.kiosk}/`)
    await page.click('a.do')
    await page.click('button[value=sms]')
    await provePhone(city, page, phone)
    const byPhone = await subject()
    await context.clearCookies()
    await arrive()
    await put('xian')
    await read()
    assert.equal(await subject(), byPhone)
  })

  it('opens nothing to the card of a deceased person, and says what to do', async () => {
    await arrive()
    await put('deceased')
    await read()
    await page.waitForSelector('.summary')
    assert.match((await page.textContent('main')) ?? '', /窗口/)
  })

  it('says in words that a card is damaged, and reads the next one', async () => {
    await arrive()
    await put('yan', 'damaged')
    await press()
    await until(async () => /没有读出来/.test((await page.textContent('form [role=status]')) ?? ''))
    city.cardReader.lift()
    await pause(700)
    await put('yan')
    await read()
    assert.match(await signedIn(), /刘䶮/)
  })

  it('refuses an expired card and a revoked terminal, each with its reason in the trail', async () => {
    await arrive()
    await put('yan', 'expired')
    await read()
    await page.waitForSelector('.summary')
    assert.equal((await whys()).at(-1), 'card-expired')
    assert.match((await page.textContent('.summary')) ?? '', /这张证件已经过了有效期/)

    const file = join(city.terminalRows, 'demo-terminal.json')
    const row = readFileSync(file, 'utf8')
    writeFileSync(file, row.replace('"active"', '"revoked"'))
    await pause(2_100)
    await put('yan')
    await read()
    await until(async () => (await whys()).at(-1) === 'revoked')
    writeFileSync(file, row)
    await page.waitForSelector('.summary')
  })

  it('is not asked of a device that has no reader, which says so', async () => {
    await arrive()
    await page.route('**/reading', (route) => route.abort())
    await press()
    await until(async () => /没有找到读卡器/.test((await page.textContent('form [role=status]')) ?? ''))
  })

  it('fills in name and number from a vendor’s reader, keeps the photo here, and leaves the sending to whoever sits there', async () => {
    const { name, number } = castMember(await readPopulation(), 'ayiguli')
    const answers: Record<string, object> = {
      '/OpenDevice': { resultFlag: 0 },
      '/readcard': {
        resultFlag: 0,
        partyName: name,
        certNumber: number,
        identityPic: 'P'.repeat(4_000),
        certType: ' ',
      },
      '/CloseDevice': { resultFlag: 0 },
    }
    await page.route('http://127.0.0.1:19196/**', (route) => {
      const headers = { 'access-control-allow-origin': '*' }
      return route.fulfill({ headers, json: answers[new URL(route.request().url()).pathname] ?? {} })
    })
    const sent: string[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/card-answer')) sent.push(request.postData() ?? '')
    })
    const prefill = async (field: string) => {
      await page.click('[data-card-prefill] button')
      await until(async () => /请核对/.test((await page.textContent('[data-card-prefill] [role=status]')) ?? ''))
      assert.equal(await page.getAttribute(':focus', 'id'), field)
      return page.inputValue(`#${field}`)
    }
    await page.goto(`${city.kiosk}/`)
    await page.click('a.do')
    await page.click('button[value=sms]')
    await provePhone(city, page, strangersPhone())
    await page.click('button.do')
    assert.equal(await prefill('name'), name)
    await page.click('button.do')
    assert.equal((await prefill('number')).replaceAll(' ', ''), number)
    assert.equal(sent.length, 2)
    assert.ok(sent.every((body) => !body.includes('PPPP')))
    answers['/readcard'] = { resultFlag: -1, errorMsg: 'no card' }
    await page.click('[data-card-prefill] button')
    await until(async () => /没有读到/.test((await page.textContent('[data-card-prefill] [role=status]')) ?? ''))
    assert.equal((await page.inputValue('#number')).replaceAll(' ', ''), number)
  })
})
