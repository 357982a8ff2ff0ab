/** The server's side of the key daemon against a real one in a process of its own: contracts, faults, changes. */
import { strict as assert } from 'node:assert'
import { chmodSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { compactVerify, SGD_SM3_SM2 } from 'jose'
import { createDaemon, type Daemon } from '#src/agents/key-daemon/daemon.ts'
import { openDaemonRing, type DaemonRing, type DaemonSettings } from '#src/crypto/daemon/ring.ts'
import { frame, hello } from '#src/crypto/daemon/wire.ts'
import type { Keys } from '#src/crypto/keys.ts'
import type { Signer } from '#src/crypto/signer.ts'
import { isAppError } from '#src/errors.ts'
import { decrypterContract } from '../../contracts/decrypter.ts'
import { keyWrapperContract } from '../../contracts/key-wrapper.ts'
import { macContract } from '../../contracts/mac.ts'
import { signerContract } from '../../contracts/signer.ts'
import { daemonProcess, type DaemonProcess } from '../../support/key-daemon-process.ts'
import { newKeySeed, newSecret, ringOf, softwareKeys, type KeySeed } from '../../support/software-ring.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

const unavailable = (error: unknown) => isAppError(error, 'key_unavailable')

/** Waits until something is so; a time limit of the test ends what never becomes so. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

describe('Keys in the key daemon', function () {
  this.timeout(60_000)
  const newDirectory = temporaryDirectories()
  let daemon: DaemonProcess & { readonly seed: KeySeed }
  let ring: DaemonRing
  const rings: DaemonRing[] = []
  const daemons: Daemon[] = []

  async function open(settings: Partial<DaemonSettings> = {}): Promise<DaemonRing> {
    const opened = await openDaemonRing({ socket: daemon.socket, timeoutMs: 2000, ...settings })
    rings.push(opened)
    return opened
  }

  before(async () => {
    daemon = await daemonProcess(newDirectory())
    await daemon.start()
    ring = await open()
  })
  after(async () => {
    await Promise.all(rings.map((opened) => opened.close()))
    await Promise.all(daemons.map((beside) => beside.close()))
    await daemon.end('SIGKILL')
  })

  const active = (alg: string, keys: Keys = ring.current()): Signer => {
    const found = keys.signers.find(({ key, state }) => key.alg === alg && state === 'active')
    assert.ok(found)
    return found.key
  }

  for (const alg of [SGD_SM3_SM2, 'ES256', 'RS256']) signerContract(`key daemon, ${alg}`, async () => active(alg))
  signerContract('key daemon, audit', async () => ring.current().audit)
  decrypterContract('key daemon', async () => {
    const [active, retired] = ring.current().decrypters
    assert.ok(active && retired)
    return { decrypter: active.key, other: retired.key }
  })
  for (const name of ['pairwise', 'rows', 'limits', 'codes'] as const)
    macContract(`key daemon, ${name}`, async () => {
      const { index, ...keys } = ring.current()
      const mac = name === 'codes' ? keys.codes[0] : keys[name]
      return { mac, other: (index[0] as Keys['index'][number]).mac }
    })

  keyWrapperContract('key daemon', async () => {
    const beside = async (seed: KeySeed) => {
      const socket = join(newDirectory(), 'run', 'keys')
      daemons.push(await createDaemon(ringOf(await softwareKeys(seed)), { socket, deadlineMs: 2000 }))
      return (await open({ socket })).current().wrapper
    }
    const { seed } = daemon
    return {
      wrapper: ring.current().wrapper,
      other: await beside({ ...seed, wrapping: { 1: newSecret() } }),
      later: await beside({ ...seed, wrapping: { ...seed.wrapping, 2: newSecret() } }),
    }
  })

  it('wraps with keys that the daemon alone has: what it wrapped opens beside it', async () => {
    const { wrapper } = await softwareKeys(daemon.seed)
    const wrapped = await ring.current().wrapper.wrap(Buffer.from('data key'), 'person:1')
    assert.equal((await wrapper.unwrap(wrapped, 'person:1')).toString(), 'data key')
  })

  it('gives the cookie keys, which the engine uses at once, and of the others the public halves only', async () => {
    const keys = ring.current()
    assert.deepEqual(keys.cookies, [Buffer.from(daemon.seed.secret, 'base64url')])
    const told = JSON.stringify(keys)
    const { signing, decryption, audit } = daemon.seed
    for (const { d } of [...signing, ...decryption, audit]) assert.ok(d !== undefined && !told.includes(d))
  })

  it('signs for two servers at once, each its own', async () => {
    const other = await open()
    const sign = async (of: DaemonRing, n: number) => {
      const signer = active(SGD_SM3_SM2, of.current())
      const text = `${Buffer.from('{"alg":"SGD_SM3_SM2"}').toString('base64url')}.${Buffer.from(`${n}`).toString('base64url')}`
      const signature = Buffer.from(await signer.sign(Buffer.from(text))).toString('base64url')
      const { payload } = await compactVerify(`${text}.${signature}`, signer.publicJwk)
      return Buffer.from(payload).toString()
    }
    const numbers = Array.from({ length: 100 }, (_, n) => n)
    const [ours, theirs] = await Promise.all([ring, other].map((of) => Promise.all(numbers.map((n) => sign(of, n)))))
    assert.deepEqual(ours, numbers.map(String))
    assert.deepEqual(theirs, numbers.map(String))
    await other.close()
  })

  describe('whose daemon', () => {
    const everySort = (keys: Keys): readonly (() => Promise<unknown>)[] => [
      () => active(SGD_SM3_SM2, keys).sign(Buffer.from('x')),
      () => active('ES256', keys).sign(Buffer.from('x')),
      () => keys.pairwise('x'),
      async () => keys.wrapper.unwrap(await keys.wrapper.wrap(Buffer.alloc(32), 'c'), 'c'),
    ]
    const many = (keys: Keys, count: number) =>
      Array.from({ length: count }, (_, n) => (everySort(keys)[n % 4] as () => Promise<unknown>)())

    for (const how of ['SIGKILL', 'SIGTERM'] as const)
      it(`is ended by ${how} and started again under 200 askers answers them all`, async () => {
        ring.onChange(() => assert.fail('the keys are the same'))
        const sorts = everySort(ring.current())
        let answered = 0
        let restarted = false
        let across = 0
        const asker = async (n: number): Promise<void> => {
          for (let round = 0; round < 5 || !restarted; round += 1) {
            const began = restarted
            await (sorts[(n + round) % sorts.length] as () => Promise<unknown>)()
            answered += 1
            if (began !== restarted) across += 1
          }
        }
        const askers = Promise.all(Array.from({ length: 200 }, (_, n) => asker(n)))
        const restart = async (): Promise<void> => {
          await until(() => answered > 300)
          await daemon.end(how)
          await daemon.start()
          restarted = true
        }
        await Promise.all([askers, restart()])
        assert.equal(across, 200, 'each asker was waiting while there was no daemon')
        assert.ok(ring.healthy())
      })

    it('hangs fails every question in its time, closes the door, and is forgiven once it answers', async () => {
      const hasty = await open({ timeoutMs: 300 })
      const [codes] = hasty.current().codes
      await codes('before')
      daemon.signal('SIGSTOP')
      try {
        const started = performance.now()
        await Promise.all(many(hasty.current(), 40).map((question) => assert.rejects(question, unavailable)))
        assert.ok(performance.now() - started < 20 * 300, 'not one after the other')
        assert.equal(hasty.healthy(), false)
        // Nobody waits for a daemon that is known to say nothing.
        let shortest = Infinity
        for (let tries = 0; tries < 10 && shortest >= 100; tries += 1) {
          const refused = performance.now()
          await assert.rejects(codes('while it hangs'), unavailable)
          shortest = Math.min(shortest, performance.now() - refused)
        }
        assert.ok(shortest < 100)
      } finally {
        daemon.signal('SIGCONT')
      }
      await until(() => hasty.healthy())
      assert.equal((await codes('after')).length, 32)
      await hasty.close()
    })

    it('is gone makes the server unhealthy, and its return healthy', async () => {
      const faults: unknown[] = []
      const hasty = await open({ timeoutMs: 300, onFault: (error) => faults.push(error) })
      await daemon.end('SIGKILL')
      await until(() => !hasty.healthy())
      await assert.rejects(hasty.current().rows('x'), unavailable)
      assert.equal(faults.length, 1, 'each loss is told once')
      assert.ok(unavailable(faults[0]))
      await daemon.start()
      await until(() => hasty.healthy())
      assert.equal((await hasty.current().rows('x')).length, 32)
      await hasty.close()
    })
  })

  it('refuses at once what it could only let wait', async () => {
    const busy = await open({ outstanding: 8 })
    const signer = active(SGD_SM3_SM2, busy.current())
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => signer.sign(Buffer.from('x'))))
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    // The daemon's own heartbeat may have had a place too.
    assert.ok(refused.length === 42 || refused.length === 43, String(refused.length))
    for (const outcome of refused) assert.ok(outcome.status === 'rejected' && unavailable(outcome.reason))
    await signer.sign(Buffer.from('there is room again'))
    await busy.close()
  })

  it('refuses a text that is too long for the daemon, and goes on', async () => {
    const { rows } = ring.current()
    await assert.rejects(rows('x'.repeat(300_000)), (error) => isAppError(error, 'internal'))
    assert.equal((await rows('x'.repeat(200_000))).length, 32)
  })

  it('answers what is asked after closing with a refusal', async () => {
    const closed = await open()
    const underWay = assert.rejects(closed.current().rows('x'), unavailable)
    await closed.close()
    await underWay
  })

  describe('takes up changed keys', () => {
    it('while the server runs, and the old ones are still asked for by name', async () => {
      const [first, second] = await Promise.all([newKeySeed(), newKeySeed()])
      const [old, changed] = [await softwareKeys(first), await softwareKeys(second)]
      const keys = ringOf(old)
      const socket = join(newDirectory(), 'run', 'keys')
      const beside = await createDaemon(keys, { socket, deadlineMs: 1000 })
      const follower = await open({ socket })
      const before = active(SGD_SM3_SM2, follower.current())

      const told = new Promise<void>((done) => follower.onChange(done))
      const states = [
        ...changed.signers,
        ...old.signers.map(({ key }) => ({ key, state: 'retired' as const })),
      ] as const
      keys.change({ ...changed, signers: states, index: [{ version: 2, mac: changed.rows }, ...old.index] })
      await told
      const now = follower.current()
      assert.deepEqual(
        now.signers.map(({ key, state }) => [key.kid, state]),
        states.map(({ key, state }) => [key.kid, state]),
      )
      assert.deepEqual(
        now.index.map(({ version }) => version),
        [2, 1],
      )
      await before.sign(Buffer.from('begun before'))

      keys.change(changed)
      await assert.rejects(before.sign(Buffer.from('gone')), unavailable)
      await Promise.all([follower.close(), beside.close()])
    })
  })

  describe('does not start', () => {
    const opening = (settings: Partial<DaemonSettings>) => open({ startMs: 200, ...settings })
    const says = (code: 'key_unavailable' | 'config_invalid', text: RegExp) => (error: unknown) =>
      isAppError(error, code) && text.test(error.detail ?? '')

    it('without a daemon, and says what to do', () =>
      assert.rejects(opening({ socket: join(newDirectory(), 'keys') }), says('key_unavailable', /npm run key-daemon/)))

    it('in a directory where others could put a socket of theirs', async () => {
      const directory = newDirectory()
      for (const mode of [0o777, 0o755, 0o770, 0o701]) {
        chmodSync(directory, mode)
        await assert.rejects(
          opening({ socket: join(directory, 'keys') }),
          says('config_invalid', /chmod 700/),
          String(mode),
        )
      }
    })

    it('with a path that no socket can have', () =>
      assert.rejects(opening({ socket: join(newDirectory(), 'k'.repeat(108)) }), says('config_invalid', /too long/)))

    const strangers: readonly (readonly [string, Buffer, RegExp])[] = [
      ['speaks another version', frame({ ...hello, version: 2 }), /version 2/],
      ['is something else', frame({ hello: 'someone' }), /is no key daemon/],
      ['says what is no message', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /no possible length/],
      ['says what is no JSON', Buffer.from([0, 0, 0, 2, 0x7b, 0x7b]), /not JSON/],
      ['describes other keys', frame({ ...hello, keys: { signers: [] } }), /describes its keys/],
      ['says nothing', Buffer.alloc(0), /says nothing/],
    ]
    for (const [what, said, expected] of strangers)
      it(`with one that ${what}`, async () => {
        const socket = join(newDirectory(), 'keys')
        const stranger = createServer((connection) => {
          connection.on('error', () => undefined)
          connection.write(said)
        })
        await new Promise<void>((done) => stranger.listen(socket, done))
        chmodSync(dirname(socket), 0o700)
        await assert.rejects(opening({ socket, timeoutMs: 100 }), says('key_unavailable', expected))
        stranger.close()
      })
  })
})
