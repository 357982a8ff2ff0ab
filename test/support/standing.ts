/** Browsers that stand at the pages of a sign-in, so that a crawl meets each of them open. */
import { openBrowser, type Browser } from './browser.ts'
import type { TestServer } from './app.ts'
import { attemptOf, giveDocument, personOf, provePhone } from './citizen.ts'
import { relyingParty } from './relying-party.ts'

export interface Standing {
  readonly uid: string
  readonly browser: Browser
  /** Its cookies as a header. */
  readonly cookie: string
}

export interface Standings {
  readonly phone: Standing
  readonly code: Standing
  /** At the number, with all pages before it open as well. */
  readonly number: Standing
  /** Signed in, before the notice is answered. */
  readonly notice: Standing
  /** The one where this path is a page that is open. */
  at(path: string): Standing
}

const cookieOf = (browser: Browser) => [...browser.cookies()].map(([name, value]) => `${name}=${value}`).join('; ')

/** Uses the cast's elder, xian and yan. */
export async function standAtEachStep(server: TestServer): Promise<Standings> {
  const party = relyingParty(server.url, 'first')
  const begin = async () => {
    const browser = openBrowser(server.url)
    return { browser, page: await browser.get(party.request().path) }
  }
  const standing = (browser: Browser, attempt: string): Standing => ({
    uid: attempt.split('/')[2] ?? '',
    browser,
    cookie: cookieOf(browser),
  })

  const phone = await begin()
  const code = await begin()
  await code.browser.post(`${attemptOf(code.page)}/phone`, { phone: (await personOf('elder')).phone })

  const number = await begin()
  const xian = await personOf('xian')
  const atNumber = attemptOf(await provePhone(server, number.browser, number.page, xian.phone))
  await number.browser.post(`${atNumber}/document`, { kind: xian.kind })
  await number.browser.post(`${atNumber}/name`, { name: xian.name })

  const notice = await begin()
  const yan = await personOf('yan')
  const known = await provePhone(server, notice.browser, notice.page, yan.phone)
  const atNotice = attemptOf(await giveDocument(notice.browser, known, yan))

  const all = {
    phone: standing(phone.browser, attemptOf(phone.page)),
    code: standing(code.browser, attemptOf(code.page)),
    number: standing(number.browser, atNumber),
    notice: standing(notice.browser, atNotice),
  }
  return {
    ...all,
    at(path) {
      const step = /^\/login\/[^/]+\/(phone|code|resend)$/.exec(path)?.[1]
      if (step) return all[step === 'phone' ? 'phone' : 'code']
      return /^\/login\/[^/]+\/(?!notice|abort)./.test(path) ? all.number : all.notice
    },
  }
}
