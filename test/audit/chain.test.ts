import { strict as assert } from 'node:assert'
import { sm3 } from 'jose'
import { follows, genesis, link } from '#src/audit/chain.ts'

describe('The hash chain of the audit trail', () => {
  const start = genesis('node-1')
  const first = link(start, { at: 1, reference: 'ABCDE-FGHJK', body: '{"type":"login"}' })
  const second = link(first, { at: 2, body: '{"type":"token"}' })

  it('numbers rows from one and covers the row before', () => {
    assert.deepEqual([start.seq, first.seq, second.seq], [0, 1, 2])
    assert.ok(follows(start, first) && follows(first, second))
    assert.notEqual(first.hash, second.hash)
  })

  it('hashes with SM3 what anybody can recompute from the columns', () => {
    const text = JSON.stringify([start.hash, 'node-1', 1, 1, 'ABCDE-FGHJK', '{"type":"login"}'])
    assert.equal(first.hash, sm3(Buffer.from(text)).toString('hex'))
    const begin = sm3(Buffer.from('yihao-audit-v1|node-1')).toString('hex')
    assert.equal(start.hash, begin)
  })

  it('gives each node a beginning of its own', () => {
    assert.notEqual(genesis('node-2').hash, start.hash)
    assert.ok(!follows(genesis('node-2'), first))
  })

  const changes: [what: string, change: object][] = [
    ['the time', { at: 3 }],
    ['the reference', { reference: 'ABCDE-FGHJL' }],
    ['an absent reference to an empty one', { reference: '' }],
    ['the body', { body: '{"type":"tokem"}' }],
    ['the number', { seq: 3 }],
    ['the node', { node: 'node-2' }],
    ['the hash', { hash: first.hash }],
  ]
  for (const [what, change] of changes)
    it(`shows a change of ${what}`, () => assert.ok(!follows(first, { ...second, ...change })))

  it('does not let text move from one field into the next', () => {
    const row = link(first, { at: 2, reference: 'a', body: 'bc' })
    assert.ok(!follows(first, { ...row, reference: 'ab', body: 'c' }))
    assert.ok(!follows(first, { ...row, reference: 'a","b', body: 'c' }))
  })

  it('shows a row that is missing, and two that changed places', () => {
    assert.ok(!follows(start, second))
    const other = link(second, { at: 3, body: '{}' })
    assert.ok(!follows(first, { ...other, seq: 2 }))
  })
})
