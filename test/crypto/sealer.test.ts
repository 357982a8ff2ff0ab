import { strict as assert } from 'node:assert'
import { createDecipheriv, createHmac } from 'node:crypto'
import type { KeyWrapper } from '#src/crypto/key-wrapper.ts'
import { createSealer } from '#src/crypto/sealer.ts'
import { createSoftwareMac } from '#src/crypto/software-mac.ts'
import { isAppError } from '#src/errors.ts'
import { sealerContract } from '../contracts/sealer.ts'
import { sealerKeys } from '../support/sealing.ts'

const otherIndex = [{ version: 1, mac: createSoftwareMac(Buffer.alloc(32, 77)) }]

sealerContract('over software keys', async () => ({
  sealer: createSealer(() => sealerKeys([1])),
  other: createSealer(() => ({ wrapper: sealerKeys([2]).wrapper, index: otherIndex })),
  later: createSealer(() => sealerKeys([3, 1], [2, 1])),
}))

describe('Sealer', () => {
  /** Counts what is asked of a wrapper, and fails on demand. */
  function watched(wrapper: KeyWrapper) {
    const state = { unwrapped: 0, failing: false }
    const watching: KeyWrapper = {
      ...wrapper,
      async unwrap(wrapped, context) {
        state.unwrapped += 1
        if (state.failing) throw new Error('out of reach')
        return wrapper.unwrap(wrapped, context)
      },
    }
    return { state, sealer: createSealer(() => ({ wrapper: watching, index: [] })) }
  }

  it('is SM4-CTR with HMAC-SM3 over context, IV and ciphertext, as anybody can recompute', async () => {
    const { wrapper } = sealerKeys()
    const sealer = createSealer(() => sealerKeys())
    const hmac = (key: Buffer, ...parts: (string | Buffer)[]) =>
      parts.reduce((mac, part) => mac.update(part), createHmac('sm3', key)).digest()
    const wrapped = await sealer.newDataKey('person:1')
    const key = await wrapper.unwrap(wrapped, 'person:1')
    const sealed = await sealer.seal(wrapped, 'person:1', '示例', 'person.name')
    assert.ok(sealed.startsWith('1.'))
    const all = Buffer.from(sealed.slice(2), 'base64url')
    const [iv, cipher, mac] = [all.subarray(0, 16), all.subarray(16, -32), all.subarray(-32)]
    assert.deepEqual(mac, hmac(hmac(key, 'yihao|seal|mac'), '11|person.name', iv, cipher))
    const sm4 = createDecipheriv('sm4-ctr', hmac(key, 'yihao|seal|cipher').subarray(0, 16), iv)
    assert.equal(Buffer.concat([sm4.update(cipher), sm4.final()]).toString(), '示例')
  })

  it('does not let context move into the value: the length of the context stands in front', async () => {
    const sealer = createSealer(() => sealerKeys())
    const key = await sealer.newDataKey('p')
    const sealed = await sealer.seal(key, 'p', 'value', 'ab')
    const iv = Buffer.from(sealed.slice(2), 'base64url')
    const shifted = `1.${Buffer.concat([Buffer.from('b'), iv]).toString('base64url')}`
    await assert.rejects(sealer.open(key, 'p', shifted, 'a'))
  })

  it('asks for a key once, also for many uses at the same time', async () => {
    const { state, sealer } = watched(sealerKeys().wrapper)
    const key = await sealer.newDataKey('p')
    await Promise.all(Array.from({ length: 50 }, (_, n) => sealer.seal(key, 'p', `${n}`, 'c')))
    await sealer.seal(key, 'p', 'later', 'c')
    assert.equal(state.unwrapped, 1)
  })

  it('asks again after a failure, which fails those who waited for it and nobody after them', async () => {
    const { state, sealer } = watched(sealerKeys().wrapper)
    const key = await sealer.newDataKey('p')
    state.failing = true
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => sealer.seal(key, 'p', 'v', 'c')))
    assert.ok(tries.every(({ status }) => status === 'rejected'))
    assert.equal(state.unwrapped, 1)
    state.failing = false
    assert.equal(await sealer.open(key, 'p', await sealer.seal(key, 'p', 'v', 'c'), 'c'), 'v')
  })

  it('follows its keys: new ones wrap and index from the next use on, and what is gone opens no more', async () => {
    let keys = sealerKeys([1], [1])
    const sealer = createSealer(() => keys)
    const [first, lost] = [await sealer.newDataKey('p'), await sealer.newDataKey('q')]
    keys = sealerKeys([2, 1], [1, 2])
    assert.match(await sealer.newDataKey('p'), /^1\.k2\./)
    assert.match((await sealer.rewrap(first, 'p')) ?? '', /^1\.k2\./)
    assert.deepEqual(
      (await sealer.indexes('phone', '1')).map((index) => index.slice(0, 2)),
      ['2.', '1.'],
    )
    keys = sealerKeys([2], [2])
    await assert.rejects(sealer.seal(lost, 'q', 'v', 'c'), (error) => isAppError(error, 'sealed_value_invalid'))
    assert.deepEqual(sealer.indexVersions(), [2])
  })
})
