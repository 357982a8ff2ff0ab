import { strict as assert } from 'node:assert'
import { askPeer, PeerRefusal } from '#src/peers/signed-http.ts'
import { createHttpRegister } from '#src/register/http-register.ts'
import { withBreaker } from '#src/register/breaker.ts'
import { isAppError } from '#src/errors.ts'
import type { PopulationRegister } from '#src/identity/registry.ts'
import { createHttpGateway } from '#src/verifiers/sms/http-gateway.ts'
import { codeText } from '#src/verifiers/sms/texts.ts'
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
    await assert.rejects(askPeer(at('/x', { key: Buffer.alloc(32) }), {}), /not signed by the peer/)
    await assert.rejects(
      askPeer(at('/x'), {}, () => Date.now() - 120_000),
      PeerRefusal,
    )
  })

  it('believes no answer that is unsigned, altered, too long or late', async () => {
    await assert.rejects(askPeer(at('/unsigned'), {}), /not signed by the peer/)
    await assert.rejects(askPeer(at('/forged'), {}), /not signed by the peer/)
    await assert.rejects(askPeer(at('/long'), {}), /too long/)
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
    assert.deepEqual(await register.changes(undefined, 10), { changes: [], cursor: 'c1' })
    for (const url of [`${peer.url}/unsigned`, `${peer.url}/nonsense`, 'http://127.0.0.1:9']) {
      const broken = createHttpRegister({ url, key: peer.key, timeoutMs: 500 })
      await assert.rejects(broken.changes(undefined, 1), (error) => isAppError(error, 'register_unavailable'))
    }
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
