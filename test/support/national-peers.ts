/** Starts the national and provincial platforms of `national_peers.py`, which know us from descriptions alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWK } from 'jose'

interface Behaviour {
  readonly mode?: string
  readonly person?: string
  readonly level?: string
}

export interface NationalPeers {
  readonly url: string
  /** Where its clock stands, milliseconds. */
  readonly now: number
  /** Files of what we share with them. */
  readonly files: { readonly secret: string; readonly ours: string; readonly theirs: string; readonly other: string }
  behave(behaviour?: Behaviour): Promise<void>
  seen(): Promise<readonly { readonly path: string; readonly body: string }[]>
  get(path: string): Promise<Record<string, string>>
  close(): void
}

/** @param now where the clock of those stands that date what they say */
export async function startNationalPeers(now: number): Promise<NationalPeers> {
  const directory = mkdtempSync(join(tmpdir(), 'yihao-national-'))
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), `${text}\n`, { mode: 0o600 })
    return join(directory, name)
  }
  const { privateKey, publicKey } = await generateKeyPair('SGD_SM3_SM2', { extractable: true })
  const stranger = await generateKeyPair('SGD_SM3_SM2', { extractable: true })
  const secret = randomBytes(32).toString('base64url')
  const people = join(import.meta.dirname, '../../config/demo/population.json')
  const settings = JSON.stringify({ secret, client: await exportJWK(publicKey), people })
  const child = spawn('python3', [join(import.meta.dirname, 'national_peers.py'), settings], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const { port, sm2 } = JSON.parse(said.toString()) as { port: number; sm2: JWK }
  const url = `http://127.0.0.1:${port}`
  const get = async (path: string) => (await (await fetch(`${url}${path}`)).json()) as never
  const control = (behaviour: Behaviour) =>
    get(`/control?${new URLSearchParams({ ...behaviour, now: String(now) } as Record<string, string>)}`)
  let behaviour: Behaviour = {}
  await control(behaviour)
  return {
    url,
    now,
    files: {
      secret: write('secret', secret),
      ours: write('ours.jwk', JSON.stringify({ ...(await exportJWK(privateKey)), kid: 'ours' })),
      theirs: write('theirs.jwk', JSON.stringify(sm2)),
      other: write('other.jwk', JSON.stringify(await exportJWK(stranger.privateKey))),
    },
    get,
    async behave(next = {}) {
      behaviour = next
      await control(behaviour)
    },
    seen: () => control(behaviour),
    close: () => void child.kill(),
  }
}
