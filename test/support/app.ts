/**
 * Brings the whole server up for a test: real store, real keys, real HTTP on loopback ports; simulators only for SMS
 * gateway and population register. Time can be moved.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, sm3, type JWK } from 'jose'
import { createApp, type App, type Overrides } from '#src/app.ts'
import { loadConfig, parseConfig, type Config } from '#src/config.ts'
import { createKeys } from '#src/crypto/key-store.ts'
import { createFileRegister, type FileRegister } from '#src/demo/population-register.ts'
import { createLogger } from '#src/http/log.ts'
import { createHttpServer } from '#src/http/server.ts'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { createOutboxGateway, type OutboxGateway } from '#src/verifiers/sms/outbox-gateway.ts'
import { exception, smOnly, standardAlg } from './policy.ts'

/** A year ahead at most, whatever day the test runs. */
export const soon = () => new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10)

export const grant = (claim: 'name' | 'phone_number' | 'id_number', basis: 'duty' | 'consent') => ({
  claim,
  basis,
  ...(basis === 'duty' ? { law: { zh: '《示例法》第一条', en: 'Example Act, Article 1' } } : {}),
  purpose: { zh: '办理示例事项', en: 'To run the example service' },
  retention: { zh: '办结即删除', en: 'Deleted on completion' },
  approver: '示例市数据局',
  review: soon(),
})

/** Two applications that know nothing of each other: SM2 and ES256, both of the profile `standard`. */
export const secrets = { first: randomBytes(32).toString('base64url'), second: randomBytes(32).toString('base64url') }
const hash = (secret: string) => sm3(Buffer.from(secret)).toString('hex')

export function testApplications(): readonly ApplicationInput[] {
  const common = { profile: 'standard', channel: 'web', level: 2, demo: true } as const
  return [
    {
      ...common,
      id: 'first',
      name: { zh: '第一个应用', en: 'First application' },
      owner: { zh: '甲局', en: 'Bureau A' },
      sector: 'first.example.gov.cn',
      algorithm: 'SGD_SM3_SM2',
      redirectUris: ['http://localhost:4001/callback'],
      postLogoutRedirectUris: ['http://localhost:4001/signed-out'],
      credential: { secretSm3: hash(secrets.first) },
      grants: [grant('name', 'duty'), grant('phone_number', 'consent')],
    },
    {
      ...common,
      id: 'second',
      name: { zh: '第二个应用', en: 'Second application' },
      owner: { zh: '乙局', en: 'Bureau B' },
      sector: 'second.example.gov.cn',
      algorithm: standardAlg,
      ...exception(soon()),
      redirectUris: ['http://localhost:4002/callback'],
      postLogoutRedirectUris: ['http://localhost:4002/signed-out'],
      credential: { secretSm3: hash(secrets.second) },
      grants: [],
    },
  ]
}

/** An application of the profile `high` and the private key it signs with. */
export async function highApplication(): Promise<{
  application: ApplicationInput
  privateJwk: JWK & { kid: string }
}> {
  const { privateKey, publicKey } = await generateKeyPair(standardAlg, { extractable: true })
  const kid = 'high-1'
  return {
    privateJwk: { ...(await exportJWK(privateKey)), kid, alg: standardAlg },
    application: {
      id: 'high',
      name: { zh: '高等级应用', en: 'High application' },
      owner: { zh: '丙局', en: 'Bureau C' },
      profile: 'high',
      channel: 'web',
      sector: 'high.example.gov.cn',
      level: 2,
      algorithm: standardAlg,
      ...exception(soon()),
      redirectUris: ['http://localhost:4003/callback'],
      postLogoutRedirectUris: ['http://localhost:4003/signed-out'],
      credential: {
        jwks: { keys: [{ ...(await exportJWK(publicKey)), kty: 'EC', kid, alg: standardAlg, use: 'sig' }] },
      },
      grants: [grant('name', 'duty'), grant('id_number', 'consent')],
      demo: true,
    },
  }
}

/**
 * Settings under which one phone gets as many codes as a test likes, so that its clock is moved by minutes and not by
 * hours: the engine dates tokens by the machine's clock, and would end those that seem to be hours old.
 */
export function manyTexts(config: Record<string, unknown>): void {
  const { verifiers } = config as { verifiers: { sms: { perPhoneDaily: number } } }
  verifiers.sms.perPhoneDaily = 1000
}

/** A clock that runs and can be moved. */
export interface Clock {
  now(): number
  advance(ms: number): void
}

export function movableClock(): Clock {
  let offset = 0
  return { now: () => Date.now() + offset, advance: (ms) => (offset += ms) }
}

export interface TestServer {
  /** The issuer. */
  readonly url: string
  /** Where the plain listener is, whatever the issuer says. */
  readonly port: number
  readonly app: App
  readonly config: Config
  readonly gateway: OutboxGateway
  readonly register: FileRegister
  readonly clock: Clock
  readonly directory: string
  /** Everything the server logged, one JSON line each. */
  readonly logged: readonly string[]
  close(): Promise<void>
  /** Ends the process part and starts it anew on the same store, keys and port. */
  restart(): Promise<TestServer>
}

interface Options {
  readonly settings?: (config: Record<string, unknown>) => void
  /** In place of the two of this file; null: those of the settings' directory. */
  readonly applications?: readonly ApplicationInput[] | null
  readonly overrides?: Overrides
  readonly directory?: string
  readonly port?: number
  readonly clock?: Clock
}

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((done, fail) => {
    server.once('error', fail)
    server.listen(port, '127.0.0.1', () => done((server.address() as AddressInfo).port))
  })

/** The settings of development, in a temporary directory, with the demo city off. */
function settingsIn(directory: string, url: string, change?: Options['settings']): Config {
  const settings = structuredClone(loadConfig('config', {})) as unknown as Record<string, unknown>
  Object.assign(settings, {
    issuer: url,
    // The socket is opened by the test, at whatever port.
    listen: { ...(settings['listen'] as object), port: 0 },
    storage: { kind: 'sqlite', file: join(directory, 'yihao.db') },
    keys: { ...(settings['keys'] as object), directory: join(directory, 'keys') },
    demo: { enabled: false, ports: [0, 0, 0, 0] },
    crypto: { policy: smOnly ? 'sm-only' : 'mixed' },
  })
  // What needs a simulator of the demo city is added by the tests that have one.
  const { web } = settings['channels'] as Record<string, object>
  settings['channels'] = { web: { ...web, verifiers: ['sms', 'voice', 'passkey'] } }
  change?.(settings)
  return parseConfig(settings)
}

/** The issuer's port must be known before the app is made, so the socket is opened first. */
export async function startServer(options: Options = {}): Promise<TestServer> {
  const server = createHttpServer()
  const port = await listen(server, options.port ?? 0)
  try {
    return await startBehind(server, port, options)
  } catch (error) {
    // A socket left open would keep the test run from ending.
    server.close()
    throw error
  }
}

async function startBehind(server: Server, port: number, options: Options): Promise<TestServer> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'yihao-test-'))
  const config = settingsIn(directory, `http://localhost:${port}`, options.settings)
  if (config.keys.kind === 'files') await createKeys(config.keys, 'development')
  const clock = options.clock ?? movableClock()
  const gateway = createOutboxGateway(clock.now)
  const register = createFileRegister()
  const logged: string[] = []
  const app = await createApp(config, {
    smsGateway: gateway,
    voiceGateway: gateway,
    register,
    ...(options.applications === null ? {} : { applications: options.applications ?? testApplications() }),
    now: clock.now,
    log: createLogger('debug', { write: (line: string) => void logged.push(line) }),
    ...options.overrides,
  })
  server.on('request', app.handler)

  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
    await app.close()
  }
  return {
    url: config.issuer,
    port,
    app,
    config,
    gateway,
    register,
    clock,
    directory,
    logged,
    async close() {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
    async restart() {
      await stop()
      return startServer({ ...options, directory, port, clock })
    },
  }
}

export const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url')
