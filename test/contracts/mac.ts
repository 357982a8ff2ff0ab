/** What every `Mac` must do, run by each implementation: HMAC-SM3 of the text's UTF-8 under one key. */
import { strict as assert } from 'node:assert'
import type { Mac } from '#src/crypto/mac.ts'

/** `make` gives the MAC under test and, as `other`, one of another key. */
export function macContract(name: string, make: () => Promise<{ readonly mac: Mac; readonly other: Mac }>): void {
  describe(`Mac: ${name}`, () => {
    let mac: Mac
    let other: Mac
    before(async () => {
      ;({ mac, other } = await make())
    })

    it('is 32 bytes, the same for the same text', async () => {
      for (const text of ['', 'a', '张'.repeat(5000), '𬎆\u0000\n"']) {
        const [first, second] = await Promise.all([mac(text), mac(text)])
        assert.equal(first.length, 32)
        assert.deepEqual(first, second)
      }
    })

    it('differs from text to text and from key to key', async () => {
      const all = await Promise.all([mac(''), mac('a'), mac('b'), mac('a '), mac('é'), mac('e\u0301'), other('a')])
      assert.equal(new Set(all.map((bytes) => bytes.toString('hex'))).size, all.length)
    })

    it('is right five hundred times at once', async () => {
      const texts = Array.from({ length: 500 }, (_, n) => `text ${n}`)
      const [once, again] = [await Promise.all(texts.map(mac)), await Promise.all(texts.toReversed().map(mac))]
      assert.deepEqual(once, again.toReversed())
    })
  })
}
