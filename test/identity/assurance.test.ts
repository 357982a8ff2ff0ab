import assert from 'node:assert/strict'
import { acrOf, enough, levelOfAcr, levels, sessionLevel } from '#src/identity/assurance.ts'

describe('levels of assurance', () => {
  it('are named by URNs that read back, and by nothing else', () => {
    assert.equal(acrOf(2), 'urn:yihao:loa:2')
    for (const level of levels) assert.equal(levelOfAcr(acrOf(level)), level)
    for (const acr of [
      '',
      '2',
      'urn:yihao:loa:0',
      'urn:yihao:loa:5',
      'urn:yihao:loa:22',
      'URN:YIHAO:LOA:2',
      ' urn:yihao:loa:2',
    ])
      assert.equal(levelOfAcr(acr), undefined, acr)
  })

  it('make a session no better than its account nor than its method', () => {
    assert.equal(sessionLevel(1, 4), 1)
    assert.equal(sessionLevel(4, 2), 2)
    assert.equal(sessionLevel(3, 3), 3)
  })

  it('are ordered: more than asked is enough', () => {
    assert.deepEqual(
      levels.map((have) => levels.filter((asked) => enough(have, asked)).length),
      [1, 2, 3, 4],
    )
    assert.ok(enough(4, 2))
    assert.ok(!enough(2, 3))
  })
})
