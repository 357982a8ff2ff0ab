/** A citizen of the cast at a browser: walks the pages of signing in and reads his texts. */
import { strict as assert } from 'node:assert'
import { castMember, readPopulation, type CastMember } from '#src/demo/cast.ts'
import type { OutboxGateway } from '#src/verifiers/sms/outbox-gateway.ts'
import { openBrowser, type Browser, type Page } from './browser.ts'
import type { RelyingParty, Request, Tokens } from './relying-party.ts'

export const cast = async (key: string): Promise<CastMember> => castMember(await readPopulation(), key)

/** Where a server is, and the texts that it sent. */
export interface Place {
  readonly url: string
  readonly gateway: Pick<OutboxGateway, 'texts'>
}

/** The newest code in the texts to a phone. */
export function codeFor(server: Place, phone: string): string {
  const code = server.gateway.texts(phone).find(({ text }) => text.template === 'code')?.text.variables['code']
  assert.ok(code, `no text reached ${phone}`)
  return code
}

/** The address of the attempt a page belongs to, without its last part. */
export const attemptOf = (page: Page): string => new URL(page.url).pathname.split('/').slice(0, 3).join('/')
export const stepOf = (page: Page): string => new URL(page.url).pathname.split('/')[3] ?? ''

export interface Person {
  readonly phone: string
  readonly kind: string
  readonly name: string
  readonly number: string
}

export async function personOf(key: string): Promise<Person> {
  const { phone, kind, name, number } = await cast(key)
  return { phone: phone ?? '', kind, name, number }
}

/** From the phone page to behind the code. */
export async function provePhone(server: Place, browser: Browser, page: Page, phone: string): Promise<Page> {
  const attempt = attemptOf(page)
  await browser.post(`${attempt}/phone`, { phone })
  return browser.post(`${attempt}/code`, { code: codeFor(server, phone) })
}

/** From the document page to behind the register's answer. */
export async function giveDocument(browser: Browser, page: Page, person: Person): Promise<Page> {
  const attempt = attemptOf(page)
  await browser.post(`${attempt}/document`, { kind: person.kind })
  await browser.post(`${attempt}/name`, { name: person.name })
  return browser.post(`${attempt}/number`, { number: person.number })
}

/** From the address of a request through the pages that are asked, to the callback of the application. */
export async function walk(server: Place, browser: Browser, address: string, person: Person): Promise<string> {
  let page = await browser.get(address)
  if (stepOf(page) === 'phone') page = await provePhone(server, browser, page, person.phone)
  if (stepOf(page) === 'document') page = await giveDocument(browser, page, person)
  if (page.location === undefined && stepOf(page) === '') {
    page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree', id_number: 'on' })
  }
  assert.ok(page.location, `the sign-in ended at ${page.status} ${page.url}`)
  return page.location
}

/** Registers or signs in and answers the notice, to the callback of the application. */
export async function signIn(
  server: Place,
  browser: Browser,
  party: RelyingParty,
  person: Person,
  parameters: Readonly<Record<string, string | undefined>> = {},
): Promise<{ location: string; request: Request }> {
  const request = party.request(parameters)
  return { location: await walk(server, browser, request.path, person), request }
}

/** The whole way: a new browser, signed in, tokens in hand. */
export async function signedIn(
  server: Place,
  party: RelyingParty,
  person: Person,
): Promise<{ browser: Browser; tokens: Tokens; request: Request; location: string }> {
  const browser = openBrowser(server.url)
  const { location, request } = await signIn(server, browser, party, person)
  return { browser, tokens: await party.tokens(location, request), request, location }
}
