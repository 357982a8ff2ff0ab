/**
 * The terminal of the demo city: a fake card reader and the terminal agent as a program beside the server, with a device
 * certificate made at the first start. What the server must know of it stands in `keys/demo/`: the root that vouches for
 * devices, and the row of this terminal.
 */
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { sm3 } from 'jose'
import { AppError } from '#src/errors.ts'
import { newDevice } from './device-authority.ts'
import { listenOnTcp } from './fake-reader/lines.ts'
import { fakeSam, type FakeReader } from './fake-reader/sam.ts'

export const demoTerminal = 'demo-terminal'

/** Where the demo city keeps what belongs to its terminal. */
export const terminalFiles = (directory: string) => ({
  root: join(directory, 'device-root.pem'),
  key: join(directory, 'terminal.key'),
  certificate: join(directory, 'terminal.pem'),
  settings: join(directory, 'terminal-agent.json'),
  /** One file a terminal, as the server reads them. */
  rows: join(directory, 'terminals'),
})

/** Key, certificates and the terminal's row, where they are missing. */
export async function terminalCredentials(directory: string): Promise<void> {
  const { root, key, certificate, rows } = terminalFiles(directory)
  mkdirSync(rows, { recursive: true, mode: 0o700 })
  if (!existsSync(certificate)) {
    const made = await newDevice(demoTerminal)
    writeFileSync(root, made.root)
    writeFileSync(key, made.key, { mode: 0o600 })
    writeFileSync(certificate, made.certificate)
  }
  const { raw } = new X509Certificate(readFileSync(certificate))
  const row = {
    id: demoTerminal,
    name: { zh: '演示自助终端', en: 'Demo terminal' },
    place: '示例市政务服务大厅',
    channel: 'kiosk',
    sam: fakeSam,
    certificate: `sm3:${sm3(raw).toString('hex')}`,
    status: 'active',
  }
  const file = join(rows, `${demoTerminal}.json`)
  // Somebody may try out here what a revoked terminal is told.
  if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(row, null, 2)}\n`)
}

interface Service {
  readonly name: { readonly zh: string; readonly en: string }
  readonly url: string
}

interface Options {
  readonly directory: string
  readonly issuer: string
  /** 0 takes a free one. */
  readonly port: number
  readonly services: readonly Service[]
  readonly reader: FakeReader
  /** Where its camera gives pictures. */
  readonly camera?: string
}

export interface RunningTerminal {
  readonly url: string
  close(): Promise<void>
}

/** Faces are compared where the optional packages are there. */
function faceSettings(camera: string): object {
  const { resolve: find } = createRequire(import.meta.url)
  try {
    for (const name of ['@vladmandic/face-api/package.json', 'jpeg-js']) find(name)
  } catch {
    return {}
  }
  const decoder = resolve(import.meta.dirname, 'fake-camera/decode-photo.ts')
  // Long enough for a machine that has other things to do.
  return { face: { camera, photo: [process.execPath, decoder], seconds: 45 } }
}

/** @throws AppError `config_invalid` where the agent does not come up */
export async function startTerminal(options: Options): Promise<RunningTerminal> {
  const { directory, issuer, port, services, reader, camera } = options
  const { key, certificate, settings } = terminalFiles(directory)
  const line = await listenOnTcp(reader)
  const agent = {
    terminal: demoTerminal,
    issuer,
    port,
    reader: line.address,
    device: { key, certificates: certificate },
    city: { zh: '示例市', en: 'Example City' },
    services,
    ...(camera ? faceSettings(camera) : {}),
    log: 'warn',
  }
  writeFileSync(settings, `${JSON.stringify(agent, null, 2)}\n`)
  const program = resolve(import.meta.dirname, '../agents/terminal-agent.ts')
  // The channel, over which nothing is said, breaks when the server dies, however it dies; the agent ends then.
  const child = spawn(process.execPath, [program, settings], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const url = await new Promise<string>((found, fail) => {
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      said += part
      const [, address] = /^listening (\S+)$/m.exec(said) ?? []
      if (address) found(address)
    })
    const detail = `the terminal agent of the demo city did not start; choose another port with YIHAO_DEMO__TERMINAL_PORT`
    void ended.then(() => fail(new AppError('config_invalid', { detail })))
  }).catch(async (error: unknown) => {
    await line.close()
    throw error
  })
  return {
    url,
    async close() {
      child.kill('SIGTERM')
      await ended
      await line.close()
    },
  }
}
