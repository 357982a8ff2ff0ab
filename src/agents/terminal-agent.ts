/**
 * The process edge of the terminal agent: reads its settings and its device key, looks after the card reader, answers on
 * the loopback, and ends in order on SIGINT and SIGTERM.
 */
import { resolve } from 'node:path'
import type { AddressInfo } from 'node:net'
import { AppError } from '../errors.ts'
import { createLogger } from '../http/log.ts'
import { createHttpServer } from '../http/server.ts'
import { loadWords } from '../http/words.ts'
import { createDoors } from './terminal/doors.ts'
import { faceDesk } from './terminal/face/desk.ts'
import { createAgent } from './terminal/http.ts'
import { linkTo } from './terminal/link.ts'
import { createCardReader } from './terminal/reader.ts'
import { readAgentSettings } from './terminal/settings.ts'
import { openDevice } from './terminal/signing.ts'
import { startPageFiles } from './terminal/start-page.ts'

const views = resolve(import.meta.dirname, '../../views')

async function main(): Promise<void> {
  const file = process.argv[2] ?? process.env['YIHAO_TERMINAL_AGENT'] ?? 'config/terminal-agent.json'
  const settings = readAgentSettings(file)
  const log = createLogger(settings.log)
  const device = await openDevice(settings.device)
  if (!device.valid()) log.warn('the device certificate is not valid now: no reading is made')
  const files = startPageFiles(views, await loadWords(resolve(views, 'locales')), settings)
  const reader = createCardReader({
    open: linkTo(settings.reader),
    onReader: (state) => log.info({ state }, 'reader'),
  })
  const server = createHttpServer()
  const port = () => (server.address() as AddressInfo).port
  const doors = createDoors({ issuer: settings.issuer, port })
  const agent = createAgent({
    terminal: settings.terminal,
    reader,
    device,
    doors,
    waitMs: settings.wait * 1000,
    files,
    ...(settings.face ? { face: faceDesk(settings.face, settings.issuer, doors) } : {}),
    onReading: (outcome, error) => (error ? log.error({ err: error }, 'fault') : log.info({ outcome }, 'reading')),
  })
  server.on('request', agent)
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    // The loopback alone: whoever is on the network has no business here.
    server.listen(settings.port, '127.0.0.1', done)
  }).catch((cause: unknown) => {
    const detail = `${file}: port: ${settings.port} cannot be listened at; end what holds it, or name another`
    throw new AppError('config_invalid', { detail, cause })
  })

  let ending = false
  const end = async (signal: string): Promise<void> => {
    if (ending) return
    ending = true
    log.info({ signal }, 'ending')
    server.close()
    await reader.close()
    server.closeAllConnections()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end(signal))
  // Started by another program, which is gone.
  process.on('disconnect', () => void end('disconnect'))
  process.stdout.write(`listening http://127.0.0.1:${port()}\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof AppError ? error.message : String(error)}\n`)
  process.exit(1)
})
