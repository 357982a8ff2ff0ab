/**
 * The process edge of the server: reads the environment, makes what development needs, listens, and ends in order on
 * SIGINT and SIGTERM.
 */
import type { Server } from 'node:http'
import { createApp, describeStartFault, type Overrides } from './app.ts'
import { loadConfig, type Config } from './config.ts'
import { createKeys } from './crypto/key-store.ts'
import { AppError } from './errors.ts'
import { createHttpServer } from './http/server.ts'

const drainMs = 10_000

/** @throws AppError `config_invalid` where a port is taken, naming the settings that choose another */
const portTakenSays = (settings: string) => (cause: unknown) => {
  const { code, port } = cause as { readonly code?: unknown; readonly port?: unknown }
  if (code !== 'EADDRINUSE') throw cause
  const detail = `port ${String(port)} is taken by another process: end that, or choose another port with ${settings}`
  throw new AppError('config_invalid', { detail, cause })
}

const listening = (server: Server, { host, port }: Config['listen']): Promise<void> =>
  new Promise((done, fail) => {
    server.once('error', fail)
    server.listen(port, host, done)
  })

function closeServer(server: Server): Promise<void> {
  return new Promise((done) => {
    // A connection that was answering is idle only later: asked for again and again, none is waited for.
    const idle = setInterval(() => server.closeIdleConnections(), 50)
    server.close(() => {
      clearInterval(idle)
      done()
    })
    setTimeout(() => server.closeAllConnections(), drainMs).unref()
  })
}

async function demoCity(config: Config) {
  const { createDemoCity, settleDemoApplications } = await import('./demo/city.ts')
  const { settleDemoSettings } = await import('./demo/settings.ts')
  const city = await createDemoCity(config)
  const settings: Config = { ...config, verifiers: settleDemoSettings(config.verifiers, config) }
  const overrides: Overrides = {
    smsGateway: city.gateway,
    voiceGateway: city.gateway,
    prepareApplication: settleDemoApplications(config),
    links: city.links,
  }
  return { city, settings, overrides }
}

async function main(): Promise<void> {
  const config = loadConfig('config', process.env)
  if (config.environment === 'development' && config.keys.kind === 'files')
    await createKeys(config.keys, 'development', { env: process.env })
  const demo = config.demo.enabled ? await demoCity(config) : undefined
  const app = await createApp(demo?.settings ?? config, { ...demo?.overrides, env: process.env })
  const server = createHttpServer(app.handler)
  await listening(server, config.listen).catch(portTakenSays('YIHAO_LISTEN__PORT and YIHAO_ISSUER'))
  const city = await demo?.city.start().catch(portTakenSays('YIHAO_DEMO__PORTS'))

  let ending = false
  const end = async (signal: string): Promise<void> => {
    if (ending) return
    ending = true
    app.log.info({ signal }, 'ending')
    await city?.close()
    await closeServer(server)
    await app.close()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end(signal))

  app.log.info({ issuer: config.issuer, policy: config.crypto.policy }, 'listening')
  if (demo) {
    const { welcome } = await import('./demo/welcome.ts')
    process.stdout.write(await welcome(config, demo.city))
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${describeStartFault(error)}\n`)
  process.exit(1)
})
