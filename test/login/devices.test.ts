import assert from 'node:assert/strict'
import { openLoginRooms, type LoginRooms } from '../support/login-rooms.ts'

const [phone, otherPhone] = ['+8619900000001', '+8619900000002']

describe('known devices', () => {
  let rooms: LoginRooms
  let person: string
  const open = async (number: string) =>
    (
      await rooms.directory.open({
        name: '刘䶮',
        document: { kind: 'passport', number, status: 'claimed' },
        phone,
        proven: false,
        proofing: 1,
      })
    ).id
  beforeEach(async () => {
    rooms = await openLoginRooms()
    person = await open('E12345678')
  })
  afterEach(() => rooms.close())

  it('are known for the phone they signed in by, and for no other', async () => {
    const device = await rooms.devices.remember(undefined, phone, person)
    assert.match(device, /^[\w-]{43}$/)
    assert.ok(await rooms.devices.known(device, phone))
    assert.equal(await rooms.devices.known(device, otherPhone), undefined)
    assert.equal(await rooms.devices.known(undefined, phone), undefined)
    assert.equal(await rooms.devices.known('x'.repeat(43), phone), undefined)
  })

  it('keep their value for each further phone, under keys that have nothing in common', async () => {
    const device = await rooms.devices.remember(undefined, phone, person)
    const [index] = [await rooms.directory.phoneKey(phone)]
    const key = await rooms.devices.known(device, phone)
    assert.ok(key && !key.includes(device) && !key.includes(index))
    const neighbour = (
      await rooms.directory.open({
        name: '刘奕',
        document: { kind: 'passport', number: 'E87654321', status: 'claimed' },
        phone: otherPhone,
        proven: false,
        proofing: 1,
      })
    ).id
    assert.equal(await rooms.devices.remember(device, otherPhone, neighbour), device)
    assert.notEqual(await rooms.devices.known(device, otherPhone), key)
    assert.equal(await rooms.devices.known(device, phone), key)
  })

  it('are forgotten oldest first beyond the number for one person, and a year after the last sign-in', async () => {
    const made: string[] = []
    for (let count = 0; count <= rooms.config.login.knownDevices; count += 1) {
      made.push(await rooms.devices.remember(undefined, phone, person))
      rooms.clock.advance(1_000)
      // The first is used again and again: it is not the oldest.
      await rooms.devices.remember(made[0], phone, person)
      rooms.clock.advance(1_000)
    }
    const known = await Promise.all(made.map((device) => rooms.devices.known(device, phone)))
    assert.deepEqual(
      known.map((key) => key !== undefined),
      made.map((_, index) => index !== 1),
    )
    rooms.clock.advance(365 * 86_400_000)
    assert.equal(await rooms.devices.known(made[0], phone), undefined)
  })

  it('are no longer known once the phone is not the person’s, or the person is erased', async () => {
    const device = await rooms.devices.remember(undefined, phone, person)
    await rooms.directory.endPhone(person, phone)
    assert.equal(await rooms.devices.known(device, phone), undefined, 'the number was given up')
    const other = await open('E11111111')
    const mine = await rooms.devices.remember(undefined, phone, other)
    assert.ok(await rooms.devices.known(mine, phone))
    await rooms.storage.people.erase(other)
    assert.equal(await rooms.devices.known(mine, phone), undefined)
  })
})
