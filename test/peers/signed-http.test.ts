import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSharedKey } from '#src/peers/shared-key.ts'
import { askPeer, PeerFailure, PeerRefusal, type SignedPeer } from '#src/peers/signed-http.ts'
import { createHttpRegister } from '#src/register/http-register.ts'
import { withBreaker } from '#src/register/breaker.ts'
import { isAppError } from '#src/errors.ts'
import type { PopulationRegister } from '#src/identity/registry.ts'
import { createHttpGateway } from '#src/verifiers/sms/http-gateway.ts'
import { codeText } from '#src/verifiers/sms/texts.ts'
import { freePorts } from '../support/demo-city.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { startPeer, type Peer } from '../support/signed-peer.ts'

describe('signed HTTP with a peer in another language', () => {
  let peer: Peer
  before(async () => {
    peer = await startPeer()
  })
  after(() => peer.close())

  const at = (path: string, more: { retries?: number; timeoutMs?: number; key?: Buffer } = {}) => ({
    url: `${peer.url}${path}`,
    key: peer.key,
    timeoutMs: 2_000,
    retries: 0,
    ...more,
  })

  it('is understood and answered', async () => {
    assert.deepEqual(await askPeer(at('/x'), { a: '甲' }), { reference: 'r-2' })
    assert.deepEqual((await peer.seen()).at(-1), { path: '/x', question: { a: '甲' } })
  })

  it('is refused with another key, and with a clock far off', async () => {
    await assert.rejects(askPeer(at('/x', { key: Buffer.alloc(32) }), {}), /not-signed/)
    await assert.rejects(
      askPeer(at('/x'), {}, () => Date.now() - 120_000),
      PeerRefusal,
    )
  })

  it('believes no answer that is unsigned, altered, too long or late', async () => {
    await assert.rejects(askPeer(at('/unsigned'), {}), /not-signed/)
    await assert.rejects(askPeer(at('/forged'), {}), /not-signed/)
    await assert.rejects(askPeer(at('/long'), {}), /too-long/)
    const start = performance.now()
    await assert.rejects(askPeer(at('/hang', { timeoutMs: 300 }), {}))
    assert.ok(performance.now() - start < 2_000)
  })

  it('tries once more after a failure, and not after a refusal', async () => {
    assert.deepEqual(await askPeer(at('/flaky', { retries: 1 }), {}), { reference: 'r-2' })
    const before = (await peer.seen()).length
    await assert.rejects(askPeer(at('/refuse', { retries: 1 }), {}), PeerRefusal)
    assert.equal((await peer.seen()).length, before + 1)
  })

  it('says in a word why there is no answer, and quotes none', async () => {
    const reasons: readonly (readonly [SignedPeer, string])[] = [
      [at('/broken'), 'status 503'],
      [at('/refuse'), 'status 403'],
      [at('/unsigned'), 'not-signed'],
      [at('/long'), 'too-long'],
      [at('/torn'), 'not-json'],
      [at('/hang', { timeoutMs: 300 }), 'timeout'],
      [{ ...at(''), url: `http://127.0.0.1:${(await freePorts(1))[0]}/` }, 'connection ECONNREFUSED'],
    ]
    for (const [asked, reason] of reasons)
      await assert.rejects(askPeer(asked, {}), (error) => {
        assert.ok(error instanceof PeerFailure, String(error))
        assert.equal(error.detail, reason)
        assert.equal(error.cause, undefined)
        return true
      })
  })

  it('carries a text to an SMS gateway, under the same id at a second try', async () => {
    const text = codeText({
      code: '000000',
      minutes: 5,
      claim: { locale: 'zh', purpose: '社保查询' },
      city: { zh: '示例市', en: 'Example City' },
    })
    const gateway = createHttpGateway({ url: `${peer.url}/sms`, key: peer.key, timeoutMs: 2_000 })
    assert.deepEqual(await gateway.send('+8619900000001', text), { reference: 'r-1' })
    const flaky = createHttpGateway({ url: `${peer.url}/flaky`, key: peer.key, timeoutMs: 2_000 })
    await flaky.send('+8619900000001', text)
    const [first, second] = (await peer.seen()).slice(-2).map(({ question }) => question)
    assert.equal(first?.['id'], second?.['id'])
    assert.deepEqual(second?.['order'], ['code', 'purpose', 'minutes'])
  })

  it('asks a population register, and calls everything that goes wrong unavailable', async () => {
    const register = createHttpRegister({ url: `${peer.url}/register`, key: peer.key, timeoutMs: 2_000 })
    const query = { kind: 'resident-id-card', number: '690101199203051010', name: '刘䶮' } as const
    assert.deepEqual(await register.check({ ...query, phone: '+8619900000001' }), { result: 'match', phone: 'match' })
    assert.deepEqual(await register.check({ ...query, phone: '+8619900000002' }), {
      result: 'match',
      phone: 'mismatch',
    })
    assert.deepEqual(await register.check({ ...query, name: '刘奕' }), { result: 'mismatch' })
    for (const [url, why] of [
      [`${peer.url}/nonsense`, /^changes: malformed$/],
      [`http://127.0.0.1:${(await freePorts(1))[0]}`, /^changes: connection ECONNREFUSED$/],
    ] as const) {
      const broken = createHttpRegister({ url, key: peer.key, timeoutMs: 500 })
      await assert.rejects(broken.changes(undefined, 1), (error) => {
        assert.ok(isAppError(error, 'register_unavailable'))
        assert.match(error.detail ?? '', why)
        return true
      })
    }
    await peer.behave('/unsigned')
    await assert.rejects(register.check(query), /check: not-signed/)
    await peer.behave('')
  })
})

describe('the key shared with a peer', () => {
  const directory = temporaryDirectories()
  const file = (text: string, mode = 0o600): string => {
    const path = join(directory(), 'peer.key')
    writeFileSync(path, text, { mode })
    return path
  }

  it('is 32 random bytes in base64url, as the README makes them', () => {
    const key = randomBytes(32)
    assert.deepEqual(readSharedKey(file(`${key.toString('base64url')}\n`)), key)
  })

  it('is refused with the remedy in hex, too short, open to others or not there', () => {
    const refusals: readonly (readonly [string, RegExp])[] = [
      [file(randomBytes(32).toString('hex')), /is hex; it must be base64url/],
      [file(randomBytes(32).toString('hex').toUpperCase()), /is hex/],
      [file(randomBytes(16).toString('base64url')), /at least 32 random bytes/],
      [file(randomBytes(32).toString('base64url'), 0o640), /chmod 600/],
      ['/nonexistent/peer.key', /cannot be read/],
    ]
    for (const [path, remedy] of refusals)
      assert.throws(
        () => readSharedKey(path),
        (error) => {
          assert.ok(isAppError(error, 'key_invalid'))
          assert.match(error.detail ?? '', remedy)
          return true
        },
      )
  })
})

describe('the breaker of a register', () => {
  it('opens after failures in a row, answers at once, and lets one question through after the pause', async () => {
    let now = 0
    let broken = true
    let asked = 0
    const register: PopulationRegister = {
      name: 'x',
      check: async () => {
        asked += 1
        if (broken) throw new Error('down')
        return { result: 'mismatch' }
      },
      changes: async () => ({ changes: [], cursor: '' }),
    }
    const guarded = withBreaker(register, { failures: 3, pauseMs: 1_000, now: () => now })
    const query = { kind: 'resident-id-card', number: '', name: '' } as const
    for (let n = 0; n < 5; n += 1) await assert.rejects(guarded.check(query))
    assert.equal(asked, 3)
    now = 1_500
    await assert.rejects(guarded.check(query))
    assert.equal(asked, 4, 'one probe')
    await assert.rejects(guarded.check(query))
    assert.equal(asked, 4)
    broken = false
    now = 3_000
    const answers = await Promise.allSettled([guarded.check(query), guarded.check(query)])
    assert.deepEqual(answers.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    assert.deepEqual(await guarded.check(query), { result: 'mismatch' })
  })
})
