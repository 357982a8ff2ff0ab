import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { isAppError } from '#src/errors.ts'
import { isSector, pairwiseSubject } from '#src/identity/subject.ts'

const macUnder =
  (key: string) =>
  async (text: string): Promise<Buffer> =>
    createHmac('sm3', key).update(text).digest()
const mac = macUnder('a key of this test')

describe('pairwise subjects', () => {
  it('stay the same for a person in a sector', async () => {
    const subject = await pairwiseSubject(mac, 'tax.city.example', 'p1')
    assert.equal(await pairwiseSubject(mac, 'tax.city.example', 'p1'), subject)
    assert.match(subject, /^[\w-]{43}$/)
  })

  it('differ between sectors, between persons and between keys', async () => {
    const subjects = await Promise.all([
      pairwiseSubject(mac, 'tax.city.example', 'p1'),
      pairwiseSubject(mac, 'water.city.example', 'p1'),
      pairwiseSubject(mac, 'tax.city.example', 'p2'),
      pairwiseSubject(macUnder('another key'), 'tax.city.example', 'p1'),
    ])
    assert.equal(new Set(subjects).size, subjects.length)
  })

  it('tell the MAC which use it is for', async () => {
    const seen: string[] = []
    await pairwiseSubject((text) => (seen.push(text), mac(text)), 'a', 'b')
    assert.deepEqual(seen, ['yihao pairwise subject v1\na\nb'])
  })

  it('are refused for what is no sector, and from a MAC that is too short', async () => {
    const refused = (error: unknown): boolean => isAppError(error, 'config_invalid')
    await assert.rejects(pairwiseSubject(mac, 'a\nb', 'c'), refused)
    await assert.rejects(
      pairwiseSubject(async () => Buffer.alloc(15), 'a', 'b'),
      refused,
    )
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
