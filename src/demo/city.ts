/**
 * The demo city: two applications and a phone that shows its texts and calls. It runs beside the server in development and is
 * never loaded in production.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import express from 'express'
import { exportJWK, generateKeyPair, calculateJwkThumbprint, type JWK } from 'jose'
import type { Config } from '#src/config.ts'
import { groupPhone } from '#src/identity/phone.ts'
import { createOutboxGateway, type OutboxGateway } from '#src/verifiers/sms/outbox-gateway.ts'
import { createHighClient } from './high-client.ts'
import { demoDocument, escaped } from './page.ts'
import { closed, listen, relyingParty, startRelyingParty } from './relying-party.ts'
import { demoServices } from './services.ts'
import { makeSharedSecrets } from './shared-secrets.ts'
import { createSmHighClient } from './sm-high-client.ts'
import { createFakeReader, type FakeReader } from './fake-reader/sam.ts'
import { createStandardClient } from './standard-client.ts'
import { startTerminal, terminalCredentials } from './terminal.ts'
import { createTokenAgent } from './token-agent.ts'
import { openTokens } from './tokens.ts'

const demoNames = {
  first: { zh: '社保查询', en: 'Social insurance records' },
  second: { zh: '不动产登记', en: 'Property registration' },
  kiosk: { zh: '自助查询', en: 'Self-service records' },
} as const

export interface DemoCity {
  readonly gateway: OutboxGateway
  readonly links: readonly { readonly name: { readonly zh: string; readonly en: string }; readonly url: string }[]
  readonly phoneUrl: string
  /** Where cards are put on the terminal's reader. */
  readonly cardReaderUrl: string
  readonly cardReader: FakeReader
  /** Where a UKey is plugged in. */
  readonly tokensUrl: string
  /** The application on the terminal. */
  readonly kioskUrl: string
  /** Starts the applications; the server must listen by then. */
  start(): Promise<{ close(): Promise<void>; readonly terminalUrl?: string }>
}

/** What of the settings the demo city needs. */
export type CitySettings = Pick<Config, 'issuer' | 'demo' | 'crypto'> & {
  readonly keys: Pick<Config['keys'], 'directory'>
}

const secretFile = 'social-insurance.secret'
const kioskSecretFile = 'self-service.secret'
const kioskAt = (servicesPort: number) => `http://localhost:${servicesPort}/kiosk`

/** What the second application signs by: a stock library's ES256, or SM2 where nothing else is allowed. */
const algorithmOf = ({ crypto }: CitySettings) => (crypto.policy === 'sm-only' ? 'SGD_SM3_SM2' : 'ES256')
const publicKeysFile = (alg: string) => `property.${alg}.jwks.json`

const addressesAt = (base: string) => ({
  redirectUris: [`${base}/callback`],
  postLogoutRedirectUris: [`${base}/signed-out`],
  backchannelLogoutUri: `${base}/backchannel-logout`,
})

/** Credentials of the demo applications, made at the first start. */
async function demoCredentials(
  directory: string,
  alg: string,
): Promise<{ secret: string; kioskSecret: string; privateJwk: JWK & { kid: string } }> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const secretPaths = [secretFile, kioskSecretFile].map((name) => join(directory, name)) as [string, string]
  const keyFile = join(directory, `property.${alg}.jwk.json`)
  const write = (file: string, text: string) => {
    writeFileSync(file, text, { mode: 0o600 })
    chmodSync(file, 0o600)
  }
  for (const path of secretPaths) if (!existsSync(path)) write(path, `${randomBytes(32).toString('base64url')}\n`)
  if (!existsSync(keyFile)) {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    const kid = await calculateJwkThumbprint(await exportJWK(publicKey))
    const publicJwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
    write(join(directory, publicKeysFile(alg)), JSON.stringify({ keys: [publicJwk] }))
    write(keyFile, JSON.stringify({ ...(await exportJWK(privateKey)), kid, alg }))
  }
  const [secret, kioskSecret] = secretPaths.map((path) => readFileSync(path, 'utf8').trim()) as [string, string]
  return {
    ...{ secret, kioskSecret },
    privateJwk: JSON.parse(readFileSync(keyFile, 'utf8')) as JWK & { kid: string },
  }
}

function phonePage(gateway: OutboxGateway): express.Express {
  const app = express()
  app.get('/', (_request, response) => {
    const texts = gateway.all().map(({ phone, text, at }) => {
      const time = new Date(at).toLocaleTimeString('zh-CN', { timeZone: 'Asia/Shanghai' })
      const called = text.template === 'call' ? ' · 来电 Call' : ''
      return `<div class="sms"><p class="sub">${groupPhone(phone)} · ${time}${called}</p><p>${escaped(text.text)}</p></div>`
    })
    const shown = texts.length === 0 ? '<p>还没有短信。 No texts yet.</p>' : texts.join('')
    response.setHeader('refresh', '3')
    response.type('html').send(demoDocument('演示手机', `<h1>演示手机</h1><p class="sub">The demo phone</p>${shown}`))
  })
  return app
}

export async function createDemoCity(config: CitySettings): Promise<DemoCity> {
  const [first, second, phone] = config.demo.ports.map((port) => `http://localhost:${port}`) as [string, string, string]
  const { secret, kioskSecret, privateJwk } = await demoCredentials(
    resolve(config.keys.directory, 'demo'),
    algorithmOf(config),
  )
  const keys = resolve(config.keys.directory, 'demo')
  await terminalCredentials(keys)
  const tokens = await openTokens(keys)
  const cardReader = createFakeReader()
  makeSharedSecrets(config.keys.directory)
  const gateway = createOutboxGateway()
  const { issuer } = config
  const addresses = (base: string) => ({
    issuer,
    redirectUri: `${base}/callback`,
    postLogoutRedirectUri: `${base}/signed-out`,
  })

  const cardReaderUrl = `http://localhost:${config.demo.ports[3]}/card-reader/`
  const kiosk = kioskAt(config.demo.ports[3])
  const links = [
    { name: demoNames.first, url: first },
    { name: demoNames.second, url: second },
  ]

  return {
    gateway,
    phoneUrl: phone,
    cardReaderUrl,
    cardReader,
    tokensUrl: `http://localhost:${config.demo.ports[3]}/token`,
    kioskUrl: kiosk,
    links,
    async start() {
      const insurance = createStandardClient({
        ...addresses(first),
        clientId: 'social-insurance',
        secret,
        scope: 'openid profile phone',
        algorithm: 'SGD_SM3_SM2',
      })
      const registration = {
        ...addresses(second),
        clientId: 'property',
        privateJwk,
        scope: 'openid profile id_number',
      }
      const algorithm = algorithmOf(config)
      const property =
        algorithm === 'ES256' ? createHighClient({ ...registration, algorithm }) : createSmHighClient(registration)
      const [firstPort, secondPort, phonePort, servicesPort] = config.demo.ports
      const parties = await Promise.all([
        startRelyingParty({
          port: firstPort,
          name: demoNames.first,
          client: insurance,
          otherUrl: second,
          phoneUrl: phone,
        }),
        startRelyingParty({
          port: secondPort,
          name: demoNames.second,
          client: property,
          otherUrl: first,
          phoneUrl: phone,
        }),
      ])
      const selfService = relyingParty({
        url: kiosk,
        name: demoNames.kiosk,
        client: createStandardClient({
          ...addresses(kiosk),
          clientId: 'self-service',
          secret: kioskSecret,
          scope: 'openid profile',
          algorithm: 'SGD_SM3_SM2',
        }),
        otherUrl: first,
        phoneUrl: cardReaderUrl,
        phoneLabel: '放身份证 The card reader',
      })
      const others = [
        await listen(phonePage(gateway), phonePort),
        await listen(
          demoServices(config, cardReader, { kiosk: selfService, token: createTokenAgent(issuer, tokens) }),
          servicesPort,
        ),
      ]
      const { terminalPort } = config.demo
      const services = [{ name: demoNames.kiosk, url: `${kiosk}/` }]
      const place = { directory: keys, issuer, services, reader: cardReader, camera: `${cardReaderUrl}camera` }
      const terminal =
        typeof terminalPort === 'number' ? await startTerminal({ ...place, port: terminalPort }) : undefined
      return {
        ...(terminal ? { terminalUrl: terminal.url } : {}),
        async close() {
          await terminal?.close()
          await Promise.all([...parties.map((party) => party.close()), ...others.map(closed)])
        },
      }
    },
  }
}

const monthsAhead = (months: number) => new Date(Date.now() + months * 30 * 86_400_000).toISOString().slice(0, 10)

interface ApplicationFile {
  readonly id?: string
  readonly demo?: boolean
  readonly grants?: readonly object[]
  readonly exception?: object
}

/**
 * Fits the files of the demo applications to this city: addresses at its ports, credentials in its key directory, and
 * review dates ahead, so that the demo does not stop working one day.
 */
export function settleDemoApplications(settings: CitySettings): (input: unknown) => unknown {
  const { demo, keys } = settings
  const algorithm = algorithmOf(settings)
  const [first, second] = demo.ports.map((port) => `http://localhost:${port}`) as [string, string, string]
  const keyFile = (name: string) => resolve(keys.directory, 'demo', name)
  const places: Readonly<Record<string, object>> = {
    'self-service': { ...addressesAt(kioskAt(demo.ports[3])), credential: { secretFile: keyFile(kioskSecretFile) } },
    'social-insurance': { ...addressesAt(first), credential: { secretFile: keyFile(secretFile) } },
    property: { ...addressesAt(second), algorithm, credential: { jwksFile: keyFile(publicKeysFile(algorithm)) } },
  }
  return (input) => {
    const application = input as ApplicationFile
    if (application.demo !== true) return input
    const grants = application.grants?.map((grant) => ({ ...grant, review: monthsAhead(6) }))
    const exception = application.exception && { ...application.exception, until: monthsAhead(12) }
    return {
      ...application,
      ...places[application.id ?? ''],
      ...(grants ? { grants } : {}),
      ...(exception ? { exception } : {}),
    }
  }
}
