import assert from 'node:assert/strict'
import type { Place } from '#src/login/line.ts'
import { openLoginRooms, type LoginRooms } from '../support/login-rooms.ts'

describe('the line before a busy address', () => {
  let rooms: LoginRooms
  const address = '2001:db8:1:2::1'
  beforeEach(async () => {
    rooms = await openLoginRooms()
  })
  afterEach(() => rooms.close())

  const crowd = async (from = address): Promise<Place> => {
    for (let count = 0; count < rooms.config.login.perAddress.sends; count += 1) {
      assert.equal(await rooms.line.pass('send-address', from), undefined)
    }
    const place = await rooms.line.pass('send-address', from)
    assert.ok(place)
    return place
  }

  it('lets pass at once up to its pace, and then gives places', async () => {
    const place = await crowd()
    assert.ok(place.at > rooms.clock.now())
    const longest = rooms.clock.now() + rooms.config.login.perAddress.longestWait * 1000
    assert.ok(place.at <= longest)
  })

  it('is one for a /64 and for the two ways to write an IPv4 address, and each other network has its own', async () => {
    await crowd()
    assert.ok(await rooms.line.pass('send-address', '2001:db8:1:2:ffff::9'))
    assert.equal(await rooms.line.pass('send-address', '2001:db8:1:3::1'), undefined)
    await crowd('203.0.113.7')
    assert.ok(await rooms.line.pass('send-address', '::ffff:203.0.113.7'))
    assert.equal(await rooms.line.pass('failures-address', address), undefined, 'failures have a line of their own')
  })

  it('lets a place pass once when its time has come, whoever else waits, and among many at once only one', async () => {
    const place = await crowd()
    assert.deepEqual(await rooms.line.pass('send-address', address, place), place)
    rooms.clock.advance(place.at - rooms.clock.now())
    await crowd()
    const passed = await Promise.all(Array.from({ length: 50 }, () => rooms.line.pass('send-address', address, place)))
    assert.equal(passed.filter((next) => next === undefined).length, 1)
    assert.ok(passed.every((next) => next === undefined || next.id !== place.id))
  })

  it('believes no place that was never given for long', async () => {
    const place = await crowd()
    rooms.clock.advance(2 * 3_600_000)
    await crowd()
    assert.ok(await rooms.line.pass('send-address', address, place), 'long after, he stands at the end again')
  })
})
