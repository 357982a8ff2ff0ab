import assert from 'node:assert/strict'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { createFailOver } from '#src/verifiers/sms/fail-over.ts'
import type { SmsGateway, SmsText } from '#src/verifiers/sms/gateway.ts'

const phone = '+8619900000001'
const text: SmsText = { template: 'code', locale: 'zh', variables: { code: '012345' }, order: ['code'], text: '012345' }

interface Played extends SmsGateway {
  way: 'takes' | 'fails' | 'refuses' | 'hangs'
  asked: number
  readonly given: number[]
  closed: boolean
}

function played(name: string): Played {
  return {
    ...{ name, way: 'takes', asked: 0, given: [], closed: false },
    async send(_phone, _text, withinMs = 0) {
      this.asked += 1
      this.given.push(withinMs)
      if (this.way === 'fails') throw new PeerFailure('status 503')
      if (this.way === 'refuses') throw new PeerRefusal('code x')
      if (this.way === 'hangs') return new Promise(() => undefined)
      return { reference: `r-${this.asked}` }
    },
    async close() {
      this.closed = true
    },
  }
}

describe('gateways in order', () => {
  let now = 0
  let first: Played
  let second: Played
  let failed: (readonly [string, unknown])[]
  const make = (timeoutMs = 5_000, failures = 3) =>
    createFailOver(
      [first, second].map((gateway) => ({ gateway, timeoutMs })),
      { failures, pauseMs: 1_000, now: () => now, onFailure: (...failure) => failed.push(failure) },
    )
  beforeEach(() => {
    ;[now, failed] = [0, []]
    ;[first, second] = [played('first'), played('second')]
  })

  it('asks the first alone while it takes texts, and says which it was', async () => {
    assert.deepEqual(await make().send(phone, text), { reference: 'first:r-1' })
    assert.deepEqual([first.asked, second.asked, failed.length], [1, 0, 0])
  })

  for (const way of ['fails', 'refuses'] as const)
    it(`asks the next where one ${way}, and tells why`, async () => {
      first.way = way
      assert.deepEqual(await make().send(phone, text), { reference: 'second:r-1' })
      assert.deepEqual([first.asked, failed.map(([name]) => name)], [1, ['first']])
    })

  it('asks the next where the first does not answer, and has time left for it', async () => {
    first.way = 'hangs'
    const started = performance.now()
    assert.deepEqual(await make().send(phone, text, 400), { reference: 'second:r-1' })
    assert.ok(performance.now() - started < 350)
    assert.ok((second.given[0] ?? 0) > 150, String(second.given))
  })

  it('gives what one that failed at once did not use to those behind, and none more than its own time', async () => {
    first.way = 'fails'
    await make().send(phone, text, 2_000)
    assert.ok((second.given[0] ?? 0) > 1_700)
    await make(300).send(phone, text, 2_000)
    assert.ok((second.given[1] ?? 1_000) <= 300)
  })

  it('fails in time where all hang, before whoever asked gives up', async () => {
    first.way = second.way = 'hangs'
    const started = performance.now()
    await assert.rejects(make().send(phone, text, 300))
    assert.ok(performance.now() - started < 300)
  })

  it('leaves one alone after failures in a row, asks the other, and tries it again after the pause', async () => {
    first.way = 'fails'
    const gateways = make()
    for (let count = 0; count < 5; count += 1) await gateways.send(phone, text)
    assert.deepEqual([first.asked, second.asked], [3, 5])
    assert.equal(gateways.down?.(), false)
    now = 1_000
    first.way = 'takes'
    assert.deepEqual(await gateways.send(phone, text), { reference: 'first:r-4' })
    assert.deepEqual(await gateways.send(phone, text), { reference: 'first:r-5' })
  })

  it('is down when all are left alone, and asks none', async () => {
    first.way = second.way = 'fails'
    const gateways = make()
    for (let count = 0; count < 3; count += 1) await assert.rejects(gateways.send(phone, text), PeerFailure)
    assert.equal(gateways.down?.(), true)
    await assert.rejects(gateways.send(phone, text), PeerFailure)
    assert.deepEqual([first.asked, second.asked], [3, 3])
    now = 1_000
    assert.equal(gateways.down?.(), false)
  })

  it('does not leave one alone because it refuses numbers, and says a refusal only where all refuse', async () => {
    first.way = second.way = 'refuses'
    const gateways = make()
    for (let count = 0; count < 5; count += 1) await assert.rejects(gateways.send(phone, text), PeerRefusal)
    assert.deepEqual([first.asked, second.asked, gateways.down?.()], [5, 5, false])
    second.way = 'fails'
    await assert.rejects(gateways.send(phone, text), (error) => !(error instanceof PeerRefusal))
  })

  it('closes all', async () => {
    await make().close?.()
    assert.deepEqual([first.closed, second.closed], [true, true])
  })
})
