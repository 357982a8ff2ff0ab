import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ageOn, dayInChina, isUnder14, parseDate } from '#src/identity/calendar.ts'

const at = (text: string): number => Date.parse(`${text}+08:00`)

describe('calendar', () => {
  it('takes the day from China, whatever the day in Greenwich', () => {
    assert.equal(dayInChina(Date.parse('2026-11-24T15:59:59Z')), '2026-11-24')
    assert.equal(dayInChina(Date.parse('2026-11-24T16:00:00Z')), '2026-11-25')
  })

  it('reads only days that exist', () => {
    assert.equal(parseDate('20240229'), '2024-02-29')
    for (const digits of ['20230229', '19000229', '20230230', '20231301', '20230001', '2023010', '2023-01-01', ''])
      assert.equal(parseDate(digits), undefined, digits)
  })

  it('reads back every day there is', () => {
    const day = fc.date({ min: new Date('1800-01-01'), max: new Date('2199-12-31'), noInvalidDate: true })
    fc.assert(
      fc.property(day, (date) => {
        const text = date.toISOString().slice(0, 10)
        assert.equal(parseDate(text.replaceAll('-', '')), text)
      }),
    )
  })

  it('adds a year at midnight in China on the birthday', () => {
    assert.equal(ageOn('2008-11-24', at('2026-11-23T23:59:59')), 17)
    assert.equal(ageOn('2008-11-24', at('2026-11-24T00:00:00')), 18)
    assert.equal(ageOn('1941-02-14', at('2026-11-24T12:00:00')), 85)
    assert.equal(ageOn('2026-11-24', at('2026-11-24T12:00:00')), 0)
  })

  it('lets those born on 29 February grow older on 1 March, in leap years on the day', () => {
    assert.equal(ageOn('2008-02-29', at('2026-02-28T23:59:59')), 17)
    assert.equal(ageOn('2008-02-29', at('2026-03-01T00:00:00')), 18)
    assert.equal(ageOn('2008-02-29', at('2028-02-28T12:00:00')), 19)
    assert.equal(ageOn('2008-02-29', at('2028-02-29T00:00:00')), 20)
  })

  it('tells a child of 13 from one of 14', () => {
    assert.equal(isUnder14('2012-11-25', at('2026-11-24T12:00:00')), true)
    assert.equal(isUnder14('2012-11-24', at('2026-11-24T12:00:00')), false)
  })
})
