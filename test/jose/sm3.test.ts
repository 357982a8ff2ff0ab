import assert from 'node:assert/strict'
import fc from 'fast-check'
import { hmacSm3, sm3 } from 'jose'
import { nativeSm3, smCryptoSm3 } from '#src/jose/sm3.ts'
import gm from '../support/gm.json' with { type: 'json' }

describe('SM3', () => {
  for (const { source, text, digest } of gm.sm3)
    it(`gives the published digest: ${source}`, () => assert.equal(sm3(text).toString('hex'), digest))

  for (const { keyHex, keyText, text, mac } of gm.hmacSm3)
    it(`gives the known HMAC of "${text}"`, () =>
      assert.equal(hmacSm3(keyHex ? Buffer.from(keyHex, 'hex') : (keyText ?? ''), text).toString('hex'), mac))

  it('takes a string as UTF-8', () => {
    assert.deepEqual(sm3('政务'), sm3(Buffer.from('政务', 'utf8')))
    assert.deepEqual(hmacSm3('钥匙', '政务'), hmacSm3(Buffer.from('钥匙'), Buffer.from('政务')))
  })

  it('gives the same natively and by the fall-back, for any data and any key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (key, data) => {
        assert.deepEqual(smCryptoSm3.sm3(data), nativeSm3.sm3(data))
        assert.deepEqual(smCryptoSm3.hmacSm3(key, data), nativeSm3.hmacSm3(key, data))
      }),
      { numRuns: 50 },
    )
  })
})
