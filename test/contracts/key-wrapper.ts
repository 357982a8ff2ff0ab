/** What every `KeyWrapper` must do, run by each implementation, also by one in another process (DESIGN D6). */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { wrappingKeyOf, type KeyWrapper, type WrappedKey } from '#src/crypto/key-wrapper.ts'
import { isAppError } from '#src/errors.ts'

const refused = (error: unknown) => isAppError(error, 'sealed_value_invalid')

interface KeyWrappers {
  readonly wrapper: KeyWrapper
  /** Its keys are others. */
  readonly other: KeyWrapper
  /** It has the keys of the first, and a newer one that wraps. */
  readonly later: KeyWrapper
}

export function keyWrapperContract(name: string, make: () => Promise<KeyWrappers>): void {
  describe(`KeyWrapper: ${name}`, () => {
    const context = 'person:1'
    let wrappers: KeyWrappers
    let dataKey: Buffer
    let wrapped: WrappedKey

    before(async () => {
      wrappers = await make()
      dataKey = randomBytes(32)
      wrapped = await wrappers.wrapper.wrap(dataKey, context)
    })

    it('unwraps what it wrapped, whatever the key', async () => {
      const { wrapper } = wrappers
      for (const key of [dataKey, Buffer.alloc(32), Buffer.alloc(32, 255), randomBytes(16)])
        assert.deepEqual(await wrapper.unwrap(await wrapper.wrap(key, context), context), key)
    })

    it('wraps the same key differently each time, showing nothing of it but which wrapping key it is under', async () => {
      const all = await Promise.all(Array.from({ length: 50 }, () => wrappers.wrapper.wrap(dataKey, context)))
      assert.equal(new Set(all).size, 50)
      assert.equal(new Set(all.map(wrappingKeyOf)).size, 1)
      for (const one of all) {
        assert.match(one, /^1\.[\w-]{1,32}\.[\w-]+$/)
        for (const form of ['base64url', 'hex'] as const) assert.ok(!one.includes(dataKey.toString(form)))
      }
    })

    it('does not unwrap for another context, nor without the wrapping key', async () => {
      for (const wrong of ['person:2', 'person:', '', `${context} `])
        await assert.rejects(wrappers.wrapper.unwrap(wrapped, wrong), refused)
      await assert.rejects(wrappers.other.unwrap(wrapped, context), refused)
      await assert.rejects(wrappers.wrapper.unwrap(await wrappers.later.wrap(dataKey, context), context), refused)
    })

    it('does not unwrap what was changed, cut short, added to or renamed', async () => {
      const { wrapper, later } = wrappers
      const flipped = [...wrapped].map(
        (_, at) => wrapped.slice(0, at) + String.fromCharCode(wrapped.charCodeAt(at) ^ 1) + wrapped.slice(at + 1),
      )
      const renamed = wrapped.replace(wrappingKeyOf(wrapped), wrappingKeyOf(await later.wrap(dataKey, context)))
      for (const text of [...flipped, renamed, '', '1', '1..', wrapped.slice(0, -1), `${wrapped}A`, `${wrapped}.`])
        await assert.rejects(later.unwrap(text, context), refused, text)
      await assert.rejects(wrapper.unwrap('null', context), refused)
    })

    it('knows whether a key is under the current wrapping key, and unwraps it either way', async () => {
      const { wrapper, later } = wrappers
      assert.equal(await wrapper.isCurrent(wrapped), true)
      assert.equal(await later.isCurrent(wrapped), false)
      assert.deepEqual(await later.unwrap(wrapped, context), dataKey)
      const again = await later.wrap(dataKey, context)
      assert.equal(await later.isCurrent(again), true)
      assert.notEqual(wrappingKeyOf(again), wrappingKeyOf(wrapped))
    })

    it('is right a thousand times at once', async () => {
      const { wrapper } = wrappers
      await Promise.all(
        Array.from({ length: 1000 }, async (_, n) => {
          const key = randomBytes(32)
          assert.deepEqual(await wrapper.unwrap(await wrapper.wrap(key, `${n}`), `${n}`), key)
        }),
      )
    })
  })
}
