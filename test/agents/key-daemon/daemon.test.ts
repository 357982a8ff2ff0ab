/** The key daemon at its socket: who may reach it, what it answers, and what hostile or broken peers cannot do to it. */
import { strict as assert } from 'node:assert'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { createDaemon, type Daemon, type DaemonOptions } from '#src/agents/key-daemon/daemon.ts'
import { openDaemonRing } from '#src/crypto/daemon/ring.ts'
import { frame, hello, maxFrameBytes } from '#src/crypto/daemon/wire.ts'
import type { Keys } from '#src/crypto/keys.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { daemonProcess } from '../../support/key-daemon-process.ts'
import { rawSocket } from '../../support/raw-socket.ts'
import { newKeySeed, ringOf, softwareKeys, type KeySeed } from '../../support/software-ring.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

const text = (value: string) => Buffer.from(value).toString('base64url')
const health = (id: number) => ({ id, op: 'health' })

describe('Key daemon', function () {
  this.timeout(30_000)
  const newDirectory = temporaryDirectories()
  let seed: KeySeed
  let keys: Keys
  before(async () => {
    seed = await newKeySeed()
    keys = await softwareKeys(seed)
  })

  let daemons: Daemon[] = []
  let faults: unknown[] = []
  afterEach(async () => {
    await Promise.all(daemons.map((daemon) => daemon.close()))
    daemons = []
    faults = []
  })

  async function daemonFor(over: Partial<Keys> = {}, options: Partial<DaemonOptions> = {}): Promise<string> {
    const socket = options.socket ?? join(newDirectory(), 'run', 'keys')
    const all = { deadlineMs: 2000, onFault: (error: unknown) => faults.push(error), ...options, socket }
    daemons.push(await createDaemon(ringOf({ ...keys, ...over }), all))
    return socket
  }

  describe('at its socket', () => {
    const refuses = (work: Promise<unknown>, says: RegExp) =>
      assert.rejects(work, (error) => isAppError(error, 'config_invalid') && says.test(error.detail ?? ''))

    it('lets its own user in and nobody else, in a directory that it makes', async () => {
      const socket = await daemonFor()
      assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700)
      assert.equal(statSync(socket).mode & 0o777, 0o600)
    })

    it('lets the group in where its directory does', async () => {
      const directory = newDirectory()
      chmodSync(directory, 0o750)
      const socket = await daemonFor({}, { socket: join(directory, 'keys') })
      assert.equal(statSync(socket).mode & 0o777, 0o660)
      assert.equal(statSync(directory).mode & 0o777, 0o750)
    })

    it('refuses a directory that others get at', async () => {
      const directory = newDirectory()
      for (const mode of [0o777, 0o755, 0o770]) {
        chmodSync(directory, mode)
        await refuses(daemonFor({}, { socket: join(directory, 'keys') }), /chmod 700/)
      }
    })

    it('refuses the path of what is no socket, and leaves it alone', async () => {
      const socket = join(newDirectory(), 'keys')
      writeFileSync(socket, 'a file')
      await refuses(daemonFor({}, { socket }), /something else/)
      assert.equal(readFileSync(socket, 'utf8'), 'a file')
    })

    it('refuses a second daemon, in this process and in another, and does not disturb the first', async () => {
      const process = await daemonProcess(newDirectory())
      await process.start()
      const ring = await openDaemonRing({ socket: process.socket, timeoutMs: 2000 })
      await refuses(daemonFor({}, { socket: process.socket }), /another key daemon/)
      assert.equal((await ring.current().codes[0]('still there')).length, 32)
      await ring.close()
      await process.end('SIGTERM')

      const socket = await daemonFor({}, { socket: process.socket })
      await refuses(daemonFor({}, { socket }), /another key daemon/)
      await rawSocket(socket)
    })

    it('takes the place of one that was killed, and leaves no socket when it ends in order', async () => {
      const process = await daemonProcess(newDirectory())
      await process.start()
      await process.end('SIGKILL')
      assert.ok(existsSync(process.socket), 'a killed daemon leaves its socket')
      await process.start()
      await rawSocket(process.socket)
      assert.equal(await process.end('SIGTERM'), 0)
      assert.ok(!existsSync(process.socket))
    })
  })

  describe('answers', () => {
    it('each question once, by its number', async () => {
      const raw = await rawSocket(await daemonFor())
      for (const id of [7, 3, 9]) raw.say(health(id))
      const answers = [await raw.next(), await raw.next(), await raw.next()]
      assert.deepEqual(
        answers,
        [7, 3, 9].map((id) => ({ id, result: true })),
      )
    })

    it('"unknown" for every name that is none of its keys', async () => {
      const raw = await rawSocket(await daemonFor())
      const kid = keys.audit.kid
      for (const [question, error] of [
        [{ op: 'sign', kid: 'nobody', data: '' }, 'unknown'],
        [{ op: 'sign', kid: '__proto__', data: '' }, 'unknown'],
        [{ op: 'sign', kid: `${kid} `, data: '' }, 'unknown'],
        [{ op: 'decrypt', kid, data: '' }, 'unknown'],
        [{ op: 'mac', name: 'index.2', text: '' }, 'unknown'],
        [{ op: 'unwrap', wrapped: '1.AAAA', context: 'c' }, 'invalid'],
      ] as const) {
        raw.say({ id: 1, ...question })
        assert.deepEqual(await raw.next(), { id: 1, error })
      }
    })

    it('nothing of why a key failed, and logs nothing of what it was asked', async () => {
      const decrypter = {
        ...{ alg: 'SGD_SM2_3', kid: 'enc' },
        publicJwk: { kty: 'EC', kid: 'enc', alg: 'SGD_SM2_3', use: 'enc' as const },
        decrypt: async (bytes: Uint8Array) => {
          if (bytes.length === 1) throw new AppError('sealed_value_invalid', { detail: 'padding' })
          if (bytes.length === 2) throw new Error('the point is not on the curve')
          return Buffer.from('content key')
        },
      }
      const raw = await rawSocket(await daemonFor({ decrypters: [{ key: decrypter, state: 'retired' }] }))
      const ask = async (data: string) => {
        raw.say({ id: 1, op: 'decrypt', kid: 'enc', data: text(data) })
        return raw.next()
      }
      assert.deepEqual(await ask('a'), { id: 1, error: 'invalid' })
      assert.deepEqual(await ask('bb'), { id: 1, error: 'failed' })
      assert.deepEqual(await ask('ccc'), { id: 1, result: text('content key') })
      assert.equal(faults.length, 1)
    })

    it('"late" for a key that hangs, and "busy" at once while too many do', async () => {
      const stuck: ((mac: Buffer) => void)[] = []
      const rows = () => new Promise<Buffer>((done) => stuck.push(done))
      const raw = await rawSocket(await daemonFor({ rows }, { deadlineMs: 100, outstanding: 3 }))
      const ask = (id: number) => raw.say({ id, op: 'mac', name: 'rows', text: '' })
      for (const id of [1, 2, 3, 4]) ask(id)
      assert.deepEqual(await raw.next(), { id: 4, error: 'busy' })
      for (const id of [1, 2, 3]) assert.deepEqual(await raw.next(), { id, error: 'late' })
      // A key that does not come back keeps its place: nobody joins a queue that does not move.
      ask(5)
      assert.deepEqual(await raw.next(), { id: 5, error: 'busy' })
      for (const done of stuck) done(Buffer.alloc(32))
      await sleep(0)
      raw.say(health(6))
      assert.deepEqual(await raw.next(), { id: 6, result: true })
    })

    it('another server while one keeps it busy', async () => {
      const stuck = Promise.withResolvers<Buffer>()
      const socket = await daemonFor({ rows: () => stuck.promise }, { deadlineMs: 5000, outstanding: 2 })
      const [one, other] = [await rawSocket(socket), await rawSocket(socket)]
      for (const id of [1, 2]) one.say({ id, op: 'mac', name: 'rows', text: '' })
      other.say(health(1))
      assert.deepEqual(await other.next(), { id: 1, result: true })
      stuck.resolve(Buffer.alloc(32))
    })

    it('what it was asked before it was told to end', async () => {
      const slow = Promise.withResolvers<Buffer>()
      const raw = await rawSocket(await daemonFor({ rows: () => slow.promise }))
      raw.say({ id: 1, op: 'mac', name: 'rows', text: '' })
      raw.say(health(2))
      assert.deepEqual(await raw.next(), { id: 2, result: true })
      const closed = daemons.pop()?.close()
      slow.resolve(Buffer.alloc(32))
      assert.deepEqual(await raw.next(), { id: 1, result: Buffer.alloc(32).toString('base64url') })
      await closed
      assert.deepEqual(await raw.ended(), [])
    })
  })

  it('describes no key that would tell more than its public half', async () => {
    const [jwk] = seed.signing
    const open = { ...keys.audit, publicJwk: { ...keys.audit.publicJwk, d: jwk?.d } }
    const raw = await rawSocket(await daemonFor({ audit: open }), false)
    raw.say(hello)
    assert.deepEqual(await raw.ended(), [])
    assert.equal(faults.length, 1)
    assert.ok(!String(faults[0]).includes(String(jwk?.d)))
  })

  describe('ends the connection of a peer, and none beside it, that', () => {
    const question = { id: 1, op: 'sign', kid: 'k', data: '' }
    const hostile: readonly (readonly [string, boolean, Uint8Array])[] = [
      ['says no hello', false, frame(health(1))],
      ['says a hello of something else', false, frame({ ...hello, hello: 'yihao' })],
      ['says hello twice', true, frame(hello)],
      ['says something that is no question', true, frame({ id: 1, op: 'export', kid: 'k' })],
      ['asks with a further member', true, frame({ ...question, extra: 1 })],
      ['asks without a number', true, frame({ op: 'health' })],
      ['asks with a number that is none', true, frame({ id: '1', op: 'health' })],
      ['asks for a MAC of no name', true, frame({ id: 1, op: 'mac', name: 'constructor', text: '' })],
      ['asks with bytes that are none', true, frame({ ...question, data: '+/=' })],
      ['says a list', true, frame([health(1)])],
      ['says null', true, frame(null)],
      ['says no JSON', true, Buffer.from([0, 0, 0, 3, 0x7b, 0x22, 0x61])],
      ['says a message without length', true, Buffer.from([0, 0, 0, 0])],
      ['announces more than may be said', true, Buffer.from([0, 4, 0, 1])],
      ['announces four gigabytes', true, Buffer.from([255, 255, 255, 255])],
      ['speaks HTTP', false, Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ]
    for (const [what, greet, bytes] of hostile)
      it(what, async () => {
        const socket = await daemonFor()
        const [bad, good] = [await rawSocket(socket, greet), await rawSocket(socket)]
        bad.write(bytes)
        assert.deepEqual(await bad.ended(), [])
        good.say(health(1))
        assert.deepEqual(await good.next(), { id: 1, result: true })
      })

    it('speaks another version, after telling it its own', async () => {
      const raw = await rawSocket(await daemonFor(), false)
      raw.say({ ...hello, version: 2 })
      assert.deepEqual(await raw.ended(), [hello])
    })

    it('says nothing, or begins a message and does not finish it', async () => {
      const socket = await daemonFor({}, { deadlineMs: 100 })
      const silent = await rawSocket(socket, false)
      const half = await rawSocket(socket)
      const good = await rawSocket(socket)
      half.write(frame(health(1)).subarray(0, 10))
      await Promise.all([silent.ended(), half.ended()])
      good.say(health(1))
      assert.deepEqual(await good.next(), { id: 1, result: true })
    })

    it('says anything else at all', async () => {
      const socket = await daemonFor({}, { deadlineMs: 50 })
      const good = await rawSocket(socket)
      await fc.assert(
        fc.asyncProperty(fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 200 }), async (greet, bytes) => {
          const bad = await rawSocket(socket, greet)
          bad.write(bytes)
          assert.deepEqual(await bad.ended(), [])
        }),
        { numRuns: 50 },
      )
      good.say(health(1))
      assert.deepEqual(await good.next(), { id: 1, result: true })
    })
  })

  it('understands a message in whatever pieces it comes', async () => {
    const raw = await rawSocket(await daemonFor())
    const longest = { id: 1, op: 'mac', name: 'rows', text: 'x'.repeat(maxFrameBytes - 60) }
    const bytes = Buffer.concat([frame(health(0)), frame(longest), frame(health(2))])
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 9973) {
      raw.write(bytes.subarray(at, at + size))
      if (at < 200) await sleep(0)
    }
    const answers = [await raw.next(), await raw.next(), await raw.next()] as { id: number; result: unknown }[]
    answers.sort((a, b) => a.id - b.id)
    const mac = (await keys.rows(longest.text)).toString('base64url')
    assert.deepEqual(
      answers.map(({ result }) => result),
      [true, mac, true],
    )
  })

  it('does not listen to a peer that takes no answers, until it does, and serves the others meanwhile', async () => {
    let wrapped = 0
    const wrap = async (): Promise<string> => {
      wrapped += 1
      return 'w'.repeat(10_000)
    }
    const socket = await daemonFor({ wrapper: { ...keys.wrapper, wrap } })
    const [deaf, good] = [await rawSocket(socket), await rawSocket(socket)]
    deaf.hear(false)
    const asked = 2000
    for (let id = 0; id < asked; id += 1) deaf.say({ id, op: 'wrap', data: 'x'.repeat(10_000), context: '' })
    for (let id = 0; id < 20; id += 1) {
      good.say(health(id))
      assert.deepEqual(await good.next(), { id, result: true })
    }
    assert.ok(wrapped > 0 && wrapped < 200, `${wrapped} answers wait in memory`)
    deaf.hear(true)
    for (let n = 0; n < asked; n += 1) await deaf.next()
    assert.equal(wrapped, asked)
  })
})
