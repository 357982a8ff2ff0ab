import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readPopulation } from '#src/demo/cast.ts'
import { createFileRegister } from '#src/demo/population-register.ts'
import { isAppError } from '#src/errors.ts'
import { ageOn } from '#src/identity/calendar.ts'
import { birthDateIn } from '#src/identity/id-number.ts'
import { populationRegisterContract } from '../contracts/population-register.ts'
import { asked, castQuestions, member, population } from '../support/cast-questions.ts'

describe('the register of the demo city', () => {
  populationRegisterContract(async () => {
    const register = createFileRegister()
    return { register, fail: () => register.setDown(true) }
  }, castQuestions)

  const register = createFileRegister()

  it('comes back when it is no longer set down', async () => {
    const flaky = createFileRegister()
    flaky.setDown(true)
    await assert.rejects(flaky.check(asked('yan')))
    flaky.setDown(false)
    assert.equal((await flaky.check(asked('yan'))).result, 'match')
  })

  it('knows the whole cast by today’s name, number and phone', async () => {
    for (const { key, state } of population.people) {
      const { result } = await register.check(asked(key))
      assert.equal(result, state === 'living' ? 'match' : state, key)
    }
  })

  it('compares names as people write them and numbers as they are normalised', async () => {
    assert.equal((await register.check(asked('yan', { name: '刘\ue863' }))).result, 'match')
    assert.equal((await register.check(asked('ayiguli', { name: '阿依古丽•买买提' }))).result, 'match')
    assert.equal((await register.check(asked('maria', { name: 'Maria Garcia Lopez' }))).result, 'match')
    assert.equal((await register.check(asked('ayiguli', { number: '69010119960912104x' }))).result, 'match')
    assert.equal((await register.check(asked('maria', { kind: 'passport', number: 'XX0000001' }))).result, 'mismatch')
  })

  it('gives a recycled phone to its new owner only, a shared one to both, and knows none of the child', async () => {
    const recycled = member('old-owner').formerPhones[0]
    assert.equal(recycled, member('new-owner').phone)
    assert.deepEqual(await register.check(asked('old-owner', { phone: recycled })), {
      result: 'match',
      phone: 'mismatch',
    })
    assert.deepEqual(await register.check(asked('new-owner', { phone: recycled })), { result: 'match', phone: 'match' })
    assert.equal(member('he').phone, member('xu').phone)
    for (const key of ['he', 'xu'])
      assert.deepEqual(await register.check(asked(key)), { result: 'match', phone: 'match' })
    assert.deepEqual(await register.check(asked('child', { phone: member('he').phone })), {
      result: 'match',
      phone: 'unknown',
    })
  })

  it('tells a change of each kind, about people of the cast', async () => {
    const { changes } = await register.changes(undefined, 100)
    assert.deepEqual(
      changes.map(({ change }) => change),
      ['renamed', 'renumbered', 'deceased', 'cancelled', 'document-void'],
    )
    for (const change of changes) {
      const today = change.change === 'renumbered' ? change.newNumber : change.number
      const person = population.people.find(({ number }) => number === today)
      assert.ok(person, change.change)
      if (change.change === 'renamed') assert.equal(person.name, change.newName)
      else if (change.change === 'renumbered') assert.ok(person.formerNumbers.includes(change.number))
      else assert.equal(person.state, change.change)
    }
  })
})

describe('a register file of one’s own', () => {
  let folder: string
  let file: string
  const { kind, number } = member('yan')
  const about = 'test'

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'population-'))
    file = join(folder, 'population.json')
  })
  afterEach(() => rm(folder, { recursive: true }))

  const write = (people: object[], changes: object[] = []): Promise<void> =>
    writeFile(file, JSON.stringify({ about, people, changes }))

  it('tells two people apart who were once given the same number (重号)', async () => {
    const corrected = member('he').number
    await write([
      { key: 'keeps', about, kind, number, name: '甲' },
      { key: 'corrected', about, kind, number: corrected, name: '乙', formerNumbers: [number] },
    ])
    const register = createFileRegister(file)
    assert.equal((await register.check({ kind, number, name: '甲' })).result, 'match')
    assert.equal((await register.check({ kind, number, name: '乙' })).result, 'renumbered')
    assert.equal((await register.check({ kind, number: corrected, name: '乙' })).result, 'match')
    assert.equal((await register.check({ kind, number: corrected, name: '甲' })).result, 'mismatch')
  })

  it('counts an edit at once', async () => {
    const register = createFileRegister(file)
    const person = { key: 'a', about, kind, number, name: '甲' }
    await write([person])
    assert.equal((await register.check({ kind, number, name: '甲' })).result, 'match')
    await write([{ ...person, state: 'deceased' }])
    assert.equal((await register.check({ kind, number, name: '甲' })).result, 'deceased')
  })

  it('is unavailable while its file is missing, torn or wrong', async () => {
    const register = createFileRegister(file)
    const unavailable = (error: unknown): boolean => isAppError(error, 'register_unavailable')
    const question = { kind, number, name: '甲' }
    await assert.rejects(register.check(question), unavailable)
    await writeFile(file, '{"people": [')
    await assert.rejects(register.check(question), unavailable)
    await write([{ key: 'a', about, kind, number: '690101199203051011', name: '甲' }])
    await assert.rejects(register.check(question), unavailable)
  })

  it('names the place of a fault and never its value', async () => {
    await write([{ key: 'a', about, kind, number: '690101199203051011', name: '甲1', phone: '199' }])
    await assert.rejects(readPopulation(file), (error) => {
      assert.ok(isAppError(error, 'config_invalid'))
      assert.match(error.message, /people\.0\.name/)
      assert.doesNotMatch(error.message, /690101|甲|199/)
      return true
    })
  })
})

describe('the cast', () => {
  const november = [Date.parse('2026-11-01T00:00:00+08:00'), Date.parse('2026-11-30T23:59:59+08:00')]

  it('is as old as its story says throughout November 2026', () => {
    for (const [key, age] of [
      ['child', 13],
      ['teenager', 16],
      ['yan', 34],
      ['elder', 85],
    ] as const)
      for (const now of november) assert.equal(ageOn(birthDateIn(member(key).number) ?? '', now), age, key)
  })

  it('is plainly synthetic: no assigned area code, phones from one made-up range, nobody twice', () => {
    const { people } = population
    for (const { number, formerNumbers } of people)
      for (const any of [number, ...formerNumbers]) assert.match(any, /^(69|969)/)
    for (const { phone, formerPhones } of people)
      for (const any of [phone ?? '+8619900000000', ...formerPhones]) assert.match(any, /^\+861990000\d{4}$/)
    const numbers = people.flatMap(({ number, formerNumbers }) => [number, ...formerNumbers])
    assert.equal(new Set(numbers).size, numbers.length)
    assert.equal(new Set(people.map(({ key }) => key)).size, people.length)
  })

  it('has nobody by a name of ours who is not in the file', () => {
    assert.throws(
      () => member('clerk'),
      (error) => isAppError(error, 'config_invalid'),
    )
  })
})
