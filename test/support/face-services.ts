/** Starts the services of `face_services.py`, which know our questions from what is published of them alone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

export interface Asked {
  readonly service: 'aliyun' | 'tencent' | 'http'
  readonly action: string
  readonly algorithm?: string
  readonly question: Readonly<Record<string, string>>
}

export interface FaceServices {
  readonly url: string
  readonly secret: string
  readonly key: Buffer
  /** What was accepted, oldest first. */
  asked(): Promise<readonly Asked[]>
  /** From now on every answer is like this; '' restores. */
  behave(mode: string): Promise<void>
  close(): void
}

export async function startFaceServices(): Promise<FaceServices> {
  const secret = 'a-synthetic-secret'
  const key = randomBytes(32)
  const script = join(import.meta.dirname, 'face_services.py')
  const child = spawn('python3', [script, secret, key.toString('hex')], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  const url = `http://127.0.0.1:${port.toString().trim()}`
  const get = async (path: string) => (await fetch(`${url}${path}`)).json()
  return {
    ...{ url, secret, key },
    asked: async () => (await get('/seen')) as readonly Asked[],
    behave: async (mode) => void (await get(`/mode/${mode}`)),
    close: () => void child.kill(),
  }
}
