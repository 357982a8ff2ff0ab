import assert from 'node:assert/strict'
import { isAppError } from '#src/errors.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import type { ProofingRefusal } from '#src/login/proofing.ts'
import { member, numberOfAge, openLoginRooms, people, trail, type LoginRooms } from '../support/login-rooms.ts'

const strangersPhone = '+8619900000099'
const proofOf = (key: string) => {
  const { kind, number, name } = member(key)
  return { name, document: { kind, number }, proofing: 2 as const }
}

describe('proofing by three elements', () => {
  let rooms: LoginRooms
  beforeEach(async () => {
    rooms = await openLoginRooms(':memory:', 500)
  })
  afterEach(() => rooms.close())

  async function refuses(reason: ProofingRefusal, ...[key, over]: Parameters<LoginRooms['prove']>): Promise<void> {
    assert.deepEqual(await rooms.prove(key, over), { ok: false, reason })
    assert.ok(rooms.events.some((event) => event.outcome !== 'ok' && event.reason === reason))
  }
  async function opens(level: number, ...[key, over]: Parameters<LoginRooms['prove']>) {
    const proofed = await rooms.prove(key, over)
    assert.ok(proofed.ok, `${key}: ${proofed.ok || proofed.reason}`)
    assert.equal(proofed.citizen.proofing, level)
    return proofed.citizen
  }

  for (const { key, state, phone } of people.filter((person) => person.state === 'living' && person.phone)) {
    it(`opens the account of ${key} (${state}) at L2 by name, number and own phone`, async () => {
      const citizen = await opens(2, key)
      assert.equal(citizen.name, member(key).name)
      assert.deepEqual(
        citizen.phones.map(({ number, proven }) => [number, proven]),
        [[phone, true]],
      )
    })
  }

  it('lets only claim an account, at L1, with somebody else’s phone or one the register does not know', async () => {
    const claimed = await opens(1, 'yan', { phone: strangersPhone })
    assert.equal(claimed.documents[0]?.status, 'claimed')
    assert.equal(claimed.phones[0]?.proven, false)
    rooms.answer({ result: 'match', phone: 'unknown' })
    await opens(1, 'xian')
  })

  it('says of a wrong name and of a wrong number the same: mismatch', async () => {
    await refuses('mismatch', 'yan', { name: '刘燕' })
    await refuses('mismatch', 'yan', { number: member('xian').number })
  })
  it('refuses a deceased person and a cancelled registration by one and the same answer', async () => {
    await refuses('not-possible', 'deceased')
    await refuses('not-possible', 'cancelled')
  })
  it('refuses a document that was reported lost', () => refuses('document-void', 'void'))
  it('sends a former name to the new one', async () => {
    await refuses('renamed', 'renamed', { name: member('renamed').formerNames[0] })
    await opens(2, 'renamed')
    await opens(2, 'renamed')
    assert.deepEqual(rooms.ended, [], 'who proves himself again stays signed in')
  })
  it('sends a corrected number to the new one', async () => {
    await refuses('renumbered', 'renumbered', { number: member('renumbered').formerNumbers[0] })
    await opens(2, 'renumbered')
  })
  it('sends a child under 14 to a window, without asking the register', async () => {
    await refuses('under-14', 'child', { number: numberOfAge(13, rooms.clock.now()) })
    assert.equal(rooms.asked.length, 0)
    await refuses('mismatch', 'child', { number: numberOfAge(14, rooms.clock.now()) })
    assert.equal(rooms.asked.length, 1)
  })

  it('opens nobody a second account: the document is taken', async () => {
    await opens(1, 'yan', { phone: strangersPhone })
    await refuses('taken', 'yan', { phone: '+8619900000098' })
    await opens(2, 'xian')
    await refuses('taken', 'xian', { phone: strangersPhone })
  })

  it('tells the holder of a claimed account that the phone is not his', async () => {
    const citizen = await opens(1, 'yan', { phone: strangersPhone })
    await refuses('phone-not-yours', 'yan', { phone: strangersPhone, citizen })
  })

  it('gives a claimed account to its owner by his own phone; the claimant’s phone then opens nothing', async () => {
    const claimed = await opens(1, 'yan', { phone: strangersPhone })
    const own = await opens(2, 'yan')
    assert.equal(own.id, claimed.id)
    assert.deepEqual(await rooms.directory.byPhone(strangersPhone), [])
    assert.deepEqual(new Set(rooms.ended), new Set([claimed.id]), 'nor does a session of his stay open')
    await refuses('taken', 'yan', { phone: strangersPhone })
  })

  it('opens a suspended account to nobody', async () => {
    const { id } = await opens(2, 'yan')
    const row = await rooms.storage.people.byId(id)
    assert.ok(row)
    await rooms.storage.people.update({ ...row, status: 'suspended', version: row.version + 1 })
    await refuses('closed', 'yan')
    await refuses('taken', 'yan', { phone: strangersPhone })
  })

  it('lets two who share a phone both prove themselves by it', async () => {
    const he = await opens(2, 'he')
    rooms.clock.advance(1_000)
    const xu = await opens(2, 'xu')
    assert.deepEqual(
      (await rooms.directory.byPhone(member('he').phone ?? '')).map(({ id }) => id),
      [he.id, xu.id],
    )
  })

  it('opens one account when sixteen ask at once', async () => {
    const results = await Promise.all(Array.from({ length: 16 }, () => rooms.prove('yan')))
    const ids = results.flatMap((result) => (result.ok ? [result.citizen.id] : []))
    assert.equal(ids.length, rooms.config.login.registerChecksDaily, 'the others came too often')
    assert.equal(new Set(ids).size, 1)
    assert.equal((await rooms.directory.byPhone(member('yan').phone ?? '')).length, 1)
  })

  it('settles for the owner when claimant and owner race for one document', async () => {
    const [owner] = await Promise.all([rooms.prove('yan'), rooms.prove('yan', { phone: strangersPhone })])
    assert.ok(owner.ok)
    assert.equal(owner.citizen.proofing, 2)
    assert.deepEqual(await rooms.directory.byPhone(strangersPhone), [])
  })

  describe('by a verifier of the person himself (level 3)', () => {
    const own = '+8619900000077'
    const personally = (over: { phone?: string; name?: string; level?: 2 | 3 | 4 } = {}) => {
      const { kind, number, name } = member('yan')
      const document = parseDocument(kind, number)
      return rooms.proofing.provePersonally({ document, name, level: 3, trail, ...over })
    }
    const numbers = (citizen: Citizen) => citizen.phones.map(({ number }) => number)

    it('takes an account of level 2 from whoever holds it: phones and sessions end, both sides are told', async () => {
      const before = await opens(2, 'yan')
      const proofed = await personally({ phone: own })
      assert.ok(proofed.ok)
      assert.equal(proofed.citizen.id, before.id)
      assert.equal(proofed.citizen.proofing, 3)
      assert.deepEqual(numbers(proofed.citizen), [own])
      assert.deepEqual(await rooms.directory.byPhone(member('yan').phone ?? ''), [])
      assert.deepEqual(new Set(rooms.ended), new Set([before.id]))
      assert.deepEqual(rooms.told, [
        { id: before.id, event: 'claim-ended', phone: member('yan').phone },
        { id: before.id, event: 'reclaimed', phone: own },
      ])
      assert.ok(rooms.events.some(({ type, level }) => type === 'account.reclaimed' && level === 3))
    })

    it('takes it also without any phone, and then it opens by none', async () => {
      await opens(2, 'yan')
      const proofed = await personally()
      assert.ok(proofed.ok)
      assert.deepEqual(numbers(proofed.citizen), [])
      assert.deepEqual(
        rooms.told.map(({ event }) => event),
        ['claim-ended'],
      )
    })

    it('only raises an account that is proven by its own phone', async () => {
      const before = await opens(2, 'yan')
      await rooms.directory.bindProven(before.id, { ...proofOf('yan'), phone: '+8619900000078' })
      const proofed = await personally({ phone: member('yan').phone ?? '' })
      assert.ok(proofed.ok)
      assert.equal(proofed.citizen.proofing, 3)
      assert.equal(proofed.citizen.phones.length, 2)
      assert.deepEqual(rooms.ended, [])
      assert.deepEqual(rooms.told, [])
    })

    it('ends nothing of an account that was proven as well before', async () => {
      await personally({ phone: own })
      const again = await personally({ phone: '+8619900000079' })
      assert.ok(again.ok)
      assert.deepEqual(numbers(again.citizen), [own, '+8619900000079'])
      assert.deepEqual(rooms.ended, [])
      assert.deepEqual(
        rooms.told.map(({ event, phone }) => [event, phone]),
        [['phone-bound', own]],
      )
    })

    it('is not undone by three elements: they add a phone, and take nothing', async () => {
      await personally({ phone: own })
      const citizen = await opens(3, 'yan')
      assert.deepEqual(numbers(citizen), [own, member('yan').phone])
      assert.deepEqual(rooms.ended, [])
    })

    it('opens an account to whoever has none, with or without a phone', async () => {
      const proofed = await personally({ level: 4 })
      assert.ok(proofed.ok)
      assert.equal(proofed.citizen.proofing, 4)
      assert.deepEqual(numbers(proofed.citizen), [])
      await refuses('taken', 'yan', { phone: strangersPhone })
    })

    it('opens no suspended account', async () => {
      const { id } = await opens(2, 'yan')
      await rooms.directory.suspend(id)
      assert.deepEqual(await personally(), { ok: false, reason: 'closed' })
    })

    it('gives nobody the account of another who has the same number, until the register tells of a new name', async () => {
      const { id } = await opens(2, 'yan')
      rooms.answer({ result: 'match', phone: 'unknown' })
      assert.deepEqual(await personally({ name: '刘新' }), { ok: false, reason: 'taken' })
      await rooms.directory.rename(id, '刘新')
      assert.ok((await personally({ name: '刘新' })).ok)
    })
  })

  it('gives nobody the account whose number was corrected, though the register knows somebody by it now', async () => {
    const { id } = await opens(2, 'yan')
    const { kind, number } = member('yan')
    await rooms.directory.endDocument(id, { kind, number }, 'replaced', numberOfAge(40, rooms.clock.now()))
    await refuses('taken', 'yan')
  })

  it('asks once more about every other phone where a new one was proven', async () => {
    const { id } = await opens(2, 'yan')
    await rooms.directory.bindProven(id, { ...proofOf('yan'), phone: '+8619900000078' })
    const citizen = await rooms.directory.byId(id)
    assert.ok(citizen)
    assert.equal(
      rooms.confirmation.openedBy(member('yan').phone ?? '', citizen).proofing,
      1,
      'until the register says so',
    )
    assert.equal(rooms.confirmation.openedBy('+8619900000078', citizen).proofing, 2)
    assert.equal(await rooms.confirmation.confirm(member('yan').phone ?? '', trail), true)
    const after = await rooms.directory.byId(id)
    assert.ok(after)
    assert.equal(rooms.confirmation.openedBy(member('yan').phone ?? '', after).proofing, 2)
  })

  describe('a document judged by its format only', () => {
    for (const [kind, number] of [
      ['passport', 'XX1234567'],
      ['hk-macao-travel-permit', 'H12345678'],
      ['taiwan-travel-permit', '12345678'],
    ] as const) {
      it(`${kind}: opens a claim where the register knows nothing of it`, async () => {
        const phone = strangersPhone
        const citizen = await opens(1, 'yan', { kind, number, phone })
        assert.deepEqual(
          citizen.documents.map((document) => [document.number, document.status]),
          [[number, 'claimed']],
        )
        assert.equal((await opens(1, 'yan', { kind, number, phone })).id, citizen.id, 'one account for one phone')
        assert.notEqual((await opens(1, 'yan', { kind, number, phone: '+8619900000098' })).id, citizen.id)
        assert.equal(await rooms.directory.byDocument(kind, number), undefined, 'the number is still free')
      })
    }

    it('no other kind does', () => refuses('mismatch', 'yan', { name: '刘燕' }))

    it('is taken like any other once it is proven of somebody', async () => {
      rooms.answer({ result: 'match', phone: 'match' })
      const holder = await opens(2, 'yan', { kind: 'passport', number: 'XX1234567' })
      rooms.answer({ result: 'match', phone: 'mismatch' })
      await refuses('taken', 'yan', { kind: 'passport', number: 'XX1234567', phone: strangersPhone })
      assert.deepEqual(rooms.told, [{ id: holder.id, event: 'tried', phone: '' }])
    })
  })

  describe('when the register cannot be reached', () => {
    it('is unavailable, never a mismatch, and opens nothing', async () => {
      rooms.register.setDown(true)
      await refuses('unavailable', 'yan')
      await refuses('unavailable', 'yan', { name: '刘燕' })
      assert.deepEqual(await rooms.directory.byPhone(member('yan').phone ?? ''), [])
      rooms.register.setDown(false)
      await opens(2, 'yan')
    })

    it('is unavailable in time when it does not answer', async () => {
      rooms.answer(new Promise(() => undefined))
      const started = performance.now()
      await refuses('unavailable', 'yan')
      assert.ok(performance.now() - started < 1_000)
    })

    it('counts nothing, so that he may try again when it is back', async () => {
      rooms.register.setDown(true)
      for (let count = 0; count < 12; count += 1) await refuses('unavailable', 'yan')
      rooms.register.setDown(false)
      await opens(2, 'yan')
    })

    it('lets a broken driver be a fault of ours, not an answer', async () => {
      const broken = Promise.reject(new TypeError('a bug'))
      broken.catch(() => undefined)
      rooms.answer(broken)
      await assert.rejects(rooms.prove('yan'), TypeError)
      assert.equal(await rooms.directory.byDocument('resident-id-card', member('yan').number), undefined)
    })
  })

  describe('where its record cannot be written', () => {
    const { kind, number, phone = '' } = member('yan')
    const ofYan = () => rooms.directory.byDocument(kind, number)
    const fails = async (type: 'account.opened' | 'account.proofed' | 'phone.bound', over: { phone?: string } = {}) => {
      rooms.failRecords(type)
      await assert.rejects(rooms.prove('yan', over), (error) => isAppError(error, 'audit_broken'))
      rooms.failRecords(undefined)
    }

    it('opens no account, neither proven nor claimed', async () => {
      for (const type of ['account.opened', 'account.proofed'] as const)
        for (const over of [{}, { phone: strangersPhone }]) {
          await fails(type, over)
          assert.equal(await ofYan(), undefined)
        }
    })

    it('binds no phone and raises no account', async () => {
      const { id } = await opens(1, 'yan', { phone: strangersPhone })
      rooms.answer({ result: 'match', phone: 'match' })
      await fails('account.proofed', { phone: strangersPhone })
      assert.equal((await ofYan())?.proofing, 1)
      await opens(2, 'yan', { phone: strangersPhone })
      await fails('phone.bound')
      assert.deepEqual(await rooms.directory.byPhone(phone), [])
      assert.deepEqual(rooms.told, [])
      assert.equal((await opens(2, 'yan')).id, id)
    })

    it('names the account in the record of its opening', async () => {
      const { id } = await opens(2, 'yan')
      const opened = rooms.events.filter(({ type }) => type === 'account.opened')
      assert.deepEqual(
        opened.map(({ person, level }) => [person, level]),
        [[id, 2]],
      )
    })
  })

  describe('how often the register is asked', () => {
    it('is five times a day for a phone, whatever the numbers', async () => {
      const names = ['yan', 'xian', 'elder', 'he', 'xu'] as const
      for (const key of names) await refuses('mismatch', key, { name: '查无此人', phone: strangersPhone })
      await refuses('too-often', 'teenager', { phone: strangersPhone })
      assert.equal(rooms.asked.length, 5)
      rooms.clock.advance(86_400_001)
      await opens(1, 'teenager', { phone: strangersPhone })
    })

    it('is five times a day for a number, and then once for each phone, also at once', async () => {
      const phones = Array.from({ length: 4 }, (_, index) => `+86198000000${10 + index}`)
      const five = Array.from({ length: 5 }, () => phones).flat()
      const results = await Promise.all(five.map((phone) => rooms.prove('yan', { name: '刘燕', phone })))
      assert.equal(results.filter((result) => !result.ok && result.reason === 'too-often').length, 11)
      assert.equal(rooms.asked.length, 5 + 4)
    })

    it('leaves the holder of a number his own check, however often strangers asked about it', async () => {
      const phones = Array.from({ length: 9 }, (_, index) => `+86198000000${10 + index}`)
      for (const phone of phones) await refuses('mismatch', 'yan', { name: '刘燕', phone })
      await refuses('too-often', 'yan', { name: '刘燕', phone: phones[8] })
      rooms.register.setDown(true)
      await refuses('unavailable', 'yan')
      rooms.register.setDown(false)
      await opens(2, 'yan')
      await refuses('too-often', 'yan')
    })

    it('does not use up a number by a phone that has no question left', async () => {
      for (let count = 0; count < 9; count += 1) {
        await rooms.prove('xian', { name: '查无此人', phone: strangersPhone })
        if (count >= 5) await refuses('too-often', 'yan', { name: '查无此人', phone: strangersPhone })
      }
      await opens(2, 'yan')
    })
  })

  it('leaves one record for each check, with the answer and without the person', async () => {
    await rooms.prove('yan', { name: '刘燕' })
    await rooms.prove('yan')
    assert.deepEqual(
      rooms.events.map(({ type, outcome, reason, level }) => [type, outcome, reason, level]),
      [
        ['register.checked', 'refused', 'mismatch', undefined],
        ['register.checked', 'ok', undefined, undefined],
        ['account.opened', 'ok', undefined, 2],
        ['account.proofed', 'ok', undefined, 2],
      ],
    )
    const { name, number, phone } = member('yan')
    for (const secret of [name, number, String(phone)]) assert.ok(!JSON.stringify(rooms.events).includes(secret))
  })
})
