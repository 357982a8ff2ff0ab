import assert from 'node:assert/strict'
import type { Limit } from '#src/login/throttle.ts'
import { openLoginRooms, type LoginRooms } from '../support/login-rooms.ts'

describe('the limits of sign-in', () => {
  let rooms: LoginRooms
  beforeEach(async () => {
    rooms = await openLoginRooms()
  })
  afterEach(() => rooms.close())

  const limits: readonly [Limit, (rooms: LoginRooms) => number, (rooms: LoginRooms) => number][] = [
    ['send-pause', () => 1, ({ config }) => config.verifiers.sms.resendAfter],
    ['send-day', ({ config }) => config.verifiers.sms.perPhoneDaily, () => 86_400],
    ['send-day-device', ({ config }) => config.verifiers.sms.perDeviceDaily, () => 86_400],
    ['unsent-day', ({ config }) => config.verifiers.sms.perPhoneDaily, () => 86_400],
    ['answer', ({ config }) => config.verifiers.sms.tries, ({ config }) => config.verifiers.sms.largeTypeValidity],
    ['failures-day', ({ config }) => config.login.failuresDaily, () => 86_400],
    ['failures-day-device', ({ config }) => config.login.deviceFailuresDaily, () => 86_400],
    ['register-phone', ({ config }) => config.login.registerChecksDaily, () => 86_400],
    ['register-number', ({ config }) => config.login.registerChecksDaily, () => 86_400],
    ['register-pair', () => 1, () => 86_400],
  ]

  for (const [limit, points, seconds] of limits) {
    it(`${limit} holds exactly under two hundred at once`, async () => {
      const tickets = await Promise.all(Array.from({ length: 200 }, () => rooms.throttle.take(limit, 'key')))
      assert.equal(tickets.filter(({ allowed }) => allowed).length, points(rooms))
      const left = tickets.flatMap((ticket) => (ticket.allowed ? [ticket.left] : []))
      assert.deepEqual(
        left.toSorted((a, b) => a - b),
        Array.from({ length: points(rooms) }, (_, index) => index),
      )
    })

    it(`${limit} says when it ends, ends then, and was not made longer by trying`, async () => {
      for (let count = points(rooms); count > 0; count -= 1) await rooms.throttle.take(limit, 'key')
      const windowMs = seconds(rooms) * 1000
      rooms.clock.advance(windowMs / 2)
      const refused = await rooms.throttle.take(limit, 'key')
      assert.ok(!refused.allowed)
      assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= windowMs / 2)
      rooms.clock.advance(refused.retryAfterMs + 1)
      assert.equal((await rooms.throttle.take(limit, 'key')).allowed, true)
    })
  }

  const lines: readonly [Limit, (rooms: LoginRooms) => number][] = [
    ['send-address', ({ config }) => config.login.perAddress.sends],
    ['failures-address', ({ config }) => config.login.perAddress.failures],
  ]
  for (const [limit, points] of lines) {
    it(`${limit} gives turns at its pace, none sooner than another’s before it, and none beyond the longest wait`, async () => {
      const longestMs = rooms.config.login.perAddress.longestWait * 1000
      const waits: number[] = []
      for (let count = 0; count < 4 * points(rooms); count += 1) {
        const ticket = await rooms.throttle.take(limit, 'key')
        waits.push(ticket.allowed ? 0 : ticket.retryAfterMs)
      }
      assert.deepEqual(
        waits.slice(0, points(rooms)),
        waits.slice(0, points(rooms)).map(() => 0),
      )
      const queue = waits.slice(points(rooms))
      assert.ok(queue.every((wait, index) => wait > 0 && wait >= (queue[index - 1] ?? 0)))
      const nth = (n: number) => Math.min((n / points(rooms)) * 60_000, longestMs)
      queue.forEach((wait, index) => assert.ok(Math.abs(wait - nth(points(rooms) + index + 1)) < 400, `${wait}`))
      assert.equal(queue.at(-1), longestMs)
      rooms.clock.advance(60_001)
      assert.equal((await rooms.throttle.take(limit, 'key')).allowed, true, 'the next minute begins anew')
    })
  }

  it('counts each key and each limit by itself', async () => {
    assert.equal((await rooms.throttle.take('send-pause', 'one')).allowed, true)
    assert.equal((await rooms.throttle.take('send-pause', 'one')).allowed, false)
    assert.equal((await rooms.throttle.take('send-pause', 'other')).allowed, true)
    assert.equal((await rooms.throttle.take('send-day', 'one')).allowed, true)
  })

  it('takes back the point of what did not count, and no more', async () => {
    const { tries } = rooms.config.verifiers.sms
    for (let count = tries; count > 0; count -= 1) await rooms.throttle.take('answer', 'key')
    await rooms.throttle.giveBack('answer', 'key')
    const tickets = await Promise.all(Array.from({ length: 50 }, () => rooms.throttle.take('answer', 'key')))
    assert.equal(tickets.filter(({ allowed }) => allowed).length, 1)
  })

  it('is broken loudly, not open, when the store is', async () => {
    await rooms.storage.close()
    await assert.rejects(rooms.throttle.take('answer', 'key'))
    rooms = await openLoginRooms()
  })
})
