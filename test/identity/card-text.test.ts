import assert from 'node:assert/strict'
import { cardTextLength, decodeCardText, encodeCardText, type CardText } from '#src/identity/card-text.ts'

type Written = Omit<CardText, 'kind'>

const resident: Written = {
  mark: ' ',
  name: '刘䶮',
  sex: '1',
  folk: '01',
  birthDate: '1992-03-05',
  address: '示例市中山路1号',
  number: '690101199203051010',
  authority: '示例市公安局',
  validFrom: '2020-02-29',
  validUntil: '2040-02-28',
}
const permit: Written = {
  mark: 'J',
  name: '陈小明',
  sex: '2',
  birthDate: '1990-01-02',
  address: '示例市中山路2号',
  number: '810000199001020020',
  authority: '示例市公安局',
  validFrom: '2020-01-01',
  validUntil: '2025-01-01',
  permitNumber: 'H12345678',
  issues: '01',
}
const foreign2017: Written = {
  mark: 'I',
  name: '玛丽亚',
  latinName: 'GARCIA LOPEZ, MARIA',
  sex: '2',
  birthDate: '1990-04-17',
  number: 'ESP110190041701',
  authority: '1100',
  validFrom: '2018-01-01',
  validUntil: '2028-01-01',
  nationality: 'ESP',
}
const foreign2023: Written = {
  mark: 'Y',
  name: '',
  latinName: 'MARIA GARCIA LOPEZ',
  sex: '2',
  birthDate: '1990-04-17',
  number: '969724199004170026',
  validFrom: '2024-01-01',
  validUntil: '2034-01-01',
  nationality: '724',
}
const all: readonly (readonly [string, Written, string])[] = [
  ['resident identity card', resident, 'resident-id-card'],
  ['residence permit', permit, 'hk-macao-taiwan-residence-permit'],
  ['foreigner’s card of 2017', foreign2017, 'foreigner-permanent-resident-card'],
  ['foreigner’s card of 2023', foreign2023, 'foreigner-permanent-resident-card'],
]

/** Puts a text at a byte of the block. */
const withText = (card: Written, at: number, text: string): Buffer => {
  const block = encodeCardText(card)
  block.write(text, at, 'utf16le')
  return block
}
const faultOf = (block: Uint8Array) => {
  const read = decodeCardText(block)
  return read.ok ? 'none' : read.fault
}

describe('the text block of a card', () => {
  for (const [what, card, kind] of all) {
    it(`of a ${what} reads as it was written`, () => {
      const block = encodeCardText(card)
      assert.equal(block.length, cardTextLength)
      assert.deepEqual(decodeCardText(block), { ok: true, card: { ...card, kind } })
    })
  }

  it('has the fields where the published table has them', () => {
    const at = (block: Buffer, offset: number, length: number) =>
      block
        .subarray(offset, offset + length)
        .toString('utf16le')
        .trimEnd()
    const block = encodeCardText(resident)
    const table = { 0: 30, 30: 2, 32: 4, 36: 16, 52: 70, 122: 36, 158: 30, 188: 16, 204: 16 }
    assert.deepEqual(
      Object.entries(table).map(([offset, length]) => at(block, Number(offset), length)),
      ['刘䶮', '1', '01', '19920305', '示例市中山路1号', '690101199203051010', '示例市公安局', '20200229', '20400228'],
    )
    assert.equal(at(encodeCardText(foreign2017), 0, 120), 'GARCIA LOPEZ, MARIA')
    assert.equal(at(encodeCardText(foreign2017), 122, 30), 'ESP110190041701')
    assert.equal(at(encodeCardText(permit), 220, 18), 'H12345678')
    for (const [mark, card] of [
      ['J', permit],
      ['I', foreign2017],
      ['Y', foreign2023],
    ] as const)
      assert.equal(at(encodeCardText(card), 248, 2), mark)
  })

  it('knows a card that never ends, a rare character of two units and a folk beyond the 56', () => {
    const card = { ...resident, name: '王𬎆', validUntil: 'indefinite', folk: '97' }
    assert.deepEqual(decodeCardText(encodeCardText(card)), { ok: true, card: { ...card, kind: 'resident-id-card' } })
    assert.equal(encodeCardText(card).subarray(204, 208).toString('utf16le'), '长期')
  })

  it('joins a long Latin name where it breaks, at a space too', () => {
    for (const latinName of [
      `${'A'.repeat(34)} ${'B'.repeat(8)}`,
      `${'A'.repeat(35)} ${'B'.repeat(8)}`,
      'A'.repeat(46),
    ]) {
      const read = decodeCardText(encodeCardText({ ...foreign2023, latinName }))
      assert.equal(read.ok && read.card.latinName, latinName)
    }
  })

  it('is heard where a reader left the reserve empty or zero, and the number says what card it is', () => {
    for (const rest of [' '.repeat(18), '\0'.repeat(18)]) {
      for (const [card, kind] of [
        [resident, 'resident-id-card'],
        [permit, 'hk-macao-taiwan-residence-permit'],
        [foreign2023, 'foreigner-permanent-resident-card'],
      ] as const) {
        const read = decodeCardText(withText(card, 220, rest))
        assert.equal(read.ok && read.card.kind, kind)
        assert.equal(read.ok && read.card.permitNumber, undefined)
      }
    }
  })

  const faults: readonly (readonly [string, Uint8Array, string])[] = [
    ['shorter', encodeCardText(resident).subarray(2), 'length'],
    ['longer', Buffer.concat([encodeCardText(resident), Buffer.alloc(2)]), 'length'],
    ['empty', Buffer.alloc(cardTextLength, ' \0', 'latin1'), 'name'],
    ['nothing but zeros', Buffer.alloc(cardTextLength), 'encoding'],
    ['half a character in the name', withText(resident, 0, '\ud800'), 'encoding'],
    ['a character cut by the end of a field', withText(resident, 28, '\ud86f'), 'encoding'],
    ['a name padded with zeros', withText(resident, 4, '\0'), 'encoding'],
    ['a name that begins with a space', withText(resident, 0, ' 刘'), 'padding'],
    ['an unknown mark', withText(resident, 248, 'Q'), 'mark'],
    ['a permit’s mark on a resident’s number', withText(resident, 248, 'J'), 'mark'],
    ['a sex that there is not', withText(resident, 30, '3'), 'sex'],
    ['a birth on 30 February', withText(resident, 36, '19920230'), 'birth-date'],
    ['a birth in words', withText(resident, 36, '长期      '), 'birth-date'],
    ['no beginning', withText(resident, 188, '        '), 'validity'],
    ['a beginning that never ends', withText(resident, 188, '长期      '), 'validity'],
    ['an end before the beginning', withText(resident, 204, '20200228'), 'validity'],
    ['an end that is no day', withText(resident, 204, '20400230'), 'validity'],
  ]
  for (const [what, block, code] of faults) {
    it(`is refused where it is ${what}`, () => assert.equal(faultOf(block), code))
  }

  it('is not written where something does not fit', () => {
    assert.throws(() => encodeCardText({ ...resident, name: '长'.repeat(16) }), RangeError)
    assert.throws(() => encodeCardText({ ...foreign2023, latinName: 'A'.repeat(47) }), RangeError)
  })

  it('says the same of whatever bytes it is given: a card or a code, and throws nothing', () => {
    let seed = 7
    for (let round = 0; round < 500; round += 1) {
      const block = encodeCardText(all[round % 4]![1])
      for (let n = 0; n < 3; n += 1) block[(seed = (seed * 48271) % 2147483647) % 256] = seed % 251
      const read = decodeCardText(block)
      if (read.ok) assert.ok(read.card.number.length <= 18)
    }
  })
})
