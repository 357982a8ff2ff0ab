import { strict as assert } from 'node:assert'
import { createDecipheriv, createHmac } from 'node:crypto'
import { createSoftwareSealer, type SealerKeys } from '#src/crypto/software-sealer.ts'
import { isAppError } from '#src/errors.ts'
import { sealerContract } from '../contracts/sealer.ts'

const bytes = (fill: number) => Buffer.alloc(32, fill)
const keysOf = (current: string, fills: Record<string, number>, version = 1): SealerKeys => ({
  wrapping: { current, keys: Object.fromEntries(Object.entries(fills).map(([id, fill]) => [id, bytes(fill)])) },
  index: { version, key: bytes(90 + version) },
})

sealerContract('software', async () => ({
  sealer: createSoftwareSealer(keysOf('a', { a: 1 })),
  other: createSoftwareSealer({ ...keysOf('a', { a: 2 }), index: { version: 1, key: bytes(77) } }),
}))

describe('Software sealer', () => {
  it('opens under a former wrapping key what the new one did not wrap, until that key is gone', async () => {
    const before = createSoftwareSealer(keysOf('a', { a: 1 }))
    const key = await before.newDataKey('p')
    const sealed = await before.seal(key, 'p', 'value', 'c')
    const after = createSoftwareSealer(keysOf('b', { a: 1, b: 2 }))
    assert.equal(await after.open(key, 'p', sealed, 'c'), 'value')
    assert.match(await after.newDataKey('p'), /^1\.b\./)
    const gone = createSoftwareSealer(keysOf('b', { b: 2 }))
    await assert.rejects(gone.open(key, 'p', sealed, 'c'), (error: unknown) => {
      assert.ok(isAppError(error, 'sealed_value_invalid'))
      return /wrapping key a is not here/.test(error.detail ?? '')
    })
  })

  it('does not take a data key whose wrapping key was renamed', async () => {
    const sealer = createSoftwareSealer(keysOf('a', { a: 1, b: 1 }))
    const key = await sealer.newDataKey('p')
    await assert.rejects(sealer.seal(key.replace('1.a.', '1.b.'), 'p', 'v', 'c'))
  })

  it('is SM4-CTR with HMAC-SM3 over context, IV and ciphertext, as anybody can recompute', async () => {
    const sealer = createSoftwareSealer(keysOf('a', { a: 1 }))
    const hmac = (key: Buffer, ...parts: (string | Buffer)[]) =>
      parts.reduce((mac, part) => mac.update(part), createHmac('sm3', key)).digest()
    const open = (key: Buffer, text: string, context: string) => {
      const all = Buffer.from(text, 'base64url')
      const [iv, cipher, mac] = [all.subarray(0, 16), all.subarray(16, -32), all.subarray(-32)]
      assert.deepEqual(mac, hmac(hmac(key, 'yihao|seal|mac'), `${Buffer.byteLength(context)}|${context}`, iv, cipher))
      const sm4 = createDecipheriv('sm4-ctr', hmac(key, 'yihao|seal|cipher').subarray(0, 16), iv)
      return Buffer.concat([sm4.update(cipher), sm4.final()])
    }
    const wrapped = await sealer.newDataKey('person:1')
    const dataKey = open(bytes(1), wrapped.slice('1.a.'.length), 'key|a|person:1')
    const sealed = await sealer.seal(wrapped, 'person:1', '示例', 'person.name')
    assert.equal(open(dataKey, sealed.slice(2), 'person.name').toString(), '示例')
  })

  it('does not let context move into the value: the length of the context stands in front', async () => {
    const sealer = createSoftwareSealer(keysOf('a', { a: 1 }))
    const key = await sealer.newDataKey('p')
    const sealed = await sealer.seal(key, 'p', 'value', 'ab')
    const iv = Buffer.from(sealed.slice(2), 'base64url')
    const shifted = `1.${Buffer.concat([Buffer.from('b'), iv]).toString('base64url')}`
    await assert.rejects(sealer.open(key, 'p', shifted, 'a'))
  })
})
