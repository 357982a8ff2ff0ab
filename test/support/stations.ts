/** Every page a citizen sees and how a browser comes there, for the suites that judge pages. */
import type { Page } from 'playwright-core'
import { createHighClient } from '#src/demo/high-client.ts'
import { createStandardClient } from '#src/demo/standard-client.ts'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { errorsPath } from '#src/oidc/error-answers.ts'
import { highApplication } from './app.ts'
import { personOf, type Person } from './citizen.ts'
import { startCity, type City } from './demo-city.ts'
import { plugIn } from './virtual-authenticator.ts'

export interface Stage extends City {
  /** The address where a sign-in for an application begins that asks consent for the ID number. */
  consentUrl(): Promise<string>
  /** The address of one that asks for level 3. */
  strictUrl(): Promise<string>
  /** The address of one in a channel that offers every way to answer. */
  choosingUrl(): Promise<string>
}

/** The city with one application more, no pause between texts, and two people at one phone. */
export async function startStage(): Promise<Stage> {
  const high = await highApplication()
  const strict = { ...high.application, id: 'strict', level: 3, sector: 'strict.example.gov.cn' } as ApplicationInput
  const choosing = {
    ...strict,
    id: 'choosing',
    level: 2,
    channel: 'choosing',
    sector: 'choosing.example.gov.cn',
  } as const
  const city = await startCity({ more: [high.application, strict, choosing], settings: ready })
  const urlOf = async (clientId: string): Promise<string> => {
    const client = createHighClient({
      issuer: city.server.url,
      clientId,
      privateJwk: high.privateJwk,
      redirectUri: 'http://localhost:4003/callback',
      postLogoutRedirectUri: 'http://localhost:4003/signed-out',
      scope: 'openid profile id_number',
      algorithm: 'ES256',
    })
    return (await client.start()).url
  }
  for (const key of ['he', 'xu', 'elder', 'teenager', 'yan', 'xian']) {
    const { kind, name, number, phone } = await personOf(key)
    const document = { kind: kind as 'resident-id-card', number, status: 'proven' } as const
    await city.server.app.directory.open({ name, document, phone, proven: true, proofing: 2 })
  }
  return {
    ...city,
    consentUrl: () => urlOf('high'),
    strictUrl: () => urlOf('strict'),
    choosingUrl: () => urlOf('choosing'),
  }
}

/** A channel whose ways to answer are by device, by redirect with consent and without, by form, and by phone. */
const choosing = {
  verifiers: ['certificate', 'ctid', 'face', 'card-face', 'staff-card', 'sms', 'passkey'],
  top: 2,
  session: { absolute: 28800, idle: 1800 },
}
const staffCard = {
  ...{ kind: 'module', path: './test/support/own-module.ts', by: 'form', proves: ['document'], amr: ['pin'], cap: 2 },
  label: { zh: '工作证', en: 'Staff card' },
  help: { zh: '输入工作证号和密码', en: 'Enter the number and the PIN of your staff card' },
}

function ready(settings: Record<string, unknown>): void {
  impatient(settings)
  Object.assign(settings['channels'] as object, { choosing })
  const { own, idCard } = settings['verifiers'] as { own: object; idCard: object }
  Object.assign(own, { 'staff-card': staffCard })
  // No terminal stands there; only its page is looked at.
  Object.assign(idCard, { terminals: 'config/terminals' })
}

function impatient(settings: Record<string, unknown>): void {
  const { sms } = settings['verifiers'] as { sms: object }
  Object.assign(sms, { resendAfter: 2, perPhoneDaily: 1000 })
}

let strangers = 0
/** A phone nobody has used yet. */
export const strangersPhone = (): string => `1980000${String(++strangers).padStart(4, '0')}`

const press = (page: Page) => page.click('button.do')

export async function fill(page: Page, field: string, text: string): Promise<void> {
  await page.fill(`#${field}`, text)
  await press(page)
}

export async function choose(page: Page, value: string): Promise<void> {
  await page.check(`input[value="${value}"]`)
  await press(page)
}

export function codeAt(city: City, phone: string): string {
  const code = city.gateway.texts(`+86${phone.replace(/^\+86/, '')}`)[0]?.text.variables['code']
  if (code === undefined) throw new Error('no text reached that phone')
  return code
}

/** From the phone page to behind the code. */
export async function provePhone(city: City, page: Page, phone: string): Promise<void> {
  // The pause between two texts to one phone.
  city.server.clock.advance(3_000)
  await fill(page, 'phone', phone)
  await fill(page, 'code', codeAt(city, phone))
}

export async function giveDocument(page: Page, { kind, name, number }: Omit<Person, 'phone'>): Promise<void> {
  await choose(page, kind)
  await fill(page, 'name', name)
  await fill(page, 'number', number)
}

export interface Station {
  readonly name: string
  /** A view of `views/`. */
  readonly view: string
  /** What the heading's fault is, where the page shows one. */
  readonly faulty?: boolean
  open(stage: Stage, page: Page): Promise<void>
}

const insurance = async ({ insurance }: Stage, page: Page) => void (await page.goto(`${insurance}/login`))

/** A stranger at the insurance application, as far as the document page. */
async function stranger(stage: Stage, page: Page): Promise<void> {
  await insurance(stage, page)
  await provePhone(stage, page, strangersPhone())
}

/** The list of methods, or the page of the one that is chosen there. */
const chosen =
  (method?: string) =>
  async (stage: Stage, page: Page): Promise<void> => {
    await page.goto(await stage.choosingUrl())
    if (method !== undefined) await page.click(`button[name=method][value=${method}]`)
  }

async function person(page: Page): Promise<void> {
  const { kind, name, number } = await personOf('yan')
  await giveDocument(page, { kind, name, number })
}

async function strangerAtName(stage: Stage, page: Page): Promise<void> {
  await stranger(stage, page)
  await choose(page, 'resident-id-card')
}

async function strangerAtNumber(stage: Stage, page: Page, name = '刘䶮'): Promise<void> {
  await strangerAtName(stage, page)
  await fill(page, 'name', name)
}

async function citizen(stage: Stage, page: Page, key: string, url: string): Promise<void> {
  const { phone } = await personOf(key)
  await page.goto(url)
  await provePhone(stage, page, phone)
}

async function signedIn(stage: Stage, page: Page, key = 'elder'): Promise<void> {
  await citizen(stage, page, key, `${stage.property}/login`)
  if (page.url().startsWith(stage.server.url)) await press(page)
  await page.waitForSelector('#citizen')
}

/** Signed in a moment ago, with a device that has just been added, at the list of them. */
async function withDevice(stage: Stage, page: Page, key: string): Promise<void> {
  const { phone } = await personOf(key)
  await page.goto(`${stage.server.url}/me`)
  await provePhone(stage, page, phone)
  await page.waitForURL(`${stage.server.url}/me`)
  await page.goto(`${stage.server.url}/me/passkeys/new`)
  await plugIn(page, { synced: true })
  await press(page)
  await page.waitForURL(`${stage.server.url}/me/passkeys`)
}

const at =
  (go: (stage: Stage, page: Page) => Promise<void>, ...then: readonly ((page: Page) => Promise<unknown>)[]) =>
  async (stage: Stage, page: Page): Promise<void> => {
    await go(stage, page)
    for (const act of then) await act(page)
  }

export const stations: readonly Station[] = [
  { name: 'home', view: 'home', open: async ({ server }, page) => void (await page.goto(server.url)) },
  { name: 'phone', view: 'phone', open: insurance },
  {
    name: 'phone-invalid',
    view: 'phone',
    faulty: true,
    open: at(insurance, (page) => fill(page, 'phone', '1390000')),
  },
  { name: 'code', view: 'code', open: at(insurance, (page) => fill(page, 'phone', strangersPhone())) },
  {
    name: 'code-wrong',
    view: 'code',
    faulty: true,
    open: at(
      insurance,
      (page) => fill(page, 'phone', strangersPhone()),
      (page) => fill(page, 'code', '12345'),
    ),
  },
  {
    name: 'code-too-soon',
    view: 'code',
    faulty: true,
    open: at(
      insurance,
      (page) => fill(page, 'phone', strangersPhone()),
      (page) => page.click('button.other'),
    ),
  },
  {
    name: 'code-called',
    view: 'code',
    async open(stage, page) {
      await insurance(stage, page)
      await fill(page, 'phone', strangersPhone())
      stage.server.clock.advance(3_000)
      await page.click('form[action$="/voice"] button')
      await page.waitForSelector('h1')
    },
  },
  { name: 'who', view: 'who', open: (stage, page) => citizen(stage, page, 'he', `${stage.insurance}/login`) },
  {
    name: 'who-missing',
    view: 'who',
    faulty: true,
    open: async (stage, page) => {
      await citizen(stage, page, 'xu', `${stage.insurance}/login`)
      await press(page)
    },
  },
  { name: 'document', view: 'document', open: stranger },
  { name: 'name', view: 'name', open: strangerAtName },
  { name: 'name-missing', view: 'name', faulty: true, open: at(strangerAtName, press) },
  {
    name: 'name-characters',
    view: 'name',
    faulty: true,
    open: at(strangerAtName, (page) => fill(page, 'name', '王2')),
  },
  { name: 'number', view: 'number', open: strangerAtNumber },
  {
    name: 'number-check',
    view: 'number',
    faulty: true,
    open: at(strangerAtNumber, (page) => fill(page, 'number', '690101199203051011')),
  },
  {
    name: 'number-mismatch',
    view: 'number',
    faulty: true,
    open: at(
      (stage, page) => strangerAtNumber(stage, page, '马欣欣'),
      (page) => fill(page, 'number', '690101200103151220'),
    ),
  },
  {
    name: 'number-under-14',
    view: 'number',
    faulty: true,
    open: at(
      (stage, page) => strangerAtNumber(stage, page, '周小满'),
      (page) => fill(page, 'number', '690101201305211062'),
    ),
  },
  {
    name: 'number-unavailable',
    view: 'number',
    faulty: true,
    open: async (stage, page) => {
      await strangerAtNumber(stage, page, '马欣')
      stage.server.register.setDown(true)
      await fill(page, 'number', '690101200103151220')
      stage.server.register.setDown(false)
    },
  },
  {
    name: 'low',
    view: 'low',
    open: at(
      (stage, page) => strangerAtNumber(stage, page, '孙立'),
      (page) => fill(page, 'number', '690101197508081078'),
    ),
  },
  {
    name: 'notice-duty-consent',
    view: 'notice',
    open: (stage, page) => citizen(stage, page, 'elder', `${stage.insurance}/login`),
  },
  {
    name: 'notice-duty',
    view: 'notice',
    open: (stage, page) => citizen(stage, page, 'teenager', `${stage.property}/login`),
  },
  {
    name: 'notice-number',
    view: 'notice',
    open: async (stage, page) => citizen(stage, page, 'yan', await stage.consentUrl()),
  },
  {
    name: 'error',
    view: 'error',
    open: async ({ server }, page) => void (await page.goto(`${server.url}/login/gone/phone`)),
  },
  { name: 'errors', view: 'errors', open: async ({ server }, page) => void (await page.goto(server.url + errorsPath)) },
  {
    name: 'oauth-error',
    view: 'oauth-error',
    open: async ({ server }, page) => void (await page.goto(`${server.url}/auth?client_id=nobody&scope=openid`)),
  },
  {
    name: 'me',
    view: 'me',
    open: async (stage, page) => {
      await signedIn(stage, page)
      await page.goto(`${stage.server.url}/me`)
    },
  },
  { name: 'method', view: 'method', open: chosen() },
  {
    name: 'method-gone',
    view: 'method',
    open: async (stage, page) => {
      await chosen()(stage, page)
      await page.evaluate("document.querySelector('button[value=ctid]').value = 'gone'")
      await page.click('button[value=gone]')
      await page.waitForSelector('[role=alert]')
    },
  },
  { name: 'prove-device', view: 'prove-device', open: chosen('certificate') },
  { name: 'prove-device-consent', view: 'prove-device', open: chosen('card-face') },
  { name: 'prove-redirect', view: 'prove-redirect', open: chosen('ctid') },
  {
    name: 'prove-redirect-consent',
    view: 'prove-redirect',
    open: at(chosen('face'), person, (page) => page.waitForSelector('input[name=consent]', { state: 'attached' })),
  },
  { name: 'prove-form', view: 'prove-form', open: chosen('staff-card') },
  {
    name: 'prove-form-wrong',
    view: 'prove-form',
    open: async (stage, page) => {
      await chosen('staff-card')(stage, page)
      await page.fill('#field-card', '1')
      await page.fill('#field-pin', '2')
      await press(page)
      await page.waitForSelector('[role=alert]')
    },
  },
  {
    name: 'link',
    view: 'link',
    open: async (stage, page) => {
      await chosen('ctid')(stage, page)
      await press(page)
      await page.click('button[value=go]')
      await page.waitForSelector('button[value=alone]')
    },
  },
  {
    name: 'return',
    view: 'return',
    open: async ({ server }, page) => {
      // Its script would send it on at once.
      await page.route('**/static/return.js', (route) => route.abort())
      await page.route('http://elsewhere.test/', (route) =>
        route.fulfill({
          contentType: 'text/html',
          body: `<form method="post" action="${server.url}/return/ctid"><input name="state" value="a.b"><button>x</button></form>`,
        }),
      )
      await page.goto('http://elsewhere.test/')
      await page.click('button')
      await page.waitForSelector('form[data-return]')
    },
  },
  {
    name: 'passkey',
    view: 'passkey',
    open: async (stage, page) => void (await page.goto(await stage.strictUrl())),
  },
  {
    name: 'low-device',
    view: 'low',
    open: async (stage, page) => {
      await withDevice(stage, page, 'yan')
      await page.goto(await stage.strictUrl())
      await page.click('[data-passkey] button')
      await page.waitForSelector('form[action$=abort] button.do')
    },
  },
  {
    name: 'phone-passkey-refused',
    view: 'phone',
    open: async (stage, page) => {
      await insurance(stage, page)
      await page.evaluate(`{
        const form = document.querySelector('[data-passkey]')
        form.elements.challenge.value = 'none'
        HTMLFormElement.prototype.submit.call(form)
      }`)
      await page.waitForSelector('[role=alert]')
    },
  },
  { name: 'passkeys', view: 'passkeys', open: (stage, page) => withDevice(stage, page, 'elder') },
  {
    name: 'passkey-new',
    view: 'passkey-new',
    open: async (stage, page) => {
      await withDevice(stage, page, 'teenager')
      await page.goto(`${stage.server.url}/me/passkeys/new`)
    },
  },
  {
    name: 'passkey-change',
    view: 'passkey-change',
    open: at(
      (stage, page) => withDevice(stage, page, 'xian'),
      (page) => page.click('.rows button'),
      (page) => page.waitForSelector('button[value=remove]'),
    ),
  },
  {
    name: 'logout',
    view: 'logout',
    open: async (stage, page) => {
      await signedIn(stage, page)
      await page.click('a[href="/logout"]')
    },
  },
  {
    name: 'logged-out',
    view: 'logged-out',
    open: async (stage, page) => {
      await signedIn(stage, page)
      await page.goto(`${stage.server.url}/session/end`)
      await page.click('button[value=yes]')
    },
  },
  {
    name: 'switch-account',
    view: 'switch-account',
    open: async (stage, page) => {
      await signedIn(stage, page, 'teenager')
      await citizen(stage, page, 'elder', `${await insuranceUrl(stage)}&prompt=login`)
    },
  },
  {
    name: 'nothing-to-end',
    view: 'nothing-to-end',
    open: async ({ server, insurance }, page) => {
      const query = new URLSearchParams({
        client_id: 'social-insurance',
        post_logout_redirect_uri: `${insurance}/signed-out`,
      })
      await page.goto(`${server.url}/session/end?${query}`)
    },
  },
]

async function insuranceUrl({ server, insurance }: Stage): Promise<string> {
  const client = createStandardClient({
    issuer: server.url,
    clientId: 'social-insurance',
    secret: '',
    redirectUri: `${insurance}/callback`,
    postLogoutRedirectUri: `${insurance}/signed-out`,
    scope: 'openid',
    algorithm: 'SGD_SM3_SM2',
  })
  return (await client.start()).url
}
