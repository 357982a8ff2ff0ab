import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Channel } from '#src/channels/channel.ts'
import { levels, type Level } from '#src/identity/assurance.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { documentKinds } from '#src/identity/id-number.ts'
import type { Attempt, Step } from '#src/login/attempt.ts'
import { type First, firstOf, nextStep, offered, personOf, reachable, reachedLevel } from '#src/login/policy.ts'
import type { Evidence, Verifier } from '#src/verifiers/verifier.ts'

const phone = '+8619900000001'
const web: Channel = {
  name: 'web',
  verifiers: ['sms'],
  top: 3,
  shared: false,
  session: { absolute: 28_800, idle: 1_800 },
}

const citizen = (id: string, proofing: Level = 2): Citizen => ({
  id,
  name: '刘䶮',
  documents: [],
  phones: [{ number: phone, proven: proofing >= 2, from: 0 }],
  proofing,
  status: 'active',
})
const evidence = (level: Level = 2): Evidence => ({ verifier: 'sms', amr: ['sms'], level, at: 0, subject: { phone } })
const verifier = (name: string, cap: Level): Verifier => ({
  ...{ name, cap, amr: [name], tries: 5, by: 'phone' },
  begin: () => assert.fail('policy asks no verifier'),
  finish: () => assert.fail('policy asks no verifier'),
})

const challenge = { id: 'c', verifier: 'sms', keep: {}, expiresAt: 1, resendAt: 1 }
const fresh: Attempt = { publicComputer: false, proofed: false }
const sent: Attempt = { ...fresh, phone, challenge }
const proven: Attempt = { ...sent, evidence: evidence() }
const named: Attempt = { ...proven, documentKind: 'resident-id-card', name: '刘䶮' }

describe('what comes next in a sign-in', () => {
  const [a, b, claimed] = [citizen('a'), citizen('b'), citizen('c', 1)]
  const rows: readonly [string, Attempt, readonly Citizen[], Level, Step | 'done' | 'low'][] = [
    ['nothing given', fresh, [], 2, 'phone'],
    ['a phone without a challenge', { ...fresh, phone }, [], 2, 'phone'],
    ['a code sent', sent, [], 2, 'code'],
    ['a code sent to a known phone', sent, [a], 2, 'code'],
    ['an unknown phone proven', proven, [], 2, 'document'],
    ['a known phone proven', proven, [a], 2, 'done'],
    ['a phone two share', proven, [a, b], 2, 'who'],
    ['one of two chosen', { ...proven, person: 'b' }, [a, b], 2, 'done'],
    ['none of two chosen', { ...proven, person: null }, [a, b], 2, 'document'],
    ['not the one at this phone', { ...proven, person: null }, [a], 2, 'document'],
    ['somebody chosen who is not at this phone', { ...proven, person: 'x' }, [a], 2, 'document'],
    ['a claimed account where a real name is asked', proven, [claimed], 2, 'document'],
    ['a claimed account where none is asked', proven, [claimed], 1, 'done'],
    ['a claimed account one of two', { ...proven, person: 'c' }, [a, claimed], 2, 'document'],
    ['the kind of document given', { ...proven, documentKind: 'passport' }, [], 2, 'name'],
    ['a name given', named, [], 2, 'number'],
    ['a name without a kind', { ...proven, name: '刘䶮' }, [], 2, 'document'],
    ['a claim that stayed a claim', { ...named, proofed: true, person: 'c' }, [claimed], 2, 'low'],
    ['a level the account cannot reach', proven, [a], 3, 'low'],
    ['a level nobody at the phone can reach', proven, [a, b], 4, 'who'],
  ]
  for (const [situation, attempt, people, asked, next] of rows) {
    it(`after ${situation}: ${next}`, () => assert.equal(nextStep(attempt, people, web, asked), next))
  }

  const ofDevice = { ...evidence(3), verifier: 'passkey', subject: { person: 'a' } }
  const byDevice: Attempt = { ...fresh, challenge: { ...challenge, verifier: 'passkey' }, evidence: ofDevice }
  const deviceRows: readonly [string, Attempt, readonly Citizen[], Level, Step | 'done' | 'low'][] = [
    ['nothing given where no phone is enough', fresh, [], 3, 'passkey'],
    ['a code sent for a lower level', sent, [], 3, 'passkey'],
    ['a device has named its owner', byDevice, [citizen('a', 3)], 3, 'done'],
    ['a device has named somebody who cannot reach the level', byDevice, [a], 3, 'low'],
    ['a device has named somebody whose document is void since', byDevice, [citizen('a', 1)], 2, 'low'],
    ['a device has named somebody who is gone', byDevice, [], 3, 'passkey'],
  ]
  for (const [situation, attempt, people, asked, next] of deviceRows)
    it(`after ${situation}: ${next}`, () =>
      assert.equal(nextStep(attempt, people, web, asked, { first: 'passkey' }), next))

  it('asks for the phone, and for no document, where a device has named somebody who is gone', () =>
    assert.equal(nextStep(byDevice, [], web, 2), 'phone'))

  it('is never done without evidence, and never above what evidence, account and channel allow', () => {
    const level = fc.constantFrom<Level>(...levels)
    const person = fc.record({ id: fc.constantFrom('a', 'b', 'c'), proofing: level })
    const attempt = fc.record(
      {
        phone: fc.constant(phone),
        challenge: fc.constant(challenge),
        evidence: level.map(evidence),
        person: fc.constantFrom('a', 'b', 'c', 'x', null),
        documentKind: fc.constantFrom(...documentKinds),
        name: fc.constantFrom('刘䶮', ''),
        proofed: fc.boolean(),
        publicComputer: fc.boolean(),
        fault: fc.constant({ step: 'code', code: 'code_wrong', reference: 'ABCDE-FGHJK' }),
      },
      { requiredKeys: ['proofed', 'publicComputer'] },
    )
    const crowd = fc.uniqueArray(person, { selector: ({ id }) => id, maxLength: 3 })
    let done = 0
    fc.assert(
      fc.property(attempt, crowd, level, level, (given, people, top, asked) => {
        const channel = { ...web, top }
        const at = people.map(({ id, proofing }) => citizen(id, proofing))
        const next = nextStep(given, at, channel, asked)
        if (next !== 'done') return
        done += 1
        const who = personOf(given, at)
        assert.ok(given.evidence && who && at.includes(who))
        assert.ok(Math.min(given.evidence.level, who.proofing, top) >= asked)
        assert.ok(at.length === 1 || given.person === who.id, 'several people, and none was chosen')
      }),
      { numRuns: 5_000 },
    )
    assert.ok(done > 100, 'the property was hardly met')
  })
})

describe('the first page', () => {
  const way = (name: string, by: Verifier['by'], enrolled = false): Verifier => ({ ...verifier(name, 3), by, enrolled })
  const [sms, passkey, card] = [way('sms', 'phone'), way('passkey', 'device', true), way('card', 'device')] as const
  const cases: readonly [string, readonly Verifier[], string][] = [
    ['the phone comes first', [sms, card, passkey], 'phone'],
    ['the phone comes first but for the passkey, which stands beside it', [passkey, sms], 'phone'],
    ['something else comes first', [card, sms], 'method'],
    ['there is no phone', [card, passkey], 'method'],
    ['there is nothing but the passkey', [passkey], 'passkey'],
    ['there is nothing', [], 'phone'],
  ]
  for (const [where, ways, first] of cases) it(`is ${first} where ${where}`, () => assert.equal(firstOf(ways), first))
})

describe('a method that was chosen', () => {
  const way = (by: Verifier['by'], named = false): Verifier => ({ ...verifier('way', 2), by, named })
  const next = (attempt: Partial<Attempt>, method: Verifier, first: First = 'phone') =>
    nextStep({ ...fresh, ...attempt }, [], web, 2, { first, method })
  const named = { documentKind: 'passport', name: '刘䶮' } as const

  it('is answered at once, after the questions of who he is, or by way of the phone', () => {
    assert.equal(next({}, way('device')), 'prove')
    assert.deepEqual(
      [{}, { documentKind: named.documentKind }, named, { ...named, number: '1' }].map((one) =>
        next(one, way('redirect', true)),
      ),
      ['document', 'name', 'number', 'prove'],
    )
    assert.equal(next({}, way('phone'), 'method'), 'phone')
    assert.equal(next({ challenge }, way('phone'), 'method'), 'code')
  })

  it('opens its own pages and those that lead to others, and none of those who come by phone', () => {
    const open = (method: Verifier) => steps.filter((step) => reachable(step, 'prove', method))
    const steps = ['method', 'passkey', 'phone', 'code', 'who', 'document', 'name', 'number', 'prove', 'link'] as const
    assert.deepEqual(open(way('device')), ['method', 'passkey', 'phone', 'prove'])
    assert.deepEqual(open(way('form', true)), ['method', 'passkey', 'phone', 'document', 'name', 'number', 'prove'])
    assert.equal(reachable('prove', 'number', way('form', true)), false)
  })

  it('never leads to a page that is not open', () => {
    const subject = fc.constantFrom<Evidence['subject']>({ phone }, { person: 'a' }, { issuer: 'nation', code: 'c' })
    const attempt = fc.record(
      {
        challenge: fc.constant(challenge),
        evidence: fc
          .tuple(subject, fc.constantFrom<Level>(...levels))
          .map(([of, level]) => ({ ...evidence(level), subject: of })),
        documentKind: fc.constantFrom(...documentKinds),
        name: fc.constant('刘䶮'),
        number: fc.constant('1'),
        proofed: fc.boolean(),
        publicComputer: fc.boolean(),
      },
      { requiredKeys: ['proofed', 'publicComputer'] },
    )
    const method = fc.option(
      fc.record({ by: fc.constantFrom<Verifier['by']>('phone', 'device', 'redirect', 'form'), named: fc.boolean() }),
      { nil: undefined },
    )
    const crowd = fc.constantFrom([], [citizen('a', 1)], [citizen('a', 2)], [citizen('a', 1), citizen('b', 3)])
    const first = fc.constantFrom<First>('phone', 'passkey', 'method')
    fc.assert(
      fc.property(attempt, crowd, method, first, fc.boolean(), (given, people, how, start, numberByLaw) => {
        const chosen = how && way(how.by, how.named)
        const next = nextStep(given, people, web, 2, { first: start, method: chosen, numberByLaw })
        if (next !== 'done' && next !== 'low') assert.ok(reachable(next, next, chosen), `${next} after ${how?.by}`)
      }),
      { numRuns: 5_000 },
    )
  })

  it('opens the questions that follow where it has proven a phone, or the browser would go round in circles', () => {
    for (const next of ['who', 'document', 'name', 'number'] as const)
      assert.ok(reachable(next, next, way('form')), next)
  })

  it('is not offered to the application of the platform that it asks', () => {
    const province: Verifier = { ...way('redirect'), notFor: ['platform'] }
    const all = new Map([['way', province]])
    const channel = { ...web, verifiers: ['way'] }
    assert.deepEqual(offered(channel, all, 2, 'platform'), [])
    assert.deepEqual(offered(channel, all, 2, 'other'), [province])
  })
})

describe('which pages are open', () => {
  const order: readonly Step[] = ['phone', 'code', 'who', 'document', 'name', 'number']
  it('those behind and the present one, none ahead', () => {
    order.forEach((next, at) =>
      order.forEach((step, place) => assert.equal(reachable(step, next), place <= at, `${step} at ${next}`)),
    )
  })
  it('none when it is done, and another phone when the level cannot be reached', () => {
    for (const step of order) {
      assert.equal(reachable(step, 'done'), false)
      assert.equal(reachable(step, 'low'), step === 'phone')
    }
  })
})

describe('what is offered', () => {
  const verifiers = new Map([verifier('sms', 2), verifier('passkey', 3)].map((one) => [one.name, one]))
  const channel = { ...web, verifiers: ['passkey', 'sms', 'not-configured'] }
  const names = (asked: Level) => offered(channel, verifiers, asked).map(({ name }) => name)

  it('what the channel names, in its order, and this deployment has', () =>
    assert.deepEqual(names(1), ['passkey', 'sms']))
  it('only what can reach the level asked', () => {
    assert.deepEqual(names(3), ['passkey'])
    assert.deepEqual(names(4), [])
  })
  it('hides what is broken, unless nothing else is left', () => {
    const broken = (name: string) => ({ ...(verifiers.get(name) as Verifier), down: () => true })
    const namesOf = (...down: string[]) =>
      offered(channel, new Map([...verifiers, ...down.map((name) => [name, broken(name)] as const)]), 1).map(
        ({ name }) => name,
      )
    const all = names(1)
    assert.ok(all.length > 1)
    assert.deepEqual(namesOf(all[0] as string), all.slice(1))
    assert.deepEqual(namesOf(...all), all)
  })
  it('what is broken where only a device would be left, which not everybody has added', () => {
    const [sms, passkey] = ['sms', 'passkey'].map((name) => verifiers.get(name) as Verifier) as [Verifier, Verifier]
    const all = new Map([
      ['sms', { ...sms, down: () => true }],
      ['passkey', { ...passkey, by: 'device', enrolled: true } as const],
    ])
    assert.deepEqual(
      offered(channel, all, 1).map(({ name }) => name),
      ['passkey', 'sms'],
    )
  })
  it('nothing that the channel does not name', () => assert.deepEqual(offered(web, new Map(), 1), []))
})

describe('the level reached', () => {
  it('is the least of proofing, method and channel', () => {
    for (const proofing of levels)
      for (const method of levels)
        for (const top of levels)
          assert.equal(
            reachedLevel(citizen('a', proofing), evidence(method), { ...web, top }),
            Math.min(proofing, method, top),
          )
  })
})
