/** Starts the gateway of `cmpp_gateway.py`, which knows CMPP from the tables of the protocol alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Happening {
  readonly event: 'connect' | 'submit' | 'test' | 'terminate' | 'answer' | 'end' | 'violation' | 'obeyed'
  readonly [fact: string]: unknown
}

export interface CmppServer {
  readonly port: number
  readonly happened: readonly Happening[]
  /** The next thing of this kind after what was waited for before. */
  next(event: Happening['event']): Promise<Happening>
  tell(command: object): Promise<void>
  close(): void
}

export const cmppAccount = '900001'
export const cmppSecret = 'synthetic'

export async function startCmppServer(version: '2.0' | '3.0'): Promise<CmppServer> {
  const program = join(import.meta.dirname, 'cmpp_gateway.py')
  const child = spawn('python3', [program, version, cmppAccount, cmppSecret], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)
  const [port] = (await once(lines, 'line')) as [string]
  const happened: Happening[] = []
  const passed = new Map<string, number>()
  let wake = (): void => undefined
  lines.on('line', (line) => {
    happened.push(JSON.parse(line) as Happening)
    wake()
  })
  const next = async (event: Happening['event']): Promise<Happening> => {
    for (;;) {
      const from = passed.get(event) ?? 0
      const at = happened.findIndex((happening, index) => index >= from && happening.event === event)
      if (at >= 0) {
        passed.set(event, at + 1)
        return happened[at] as Happening
      }
      await new Promise<void>((done) => (wake = done))
    }
  }
  return {
    port: Number(port),
    happened,
    next,
    async tell(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`)
      await next('obeyed')
    },
    close: () => void child.kill(),
  }
}
