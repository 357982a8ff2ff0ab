import { strict as assert } from 'node:assert'
import { createDecipheriv, createHmac } from 'node:crypto'
import { createSoftwareKeyWrapper } from '#src/crypto/software-key-wrapper.ts'
import { isAppError } from '#src/errors.ts'
import { keyWrapperContract } from '../contracts/key-wrapper.ts'

const bytes = (fill: number) => Buffer.alloc(32, fill)

keyWrapperContract('software', async () => ({
  wrapper: createSoftwareKeyWrapper({ current: 'a', keys: { a: bytes(1) } }),
  other: createSoftwareKeyWrapper({ current: 'a', keys: { a: bytes(2) } }),
  later: createSoftwareKeyWrapper({ current: 'b', keys: { a: bytes(1), b: bytes(3) } }),
}))

describe('Software key wrapper', () => {
  it('says which wrapping key is not here', async () => {
    const wrapped = await createSoftwareKeyWrapper({ current: 'a', keys: { a: bytes(1) } }).wrap(bytes(9), 'c')
    const gone = createSoftwareKeyWrapper({ current: 'b', keys: { b: bytes(2) } })
    await assert.rejects(gone.unwrap(wrapped, 'c'), (error: unknown) => {
      assert.ok(isAppError(error, 'sealed_value_invalid'))
      return /wrapping key a is not here/.test(error.detail ?? '')
    })
  })

  it('does not take a data key whose wrapping key was renamed', async () => {
    const wrapper = createSoftwareKeyWrapper({ current: 'a', keys: { a: bytes(1), b: bytes(1) } })
    await assert.rejects(wrapper.unwrap((await wrapper.wrap(bytes(9), 'c')).replace('1.a.', '1.b.'), 'c'))
  })

  it('is SM4-CTR with HMAC-SM3 over context, IV and ciphertext, as anybody can recompute', async () => {
    const hmac = (key: Buffer, ...parts: (string | Buffer)[]) =>
      parts.reduce((mac, part) => mac.update(part), createHmac('sm3', key)).digest()
    const wrapped = await createSoftwareKeyWrapper({ current: 'a', keys: { a: bytes(1) } }).wrap(bytes(9), 'person:1')
    const all = Buffer.from(wrapped.slice('1.a.'.length), 'base64url')
    const [iv, cipher, mac] = [all.subarray(0, 16), all.subarray(16, -32), all.subarray(-32)]
    const context = 'key|a|person:1'
    assert.deepEqual(mac, hmac(hmac(bytes(1), 'yihao|seal|mac'), `${context.length}|${context}`, iv, cipher))
    const sm4 = createDecipheriv('sm4-ctr', hmac(bytes(1), 'yihao|seal|cipher').subarray(0, 16), iv)
    assert.deepEqual(Buffer.concat([sm4.update(cipher), sm4.final()]), bytes(9))
  })
})
