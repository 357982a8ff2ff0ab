/**
 * A server whose keys stand in the key daemon: it opens no key file, a daemon that is killed and started again fails no
 * sign-in, and one that is gone fails them all closed until it is back.
 */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { publicKeys } from '#src/crypto/key-store.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { personOf, signIn, signedIn } from '../support/citizen.ts'
import { keyDaemon, processOf, type DaemonProcess } from '../support/key-daemon-process.ts'
import { secretsOf } from '../support/keys.ts'
import { relyingParty } from '../support/relying-party.ts'
import { temporaryDirectories } from '../support/temporary.ts'

/** Between two codes for one phone; a longer step would end refresh tokens, which live by the clock of the machine. */
const pastResend = 2_000
const cast = ['yan', 'xian', 'ayiguli', 'maria', 'elder', 'he', 'renumbered', 'renamed'] as const

describe('a server whose keys stand in the key daemon', function () {
  this.timeout(60_000)
  const newDirectory = temporaryDirectories()
  let daemon: DaemonProcess & { readonly keys: string }
  let server: TestServer
  let nowhere: string

  const keySettings = () => ({
    // A file: whoever took it for a directory of keys, or made one, would fail.
    ...{ kind: 'daemon', directory: nowhere, publishAhead: 86_400 },
    daemon: { socket: daemon.socket, timeout: 2 },
  })
  before(async () => {
    daemon = keyDaemon(newDirectory())
    await daemon.start()
    nowhere = join(newDirectory(), 'keys')
    writeFileSync(nowhere, '')
    server = await startServer({
      settings(settings) {
        const { sms } = settings['verifiers'] as { sms: object }
        Object.assign(settings, { keys: keySettings() })
        Object.assign(sms, { resendAfter: 1 })
      },
    })
  })
  after(async () => {
    await server?.close()
    await daemon.end('SIGTERM')
  })

  const ready = async () => (await fetch(`${server.url}/ready`)).status
  const restart = async (how: 'SIGKILL' | 'SIGTERM') => {
    await daemon.end(how)
    await daemon.start()
  }

  it('signs citizens in, by both families of algorithms, and opens no key file', async () => {
    for (const id of ['first', 'second'] as const) {
      const party = relyingParty(server.url, id)
      const { tokens } = await signedIn(server, party, await personOf('teenager'))
      assert.ok(await party.verify(tokens.id_token))
      server.clock.advance(pastResend)
    }
    assert.equal(readFileSync(nowhere, 'utf8'), '')
    assert.deepEqual(readdirSync(daemon.keys).sort(), ['kek', 'keyring.json'])
    assert.ok(!readdirSync(server.directory).includes('keys'))
  })

  it('has in its log nothing of what the key files hold', () => {
    const secrets = secretsOf(daemon.keys)
    assert.ok(secrets.length > 8)
    const logged = server.logged.join('\n')
    for (const secret of secrets) assert.ok(secret && !logged.includes(secret))
  })

  it('is such a server as a process, too', async () => {
    const probe = createServer().listen(0, 'localhost')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await new Promise((done) => probe.close(done))
    const url = `http://localhost:${port}`
    const second = processOf(['src/server.ts'], {
      ...{ YIHAO_ISSUER: url, YIHAO_LISTEN__PORT: String(port), YIHAO_DEMO__ENABLED: 'false' },
      // Some ways of signing in need a service of the demo city.
      YIHAO_CHANNELS__WEB__VERIFIERS: '["sms", "passkey"]',
      YIHAO_CHANNELS__KIOSK__VERIFIERS: '["sms"]',
      ...{ YIHAO_STORAGE__FILE: join(newDirectory(), 'yihao.db'), YIHAO_APPLICATIONS: 'config/applications' },
      ...{
        YIHAO_CRYPTO__POLICY: server.config.crypto.policy,
        YIHAO_KEYS__KIND: 'daemon',
        YIHAO_KEYS__DIRECTORY: nowhere,
        YIHAO_KEYS__DAEMON__SOCKET: daemon.socket,
      },
    })
    try {
      await second.start()
      assert.equal((await fetch(`${url}/ready`)).status, 200)
      const published = async (at: string) =>
        ((await (await fetch(`${at}/jwks`)).json()) as { keys: { kid: string }[] }).keys
      assert.deepEqual(await published(url), await published(server.url))
    } finally {
      assert.equal(await second.end('SIGTERM'), 0)
    }
  })

  for (const how of ['SIGKILL', 'SIGTERM'] as const)
    it(`fails no sign-in and no refresh while the daemon is ended by ${how} and started again`, async () => {
      server.clock.advance(pastResend)
      const party = relyingParty(server.url, 'first')
      const { tokens } = await signedIn(server, party, await personOf('teenager'))
      let restarted = false
      let refreshed = 0
      const refreshing = async (): Promise<void> => {
        let { refresh_token } = tokens
        while (!restarted || refreshed < 20) {
          const answer = await party.refresh(refresh_token)
          assert.equal(answer.status, 200, await answer.clone().text())
          const fresh = (await answer.json()) as typeof tokens
          assert.ok(await party.verify(fresh.id_token))
          ;({ refresh_token } = fresh)
          refreshed += 1
        }
      }
      const signingIn = cast.map(async (key) => {
        const { tokens: own } = await signedIn(server, party, await personOf(key))
        assert.ok(await party.verify(own.id_token))
      })
      const restarting = async (): Promise<void> => {
        while (refreshed < 3) await sleep(5)
        await restart(how)
        restarted = true
      }
      await Promise.all([refreshing(), ...signingIn, restarting()])
      assert.equal(await ready(), 200)
    })

  it('refuses, and is not ready, while the daemon is gone, and serves again once it is back', async () => {
    server.clock.advance(pastResend)
    const party = relyingParty(server.url, 'first')
    const { location, request } = await signIn(server, openBrowser(server.url), party, await personOf('yan'))
    await daemon.end('SIGKILL')
    while ((await ready()) !== 503) await sleep(20)
    const refused = await party.redeem(location, request)
    assert.equal(refused.status, 503)
    assert.ok(!('id_token' in ((await refused.json()) as object)))
    await daemon.start()
    while ((await ready()) !== 200) await sleep(20)
    const { tokens } = await signedIn(server, party, await personOf('xian'))
    assert.ok(await party.verify(tokens.id_token))
  })

  it('signs the audit trail with the key that the daemon holds', async () => {
    await server.app.recorder.checkpoint()
    const kid = publicKeys(daemon.keys).audit[0]?.kid
    const [node = ''] = await server.app.storage.audit.nodes()
    const jws = (await server.app.storage.audit.lastCheckpoint(node))?.jws ?? ''
    assert.equal((JSON.parse(atob(jws.split('.')[0] ?? '')) as { kid?: string }).kid, kid)
  })
})
