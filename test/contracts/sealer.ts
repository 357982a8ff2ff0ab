/** What every `Sealer` must do, run by each implementation (DESIGN D6). */
import { strict as assert } from 'node:assert'
import { wrappingKeyOf } from '#src/crypto/key-wrapper.ts'
import { indexVersionOf, type Sealer } from '#src/crypto/sealer.ts'
import { isAppError } from '#src/errors.ts'

const refused = (error: unknown) => isAppError(error, 'sealed_value_invalid')

interface Sealers {
  readonly sealer: Sealer
  /** Its keys are others. */
  readonly other: Sealer
  /** It has the keys of the first, and a newer wrapping key. */
  readonly later: Sealer
}

export function sealerContract(name: string, make: () => Promise<Sealers>): void {
  describe(`Sealer: ${name}`, () => {
    const [person, place] = ['person:1', 'person.name']
    let sealer: Sealer
    let other: Sealer
    let later: Sealer
    let key: string

    before(async () => {
      ;({ sealer, other, later } = await make())
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

    describe('indexes', () => {
      it('are the same for the same value, and say nothing without the key', async () => {
        const [a, b] = await Promise.all([
          sealer.indexes('phone', '13800000000'),
          sealer.indexes('phone', '13800000000'),
        ])
        assert.deepEqual(a, b)
        assert.notDeepEqual(a, await other.indexes('phone', '13800000000'))
        assert.ok(!a.join().includes('138'))
      })

      it('differ from value to value and from field to field', async () => {
        const all = await Promise.all([
          sealer.indexes('phone', '1'),
          sealer.indexes('phone', '2'),
          sealer.indexes('document', '1'),
          sealer.indexes('document', ''),
        ])
        assert.equal(new Set(all.flat()).size, all.flat().length)
      })

      it('carry the version of their key, one for each in force, newest first', async () => {
        const versions = (await sealer.indexes('phone', '1')).map(indexVersionOf)
        assert.deepEqual(versions, sealer.indexVersions())
        assert.deepEqual(
          versions,
          versions.toSorted((x, y) => y - x),
        )
      })
    })

    describe('rewrap', () => {
      it('leaves a key alone that is under the current wrapping key', async () => {
        assert.equal(await sealer.rewrap(key, person), undefined)
      })

      it('gives the same data key under the current one, bound to what it was bound to', async () => {
        const sealed = await sealer.seal(key, person, '示例人甲', place)
        const wrapped = (await later.rewrap(key, person)) ?? assert.fail('it was not under the current one')
        assert.notEqual(wrappingKeyOf(wrapped), wrappingKeyOf(key))
        assert.equal(await later.open(wrapped, person, sealed, place), '示例人甲')
        assert.equal(await later.open(key, person, sealed, place), '示例人甲', 'the old wrapping opens still')
        assert.equal(await later.rewrap(wrapped, person), undefined)
        await assert.rejects(later.open(wrapped, 'person:2', sealed, place), refused)
        await assert.rejects(later.rewrap(key, 'person:2'), refused)
      })

      it('refuses a wrapping that was changed, or is under a key that is not here', async () => {
        await assert.rejects(later.rewrap(`${key}A`, person), refused)
        await assert.rejects(other.rewrap(await later.newDataKey(person), person), refused)
      })
    })
  })
}

/** The text with one bit of one character changed: a bit that the decoding may skip, and one it must not. */
function flipped(text: string, at: number): string[] {
  return [1, 16].map((bit) => text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ bit) + text.slice(at + 1))
}
