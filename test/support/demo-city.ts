/** The whole demo city for a browser: the server, its two applications and its phone, each on a free port. */
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '#src/config.ts'
import { createDemoCity, settleDemoApplications } from '#src/demo/city.ts'
import type { FakeReader } from '#src/demo/fake-reader/sam.ts'
import { settleDemoSettings } from '#src/demo/settings.ts'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { readApplications } from '#src/oidc/application-files.ts'
import type { OutboxGateway } from '#src/verifiers/sms/outbox-gateway.ts'
import { startServer, type TestServer } from './app.ts'

export interface City {
  readonly server: TestServer
  readonly gateway: OutboxGateway
  /** Addresses of the application signed for with SM2, of the one with ES256, and of the phone. */
  readonly insurance: string
  readonly property: string
  readonly phone: string
  /** The application on the terminal, and the terminal's own page, where there is one. */
  readonly kiosk: string
  readonly terminal: string | undefined
  readonly cardReader: FakeReader
  /** The hands at it. */
  readonly cardReaderUrl: string
  /** One file for each card terminal. */
  readonly terminalRows: string
  close(): Promise<void>
}

/** Ports that are free now, all held open until all are known, so that none is given twice. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = servers.map(
    (server) =>
      new Promise<number>((done) => server.listen(0, 'localhost', () => done((server.address() as AddressInfo).port))),
  )
  const found = await Promise.all(ports)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return found
}

interface Options {
  /** Applications beside the two of the city. */
  readonly more?: readonly ApplicationInput[]
  readonly settings?: (settings: Record<string, unknown>) => void
  /** With the channel `kiosk`, a terminal and its agent, a program of its own. */
  readonly terminal?: boolean
}

/** The channel of the terminals, as development has it. */
function addKiosk(settings: Record<string, unknown>): void {
  const { channels } = settings as { channels: Record<string, object> }
  channels['kiosk'] = { ...loadConfig('config', {}).channels['kiosk'] }
}

export async function startCity({ more = [], settings, terminal = false }: Options = {}): Promise<City> {
  const [port, terminalPort, ...others] = (await freePorts(6)) as [number, number, number, number, number, number]
  const directory = mkdtempSync(join(tmpdir(), 'yihao-city-'))
  const place = {
    issuer: `http://localhost:${port}`,
    keys: { directory: join(directory, 'keys') },
    demo: { enabled: true, ports: others, ...(terminal ? { terminalPort } : {}) },
    crypto: { policy: 'mixed' },
  } as const
  const city = await createDemoCity(place)
  const policy = { smOnly: false, production: false, now: Date.now() }
  const applications = [...readApplications('config/demo/applications', policy, settleDemoApplications(place)), ...more]
  const server = await startServer({
    directory,
    port,
    applications,
    overrides: { smsGateway: city.gateway, voiceGateway: city.gateway, links: city.links },
    settings(given) {
      if (terminal) addKiosk(given)
      given['verifiers'] = settleDemoSettings(given['verifiers'], place)
      settings?.(given)
    },
  })
  const running = await city.start()
  const [insurance, property] = city.links.map(({ url }) => url) as [string, string]
  return {
    server,
    gateway: city.gateway,
    insurance,
    property,
    phone: city.phoneUrl,
    kiosk: city.kioskUrl,
    terminal: running.terminalUrl,
    cardReader: city.cardReader,
    cardReaderUrl: city.cardReaderUrl,
    terminalRows: join(directory, 'keys/demo/terminals'),
    async close() {
      await running.close()
      await server.close()
    },
  }
}
