/**
 * What every driver of the population register must do. The caller brings one question for each answer; `fail` makes
 * the register unreachable.
 */

import assert from 'node:assert/strict'
import { isAppError } from '#src/errors.ts'
import type { PopulationRegister, RegisterAnswer, RegisterChange, RegisterQuery } from '#src/identity/registry.ts'

export interface RegisterUnderTest {
  readonly register: PopulationRegister
  fail(): void | Promise<void>
}

export type RegisterQuestions = Readonly<Record<Exclude<RegisterAnswer['result'], 'mismatch'>, RegisterQuery>> & {
  /** `match` with its phone; this one is somebody else's. */
  readonly otherPhone: string
  /** A number that nobody has. */
  readonly unknownNumber: string
}

/** @param open a fresh register with at least three changes to tell */
export function populationRegisterContract(open: () => Promise<RegisterUnderTest>, questions: RegisterQuestions): void {
  let register: PopulationRegister
  let fail: RegisterUnderTest['fail']

  beforeEach(async () => {
    const opened = await open()
    register = opened.register
    fail = () => opened.fail()
  })

  it('finds name, number and phone to be one person', async () => {
    assert.ok(questions.match.phone)
    assert.deepEqual(await register.check(questions.match), { result: 'match', phone: 'match' })
  })

  it('tells somebody else’s phone from a phone that was not asked', async () => {
    const match = { ...questions.match, phone: questions.otherPhone }
    assert.deepEqual(await register.check(match), { result: 'match', phone: 'mismatch' })
    const { phone: _, ...without } = questions.match
    assert.deepEqual(await register.check(without), { result: 'match', phone: 'unknown' })
  })

  it('gives one and the same answer to a wrong name and to an unknown number', async () => {
    const wrongName = await register.check({ ...questions.match, name: '查无此人' })
    const wrongNumber = await register.check({ ...questions.match, number: questions.unknownNumber })
    assert.deepEqual(wrongName, { result: 'mismatch' })
    assert.deepEqual(wrongNumber, wrongName)
  })

  for (const result of ['deceased', 'cancelled', 'document-void', 'renamed', 'renumbered'] as const) {
    it(`answers ${result}, and nothing more`, async () => {
      assert.deepEqual(await register.check(questions[result]), { result })
    })

    it(`does not say ${result} to who does not know the name`, async () => {
      assert.deepEqual(await register.check({ ...questions[result], name: '查无此人' }), { result: 'mismatch' })
    })
  }

  it('tells each change once, in order, in pages of any size', async () => {
    const all = await register.changes(undefined, 1_000)
    assert.ok(all.changes.length >= 3)
    assert.deepEqual(
      all.changes.map(({ at }) => at),
      all.changes.map(({ at }) => at).toSorted((a, b) => a - b),
    )
    const paged: RegisterChange[] = []
    let cursor: string | undefined
    for (;;) {
      const page = await register.changes(cursor, 2)
      assert.ok(page.changes.length <= 2)
      cursor = page.cursor
      if (page.changes.length === 0) break
      paged.push(...page.changes)
    }
    assert.deepEqual(paged, all.changes)
    assert.equal(cursor, all.cursor)
    assert.deepEqual(await register.changes(all.cursor, 10), { changes: [], cursor: all.cursor })
  })

  it('refuses a cursor it never gave', async () => {
    await assert.rejects(register.changes('no cursor', 1), (error) => isAppError(error, 'bad_request'))
  })

  it('is unavailable when it cannot be reached, which is never a mismatch', async () => {
    await fail()
    const unavailable = (error: unknown): boolean => isAppError(error, 'register_unavailable')
    await assert.rejects(register.check(questions.match), unavailable)
    await assert.rejects(register.check({ ...questions.match, name: '查无此人' }), unavailable)
    await assert.rejects(register.changes(undefined, 1), unavailable)
  })
}
