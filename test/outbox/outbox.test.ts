import { strict as assert } from 'node:assert'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { createOutbox, pauseAfter, type Handler, type Outbox } from '#src/outbox/outbox.ts'
import { postForm } from '#src/peers/registered-address.ts'
import { AppError } from '#src/errors.ts'
import { openStorage } from '#src/storage/open.ts'
import type { Deliveries, Json, Storage } from '#src/storage/storage.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const hour = 3_600_000
const start = Date.parse('2026-01-01T00:00:00Z')

describe('The outbox', () => {
  const directory = temporaryDirectories()
  let now = start
  let storage: Storage
  let faults: { kind: string; buried: boolean }[] = []

  beforeEach(async () => {
    now = start
    faults = []
    storage = await openStorage({ kind: 'sqlite', file: ':memory:' }, () => now)
  })
  afterEach(() => storage.close())

  const open = (deliveries: Deliveries = storage.deliveries): Outbox =>
    createOutbox({
      storage: { deliveries },
      giveUpAfterMs: 24 * hour,
      now: () => now,
      onFault: (kind, _error, buried) => void faults.push({ kind, buried }),
    })

  /** A handler that notes when it was called, and fails as long as told. */
  function receiver(fails: () => boolean = () => false) {
    const calls: { at: number; id: string; payload: Json }[] = []
    const handler: Handler = async ({ id, payload }) => {
      calls.push({ at: now, id, payload })
      if (fails()) throw new Error('the application answered 503')
    }
    return { calls, handler }
  }

  it('hands the payload to the handler of its kind, and keeps nothing afterwards', async () => {
    const [notices, texts] = [receiver(), receiver()]
    const outbox = open()
    outbox.handle('notice', notices.handler)
    outbox.handle('text', texts.handler)
    await outbox.enqueue('notice', [{ to: '一号', n: 1 }, { n: 2 }])
    await outbox.enqueue('text', [])
    await outbox.drain()
    assert.deepEqual(
      notices.calls.map(({ payload }) => payload),
      [{ to: '一号', n: 1 }, { n: 2 }],
    )
    assert.equal(texts.calls.length, 0)
    assert.deepEqual(await storage.deliveries.counts(), { waiting: 0, buried: 0 })
  })

  it('tries again with growing pauses, under one id, until it arrives', async () => {
    const { calls, handler } = receiver(() => now < start + hour)
    const outbox = open()
    outbox.handle('notice', handler)
    await outbox.enqueue('notice', [{}])
    for (; calls.length < 8 && now < start + 2 * hour; now += 500) await outbox.drain()
    const pauses = calls.slice(1).map(({ at }, index) => at - (calls[index]?.at ?? 0))
    assert.deepEqual(pauses, [1_000, 5_000, 30_000, 120_000, 600_000, 1_800_000, 1_800_000])
    assert.equal(new Set(calls.map(({ id }) => id)).size, 1)
    assert.deepEqual(await storage.deliveries.counts(), { waiting: 0, buried: 0 })
    assert.equal(faults.length, 7)
  })

  it('repeats the longest pause', () => assert.equal(pauseAfter(1000), 1_800_000))

  it('buries what did not arrive in time, and never takes it again', async () => {
    const { calls, handler } = receiver(() => true)
    const outbox = open()
    outbox.handle('notice', handler)
    await outbox.enqueue('notice', [{}])
    for (; now <= start + 26 * hour; now += 60_000) await outbox.drain()
    const last = calls.at(-1)?.at ?? 0
    assert.ok(last >= start + 24 * hour && last < start + 25 * hour)
    assert.deepEqual(await storage.deliveries.counts(), { waiting: 0, buried: 1 })
    assert.deepEqual(faults.at(-1), { kind: 'notice', buried: true })
    assert.equal(faults.filter(({ buried }) => buried).length, 1)
  })

  it('keeps what nobody sends yet until somebody does', async () => {
    const outbox = open()
    await outbox.enqueue('notice', [{}])
    await outbox.drain()
    const { calls, handler } = receiver()
    outbox.handle('notice', handler)
    now += 1_000
    await outbox.drain()
    assert.equal(calls.length, 1)
  })

  it('does not let one that fails hold up the others', async () => {
    const outbox = open()
    const calls: Json[] = []
    outbox.handle('notice', async ({ payload }) => {
      if (payload === 0) throw new Error('no')
      calls.push(payload)
    })
    await outbox.enqueue(
      'notice',
      Array.from({ length: 50 }, (_, n) => n),
    )
    await outbox.drain()
    assert.equal(calls.length, 49)
    assert.deepEqual(await storage.deliveries.counts(), { waiting: 1, buried: 0 })
  })

  it('buries at once what is damaged in the store, and sends the rest', async () => {
    const { calls, handler } = receiver()
    const outbox = open()
    outbox.handle('notice', handler)
    await storage.deliveries.enqueue([{ id: 'damaged', kind: 'notice', payload: '{', dueAt: now }])
    await outbox.enqueue('notice', [{}])
    await outbox.drain()
    assert.equal(calls.length, 1)
    assert.deepEqual(await storage.deliveries.counts(), { waiting: 0, buried: 1 })
  })

  it('sends again after the lease what a store that failed could not note as done', async () => {
    let fail = true
    const { calls, handler } = receiver()
    const outbox = open({
      ...storage.deliveries,
      done: (id) => (fail ? Promise.reject(new AppError('storage_unavailable')) : storage.deliveries.done(id)),
      retry: (...given) =>
        fail ? Promise.reject(new AppError('storage_unavailable')) : storage.deliveries.retry(...given),
    })
    outbox.handle('notice', handler)
    await outbox.enqueue('notice', [{}, {}])
    await assert.rejects(outbox.drain())
    assert.equal(calls.length, 2)
    fail = false
    await outbox.drain()
    assert.equal(calls.length, 2, 'the lease holds')
    now += 30_000
    await outbox.drain()
    assert.equal(calls.length, 4)
    assert.deepEqual(await storage.deliveries.counts(), { waiting: 0, buried: 0 })
  })

  it('sends each delivery once although many ask for a sweep at the same time', async () => {
    const { calls, handler } = receiver()
    const outbox = open()
    outbox.handle('notice', handler)
    await outbox.enqueue(
      'notice',
      Array.from({ length: 30 }, (_, n) => n),
    )
    await Promise.all(Array.from({ length: 20 }, () => outbox.drain()))
    assert.equal(calls.length, 30)
    assert.equal(new Set(calls.map(({ id }) => id)).size, 30)
  })

  it('sends by itself once started, and what comes later at once', async () => {
    const { calls, handler } = receiver()
    const outbox = open()
    outbox.handle('notice', handler)
    await outbox.enqueue('notice', [1])
    await setImmediate()
    assert.equal(calls.length, 0)
    outbox.start()
    while (calls.length < 1) await setImmediate()
    await outbox.enqueue('notice', [2])
    while (calls.length < 2) await setImmediate()
    await outbox.close()
    assert.deepEqual(
      calls.map(({ payload }) => payload),
      [1, 2],
    )
  })

  it('finishes what it is sending when it is closed, and takes nothing more', async () => {
    const outbox = open()
    const sent: Json[] = []
    let go = () => {}
    const gate = new Promise<void>((done) => (go = done))
    outbox.handle('notice', async ({ payload }) => {
      await gate
      sent.push(payload)
    })
    await outbox.enqueue(
      'notice',
      Array.from({ length: 45 }, (_, n) => n),
    )
    outbox.start()
    await setImmediate()
    await setImmediate()
    const closed = outbox.close()
    go()
    await closed
    assert.equal(sent.length, 20)
    assert.equal((await storage.deliveries.counts()).waiting, 25)
  })

  it('survives the end of the process: what was stored is sent by the next', async () => {
    const file = join(directory(), 'yihao.db')
    const first = await openStorage({ kind: 'sqlite', file }, () => now)
    const before = createOutbox({ storage: first, giveUpAfterMs: hour, now: () => now })
    before.handle('notice', () => Promise.reject(new Error('down')))
    await before.enqueue('notice', [{ n: 1 }])
    await before.drain()
    await before.close()
    await first.close()

    const second = await openStorage({ kind: 'sqlite', file }, () => now)
    const { calls, handler } = receiver()
    const after = createOutbox({ storage: second, giveUpAfterMs: hour, now: () => now })
    after.handle('notice', handler)
    await after.drain()
    assert.equal(calls.length, 0, 'its pause goes on')
    now += 1_000
    await after.drain()
    assert.deepEqual(
      calls.map(({ payload }) => payload),
      [{ n: 1 }],
    )
    await second.close()
  })

  it('reaches a real application that answers only the third time', async () => {
    let asked = 0
    const bodies: string[] = []
    const server = createServer((request, response) => {
      asked += 1
      request.on('data', (part: Buffer) => bodies.push(part.toString()))
      request.on('end', () => response.writeHead(asked < 3 ? 503 : 200).end())
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const address = `http://localhost:${(server.address() as AddressInfo).port}/logout`
    const outbox = open()
    outbox.handle('notice', async ({ payload }) => {
      const status = await postForm(
        address,
        { token: String(payload) },
        { internalHosts: ['localhost'], timeoutMs: 2000 },
      )
      if (status !== 200) throw new Error(`the application answered ${status}`)
    })
    await outbox.enqueue('notice', ['t'])
    for (let n = 0; n < 20; n += 1, now += 1_000) await outbox.drain()
    assert.equal(asked, 3)
    assert.deepEqual(bodies, ['token=t', 'token=t', 'token=t'])
    server.close()
  })
})
