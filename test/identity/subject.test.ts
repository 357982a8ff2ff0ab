import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { isAppError } from '#src/errors.ts'
import { isSector, pairwiseSubject } from '#src/identity/subject.ts'

const mac = (text: string): string => createHmac('sm3', 'a key of this test').update(text).digest('base64url')

describe('pairwise subjects', () => {
  it('stay the same for a person in a sector', () => {
    const subject = pairwiseSubject(mac, 'tax.city.example', 'p1')
    assert.equal(pairwiseSubject(mac, 'tax.city.example', 'p1'), subject)
    assert.match(subject, /^[\w-]{43}$/)
  })

  it('differ between sectors, between persons and between keys', () => {
    const other = (text: string): string => createHmac('sm3', 'another key').update(text).digest('base64url')
    const subjects = [
      pairwiseSubject(mac, 'tax.city.example', 'p1'),
      pairwiseSubject(mac, 'water.city.example', 'p1'),
      pairwiseSubject(mac, 'tax.city.example', 'p2'),
      pairwiseSubject(other, 'tax.city.example', 'p1'),
    ]
    assert.equal(new Set(subjects).size, subjects.length)
  })

  it('tell the MAC which use it is for', () => {
    const seen: string[] = []
    pairwiseSubject((text) => (seen.push(text), mac(text)), 'a', 'b')
    assert.deepEqual(seen, ['yihao pairwise subject v1\na\nb'])
  })

  it('are refused for what is no sector, and from a MAC that is too short or not base64url', () => {
    const refused = (error: unknown): boolean => isAppError(error, 'config_invalid')
    assert.throws(() => pairwiseSubject(mac, 'a\nb', 'c'), refused)
    assert.throws(() => pairwiseSubject(() => 'short', 'a', 'b'), refused)
    assert.throws(() => pairwiseSubject((text) => `${mac(text)}=`, 'a', 'b'), refused)
  })
})

describe('sectors', () => {
  it('are lower-case labels, as in a host name', () => {
    for (const text of ['a', 'tax', 'tax.city.example', 'a-1.b', 'a'.repeat(63), `${'a.'.repeat(126)}b`])
      assert.ok(isSector(text), text)
    for (const text of ['', 'Tax', 'a..b', '.a', 'a.', '-a', 'a-', 'a_b', 'a b', 'a/b', '税', 'a\n', 'a'.repeat(64)])
      assert.ok(!isSector(text), text)
    assert.ok(!isSector(`${'a.'.repeat(126)}bc`))
  })
})
