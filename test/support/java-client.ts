/** The application in Java (`test/java-client/`): built where its sources changed, and started for a server. */
import { strict as assert } from 'node:assert'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

export const folder = resolve(import.meta.dirname, '../java-client')
const stamp = join(folder, 'target/built')

const sources = (): readonly string[] => [
  'pom.xml',
  ...readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(java|yaml)$/.test(name))
    .map((name) => join('src', name))
    .sort(),
]

/** Builds it; says why not where this machine cannot. @throws what Maven says where it can and the build fails */
export function buildJavaClient(): string | undefined {
  const hash = createHash('sha256')
  for (const name of sources()) hash.update(`${name}\n`).update(readFileSync(join(folder, name)))
  const wanted = hash.digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return undefined
  for (const command of ['javac', 'mvn'])
    if (spawnSync(command, ['-version']).error) return `${command} is missing here (default-jdk-headless, maven)`
  const built = spawnSync('mvn', ['-q', '-B', 'clean', 'compile'], { cwd: folder, encoding: 'utf8' })
  assert.equal(built.status, 0, built.stdout + built.stderr)
  writeFileSync(stamp, wanted)
  return undefined
}

/** A port that nobody listens at: the server must know the address of the callback before the application is there. */
export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done))
  const { port } = probe.address() as AddressInfo
  await new Promise((done) => probe.close(done))
  return port
}

export interface JavaClient {
  readonly url: string
  /** Settles when the process is gone. */
  close(): Promise<void>
}

export async function startJavaClient(settings: {
  readonly port: number
  readonly issuer: string
  readonly clientId: string
  readonly secret: string
}): Promise<JavaClient> {
  const child = spawn(
    'java',
    ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', 'target/classes:target/lib/*', 'example.Application'],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        SERVER_ADDRESS: '127.0.0.1',
        SERVER_PORT: String(settings.port),
        ISSUER: settings.issuer,
        CLIENT_ID: settings.clientId,
        CLIENT_SECRET: settings.secret,
      },
    },
  )
  const gone = new Promise<void>((done) => child.once('close', () => done()))
  const said: string[] = []
  const started = new Promise<boolean>((done) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      said.push(line)
      if (line.includes('Started Application')) done(true)
    })
    void gone.then(() => done(false))
  })
  assert.ok(await started, `the application in Java did not start:\n${said.slice(-30).join('\n')}`)
  return {
    url: `http://localhost:${settings.port}`,
    async close() {
      child.kill()
      await gone
    },
  }
}
