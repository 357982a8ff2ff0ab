/** A terminal agent as `npm run terminal-agent` runs it, before a fake card reader, with a device certificate of its own. */
import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { newDevice } from '#src/demo/device-authority.ts'
import { listenOnTcp, type Line } from '#src/demo/fake-reader/lines.ts'
import { createFakeReader, type FakeReader } from '#src/demo/fake-reader/sam.ts'

export const issuer = 'https://id.test.example'

export interface TerminalAgent {
  readonly url: string
  readonly fake: FakeReader
  readonly line: Line
  /** Files in PEM. */
  readonly root: string
  readonly certificate: string
  /** Everything it wrote. */
  output(): string
  close(): Promise<void>
}

export interface Started {
  readonly directory: string
  readonly settings?: object
}

export async function startTerminalAgent({ directory, settings }: Started): Promise<TerminalAgent> {
  const device = await newDevice('terminal-1')
  const file = (name: string, text: string) => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const fake = createFakeReader()
  const line = await listenOnTcp(fake)
  const [rootFile, certificate, key] = [
    file('root.pem', device.root),
    file('device.pem', device.certificate),
    file('device.key', device.key),
  ]
  const config = {
    terminal: 'terminal-1',
    issuer,
    port: 0,
    reader: line.address,
    device: { key, certificates: certificate },
    wait: 1,
    city: { zh: '示例市', en: 'Example City' },
    services: [{ name: { zh: '社保查询', en: 'Social insurance records' }, url: 'https://social.example/' }],
    ...settings,
  }
  const args = ['src/agents/terminal-agent.ts', file('agent.json', JSON.stringify(config))]
  const child = spawn(process.execPath, args, { cwd: resolve(import.meta.dirname, '../..') })
  let said = ''
  for (const out of [child.stdout, child.stderr]) out.setEncoding('utf8').on('data', (part: string) => (said += part))
  const ended = once(child, 'close')
  const url = await new Promise<string>((found, fail) => {
    child.stdout.on('data', () => {
      const [, address] = /^listening (\S+)$/m.exec(said) ?? []
      if (address) found(address)
    })
    void ended.then(() => fail(new Error(said)))
  }).catch(async (error: unknown) => {
    await line.close()
    throw error
  })
  return {
    ...{ url, fake, line, root: rootFile, certificate },
    output: () => said,
    async close() {
      child.kill('SIGTERM')
      const [status] = (await ended) as [number | null]
      assert.equal(status, 0, said)
      await line.close()
    },
  }
}
