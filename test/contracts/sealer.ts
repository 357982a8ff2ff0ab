/** What every `Sealer` must do, run by each implementation (DESIGN D6). */
import { strict as assert } from 'node:assert'
import type { Sealer } from '#src/crypto/sealer.ts'
import { isAppError } from '#src/errors.ts'

const refused = (error: unknown) => isAppError(error, 'sealed_value_invalid')

/** `make` gives the sealer under test and, as `other`, one whose keys are others. */
export function sealerContract(name: string, make: () => Promise<{ sealer: Sealer; other: Sealer }>): void {
  describe(`Sealer: ${name}`, () => {
    const [person, place] = ['person:1', 'person.name']
    let sealer: Sealer
    let other: Sealer
    let key: string

    before(async () => {
      ;({ sealer, other } = await make())
      key = await sealer.newDataKey(person)
    })

    it('opens what it sealed, from nothing to long and rare', async () => {
      for (const plain of ['', 'a', '阿依古丽·买买提', '𬎆䶮', '张'.repeat(5000), '\u0000\n"'])
        assert.equal(await sealer.open(key, person, await sealer.seal(key, person, plain, place), place), plain)
    })

    it('seals the same value differently each time, and shows nothing of it', async () => {
      const sealed = await Promise.all(Array.from({ length: 50 }, () => sealer.seal(key, person, '示例人甲', place)))
      assert.equal(new Set(sealed).size, 50)
      for (const text of sealed) assert.ok(!Buffer.from(text, 'base64url').includes('示例人甲'))
    })

    it('gives every person a key of his own, whose wrapping is no key', async () => {
      const keys = await Promise.all(Array.from({ length: 50 }, () => sealer.newDataKey(person)))
      assert.equal(new Set(keys).size, 50)
    })

    describe('does not open a value', () => {
      let sealed: string
      before(async () => {
        sealed = await sealer.seal(key, person, '示例人甲', place)
      })

      it('in another place', async () => {
        for (const context of ['person.phone', 'person.nam', 'person.name ', ''])
          await assert.rejects(sealer.open(key, person, sealed, context), refused)
      })

      it('with another key, also one of the same person', async () => {
        for (const context of [person, 'person:2'])
          await assert.rejects(sealer.open(await sealer.newDataKey(context), context, sealed, place), refused)
      })

      it('whose key is said to be for somebody else', async () => {
        await assert.rejects(sealer.open(key, 'person:2', sealed, place), refused)
        await assert.rejects(sealer.seal(key, 'person:2', 'a', place), refused)
      })

      it('without the keys it was sealed under', () => assert.rejects(other.open(key, person, sealed, place), refused))

      it('of which a single bit was changed, and no wrapped key either', async () => {
        const changes = (text: string) => [...text].flatMap((_, at) => flipped(text, at))
        for (const changed of changes(sealed)) await assert.rejects(sealer.open(key, person, changed, place), refused)
        for (const changed of changes(key)) await assert.rejects(sealer.open(changed, person, sealed, place), refused)
      })

      it('cut short, added to, or of another form', async () => {
        const cuts = [1, 4, 44, sealed.length - 3, sealed.length].map((n) => sealed.slice(0, -n))
        for (const text of [
          ...cuts,
          `${sealed}A`,
          `${sealed}=`,
          ` ${sealed}`,
          `${sealed}\n`,
          `2${sealed.slice(1)}`,
          'null',
        ])
          await assert.rejects(sealer.open(key, person, text, place), refused)
        for (const text of ['', '1', '1..', `${key}.x`, `${key}A`, `x${key}`])
          await assert.rejects(sealer.open(text, person, sealed, place), refused)
      })
    })

    it('is right a thousand times at once, over many keys', async () => {
      const people = await Promise.all(
        Array.from({ length: 100 }, async (_, n) => ({
          context: `person:${n}`,
          key: await sealer.newDataKey(`person:${n}`),
        })),
      )
      await Promise.all(
        Array.from({ length: 1000 }, async (_, n) => {
          const { context, key: own } = people[n % 100] as (typeof people)[number]
          const sealed = await sealer.seal(own, context, `value ${n}`, place)
          assert.equal(await sealer.open(own, context, sealed, place), `value ${n}`)
        }),
      )
    })

    describe('index', () => {
      it('is the same for the same value, and says nothing without the key', async () => {
        const [a, b] = await Promise.all([sealer.index('phone', '13800000000'), sealer.index('phone', '13800000000')])
        assert.equal(a, b)
        assert.notEqual(a, await other.index('phone', '13800000000'))
        assert.ok(!a.includes('138'))
      })

      it('differs from value to value and from field to field', async () => {
        const all = await Promise.all([
          sealer.index('phone', '1'),
          sealer.index('phone', '2'),
          sealer.index('document', '1'),
          sealer.index('document', ''),
        ])
        assert.equal(new Set(all).size, all.length)
      })

      it('carries the version of its key', async () => assert.match(await sealer.index('phone', '1'), /^\d+\../))
    })
  })
}

/** The text with one bit of one character changed: a bit that the decoding may skip, and one it must not. */
function flipped(text: string, at: number): string[] {
  return [1, 16].map((bit) => text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ bit) + text.slice(at + 1))
}
