import assert from 'node:assert/strict'
import { isAppError } from '#src/errors.ts'
import type { RegisterAnswer } from '#src/identity/registry.ts'
import { member, openLoginRooms, trail, type LoginRooms } from '../support/login-rooms.ts'

const day = 86_400_000
const { phone = '', number, name, kind } = member('yan')

describe('the confirmation of phones', () => {
  let rooms: LoginRooms
  let id: string
  beforeEach(async () => {
    rooms = await openLoginRooms(':memory:', 500)
    const proofed = await rooms.prove('yan')
    assert.ok(proofed.ok)
    id = proofed.citizen.id
  })
  afterEach(() => rooms.close())

  const confirm = () => rooms.confirmation.confirm(phone, trail)
  const seen = async () => {
    const citizen = await rooms.directory.byId(id)
    assert.ok(citizen)
    return rooms.confirmation.openedBy(phone, citizen)
  }
  const questions = () => rooms.asked.slice(1)

  it('asks nothing within thirty days', async () => {
    rooms.clock.advance(30 * day - 1_000)
    assert.equal(await confirm(), true)
    assert.deepEqual(questions(), [])
    assert.equal((await seen()).proofing, 2)
  })

  it('asks by name, number and phone after them; until then the account counts as registered only', async () => {
    rooms.clock.advance(30 * day + 1_000)
    assert.equal((await seen()).proofing, 1)
    assert.equal(await confirm(), true)
    assert.deepEqual(questions(), [{ kind, number, name, phone }])
    assert.equal((await seen()).proofing, 2)
    rooms.clock.advance(30 * day - 1_000)
    assert.equal(await confirm(), true)
    assert.equal(questions().length, 1, 'renewed for thirty days more')
  })

  it('leaves the binding where its end cannot be recorded', async () => {
    rooms.clock.advance(31 * day)
    rooms.answer({ result: 'match', phone: 'mismatch' })
    rooms.failRecords('phone.ended')
    await assert.rejects(confirm(), (error) => isAppError(error, 'audit_broken'))
    assert.equal((await rooms.directory.byId(id))?.phones.length, 1)
    rooms.failRecords(undefined)
    await confirm()
    assert.equal((await rooms.directory.byId(id))?.phones.length, 0)
  })

  const ending: readonly RegisterAnswer[] = [
    { result: 'match', phone: 'mismatch' },
    { result: 'deceased' },
    { result: 'cancelled' },
  ]
  for (const answer of ending) {
    it(`ends the binding, on record, where the register says ${JSON.stringify(answer)}`, async () => {
      rooms.clock.advance(31 * day)
      rooms.answer(answer)
      assert.equal(await confirm(), true)
      assert.deepEqual(await rooms.directory.byPhone(phone), [])
      assert.equal((await rooms.directory.byId(id))?.proofing, 2, 'the account stands, for other ways in')
      assert.deepEqual(
        rooms.events.slice(-2).map(({ type, outcome, person }) => [type, outcome, person]),
        [
          ['register.checked', 'refused', id],
          ['phone.ended', 'ok', id],
        ],
      )
    })
  }

  const undecided: readonly RegisterAnswer[] = [
    { result: 'match', phone: 'unknown' },
    { result: 'mismatch' },
    { result: 'renamed' },
    { result: 'renumbered' },
    { result: 'document-void' },
  ]
  for (const answer of undecided) {
    it(`neither confirms nor ends it where the register says ${JSON.stringify(answer)}`, async () => {
      rooms.clock.advance(31 * day)
      rooms.answer(answer)
      assert.equal(await confirm(), true)
      assert.equal((await rooms.directory.byPhone(phone)).length, 1)
      assert.equal((await seen()).proofing, 1)
    })
  }

  it('fails closed where the register is down or silent, and keeps the binding', async () => {
    rooms.clock.advance(31 * day)
    rooms.register.setDown(true)
    assert.equal(await confirm(), false)
    rooms.answer(new Promise(() => undefined))
    assert.equal(await confirm(), false)
    assert.equal((await seen()).proofing, 1)
    assert.equal(rooms.events.at(-1)?.outcome, 'failed')
    rooms.answer(undefined)
    rooms.register.setDown(false)
    assert.equal(await confirm(), true)
    assert.equal((await seen()).proofing, 2)
  })

  it('judges each of those who share a phone by himself', async () => {
    for (const key of ['he', 'xu']) assert.ok((await rooms.prove(key)).ok)
    const shared = member('he').phone ?? ''
    rooms.clock.advance(31 * day)
    const [he] = await rooms.directory.byPhone(shared)
    await rooms.directory.confirmPhone(he?.id ?? '', shared)
    rooms.answer({ result: 'match', phone: 'mismatch' })
    assert.equal(await rooms.confirmation.confirm(shared, trail), true)
    assert.deepEqual(
      (await rooms.directory.byPhone(shared)).map((citizen) => citizen.id),
      [he?.id],
    )
  })

  it('asks nothing about a phone that was never proven, which opens L1 and no more', async () => {
    const claimed = await rooms.prove('xian', { phone: '+8619900000099' })
    assert.ok(claimed.ok)
    const before = rooms.asked.length
    rooms.clock.advance(300 * day)
    assert.equal(await rooms.confirmation.confirm('+8619900000099', trail), true)
    assert.equal(rooms.asked.length, before)
    const raised = { ...claimed.citizen, proofing: 3 as const }
    assert.equal(rooms.confirmation.openedBy('+8619900000099', raised).proofing, 1)
    assert.equal(rooms.confirmation.openedBy('+8619900000098', raised).proofing, 1, 'a phone that is not his at all')
  })

  it('comes to the same whichever of sixteen at once is first', async () => {
    rooms.clock.advance(31 * day)
    assert.ok((await Promise.all(Array.from({ length: 16 }, confirm))).every(Boolean))
    assert.equal((await seen()).proofing, 2)
  })
})
