/** Starts the peer of `signed_peer.py`, which knows our signed HTTP from its description alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

export interface Peer {
  readonly key: Buffer
  readonly url: string
  seen(): Promise<readonly { readonly path: string; readonly question: Record<string, unknown> }[]>
  /** From now on every question is answered as at this path: `/broken`, `/hang`, `/refuse`; none: each as at its own. */
  behave(path: string): Promise<void>
  close(): void
}

export async function startPeer(): Promise<Peer> {
  const key = randomBytes(32)
  const child = spawn('python3', [join(import.meta.dirname, 'signed_peer.py'), key.toString('hex')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  const url = `http://127.0.0.1:${port.toString().trim()}`
  return {
    key,
    url,
    seen: async () => (await (await fetch(`${url}/seen`)).json()) as never,
    behave: async (path) => void (await (await fetch(`${url}/mode${path || '/'}`)).text()),
    close: () => void child.kill(),
  }
}
