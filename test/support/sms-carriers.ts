/** Starts the carriers of `sms_carriers.py`, which know our signatures from the carriers' documentation alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface Seen {
  readonly carrier: 'aliyun' | 'tencent' | 'yunmas'
  readonly action?: string
  readonly algorithm?: string
  readonly question: Readonly<Record<string, unknown>>
}

export interface Carriers {
  readonly url: string
  readonly secret: string
  /** What was accepted, oldest first. */
  seen(): Promise<readonly Seen[]>
  behave(mode: string): Promise<void>
  /** What becomes of texts: `waiting`, `failed` or `delivered`. */
  decide(fate: 'waiting' | 'failed' | 'delivered'): Promise<void>
  close(): void
}

export async function startCarriers(): Promise<Carriers> {
  const secret = 'a-synthetic-secret'
  const child = spawn('python3', [join(import.meta.dirname, 'sms_carriers.py'), secret], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  const url = `http://127.0.0.1:${port.toString().trim()}`
  const get = async (path: string) => (await fetch(`${url}${path}`)).json()
  return {
    url,
    secret,
    seen: async () => (await get('/seen')) as readonly Seen[],
    behave: async (mode) => void (await get(`/mode/${mode}`)),
    decide: async (fate) => void (await get(`/fate/${fate}`)),
    close: () => void child.kill(),
  }
}
