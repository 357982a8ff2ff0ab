/** What the server says where it cannot start: one sentence with the remedy, and never the demo in a real part's place. */
import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { createApp } from '#src/app.ts'
import { loadConfig, type Config } from '#src/config.ts'
import { createKeys } from '#src/crypto/key-store.ts'
import { isAppError } from '#src/errors.ts'
import { temporaryDirectories } from './support/temporary.ts'

/** Development without its demo city, whose services some ways of signing in need. */
const withoutCity = (config: Config): Config => {
  const { web } = config.channels
  return { ...config, channels: web ? { web: { ...web, verifiers: ['sms', 'passkey'] } } : {} }
}

describe('a server that cannot start', () => {
  const directory = temporaryDirectories()

  describe('because a port is taken', () => {
    let taken: Server
    let port: number
    beforeEach(async () => {
      taken = createServer()
      await new Promise<void>((done) => taken.listen(0, 'localhost', done))
      port = (taken.address() as AddressInfo).port
    })
    afterEach(() => taken.close())

    const start = (env: Readonly<Record<string, string>>) => {
      const where = directory()
      const { status, stderr } = spawnSync(process.execPath, ['src/server.ts'], {
        cwd: resolve(import.meta.dirname, '..'),
        encoding: 'utf8',
        timeout: 15_000,
        env: {
          ...process.env,
          YIHAO_STORAGE__FILE: join(where, 'yihao.db'),
          YIHAO_KEYS__DIRECTORY: join(where, 'keys'),
          YIHAO_LISTEN__HOST: 'localhost',
          YIHAO_LOG__LEVEL: 'silent',
          ...env,
        },
      })
      assert.equal(status, 1)
      return stderr
    }

    it('names the port and the two settings that choose another', () => {
      const said = start({ YIHAO_LISTEN__PORT: String(port), YIHAO_ISSUER: `http://localhost:${port}` })
      assert.match(said, new RegExp(`port ${port} is taken .*YIHAO_LISTEN__PORT and YIHAO_ISSUER\n$`))
      assert.equal(said.trim().split('\n').length, 1, said)
    })

    it('gets no further than its keys where the variable of the key-encryption key is not set, and says so', () => {
      const env = { YIHAO_LISTEN__PORT: String(port), YIHAO_ISSUER: `http://localhost:${port}` }
      const named = { ...env, YIHAO_KEYS__KEK__ENVIRONMENT: 'SEAL' }
      assert.match(start(named), /key_invalid: keys\.kek: the environment variable SEAL is not set/)
      const wrong = start({ ...named, SEAL: 'hunter2hunter2' })
      assert.match(wrong, /key_invalid: the environment variable SEAL: must hold 32 random bytes/)
      assert.ok(!wrong.includes('hunter2'))
      assert.match(start({ ...named, SEAL: Buffer.alloc(32, 7).toString('base64url') }), /is taken/)
    })

    it('names the setting of a port of the demo city', () => {
      const said = start({ YIHAO_LISTEN__PORT: '0', YIHAO_DEMO__PORTS: `[0, 0, ${port}, 0]` })
      assert.match(said, new RegExp(`port ${port} is taken .*YIHAO_DEMO__PORTS\n$`))
      assert.equal(said.trim().split('\n').length, 1, said)
    })
  })

  it('over a store that other keys sealed, and says so', async () => {
    const where = directory()
    const defaults = withoutCity(loadConfig('config', {}))
    const storage = { kind: 'sqlite', file: join(where, 'city.db') } as const
    const under = async (name: string): Promise<Config> => {
      const config = { ...defaults, storage, keys: { ...defaults.keys, directory: join(where, name), publishAhead: 1 } }
      await createKeys(config.keys, 'development')
      return config
    }
    await (await createApp(await under('keys'), { applications: [] })).close()
    await assert.rejects(createApp(await under('others'), { applications: [] }), (error) => {
      assert.ok(isAppError(error, 'key_invalid'), String(error))
      assert.match(error.detail ?? '', /^these keys do not open the store; put those back/)
      return true
    })
  })

  it('because a real register or gateway has no settings never takes the one of the demo', async () => {
    const where = directory()
    const defaults = withoutCity(loadConfig('config', {}))
    const config: Config = { ...defaults, keys: { ...defaults.keys, directory: join(where, 'keys'), publishAhead: 1 } }
    await createKeys(config.keys, 'development')
    const { register } = config
    const storeFor = (name: string) => ({ kind: 'sqlite', file: join(where, `${name}.db`) }) as const
    for (const [path, change] of [['register.http', { register: { ...register, kind: 'http' } }]] as const)
      await assert.rejects(
        createApp({ ...config, ...change, storage: storeFor(path) }, { applications: [] }),
        (error) => {
          assert.ok(isAppError(error, 'config_invalid'), String(error))
          assert.equal(error.detail, `${path} is missing; say url, keyFile and timeout`)
          return true
        },
      )
  })
})
