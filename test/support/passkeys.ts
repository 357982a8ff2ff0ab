/** A citizen's device at the pages: adds a passkey to his account and signs in by it, as the pages' script would. */
import { strict as assert } from 'node:assert'
import type { Authenticator, Lies } from './authenticator.ts'
import type { Browser, Page } from './browser.ts'
import { attemptOf } from './citizen.ts'

export interface Asked {
  readonly challenge: string
  readonly options: unknown
}

/** What a page's script is given to ask the device with. */
export async function askOptions(browser: Browser, path: string): Promise<Asked> {
  const origin = new URL((await browser.get('/health')).url).origin
  const response = await browser.once(path, { method: 'POST', headers: { origin } })
  assert.equal(response.status, 200)
  const { challenge = '', show } = (await response.json()) as { challenge?: string; show?: { options: unknown } }
  return { challenge, options: show?.options }
}

export const addOptions = (browser: Browser) => askOptions(browser, '/me/passkeys/options')

/** From a fresh sign-in to the list that shows it. */
export async function addPasskey(
  browser: Browser,
  device: Authenticator,
  name = '我的手机',
  lies?: Lies,
): Promise<Page> {
  const { challenge, options } = await addOptions(browser)
  return browser.post('/me/passkeys/new', { challenge, answer: device.make(options, lies), name })
}

export const signInOptions = (browser: Browser, page: Page) => askOptions(browser, `${attemptOf(page)}/passkey/options`)

/** From the first page of a sign-in to wherever it leads. */
export async function signInByPasskey(browser: Browser, page: Page, device: Authenticator, lies?: Lies): Promise<Page> {
  const { challenge, options } = await signInOptions(browser, page)
  return browser.post(`${attemptOf(page)}/passkey`, { challenge, answer: device.answer(options, lies) })
}
