import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  CompactSign,
  compactVerify,
  errors,
  FlattenedSign,
  flattenedVerify,
  generateKeyPair,
  importJWK,
  SGD_SM3_SM2,
} from 'jose'
import type { CompactJWSHeaderParameters, CryptoKey } from 'jose'
import gm from '../support/gm.json' with { type: 'json' }

const alg = SGD_SM3_SM2
const payload = Buffer.from('{"sub":"test"}')
const { JWSInvalid, JWSSignatureVerificationFailed, JOSEAlgNotAllowed, JOSENotSupported } = errors

describe('A JWS signed with SGD_SM3_SM2', () => {
  let privateKey: CryptoKey
  let publicKey: CryptoKey
  before(async () => ({ privateKey, publicKey } = await generateKeyPair(alg)))

  const sign = (header: Partial<CompactJWSHeaderParameters> = {}): Promise<string> =>
    new CompactSign(payload).setProtectedHeader({ alg, ...header }).sign(privateKey)

  it('verifies as the known vector, from text and from bytes', async () => {
    for (const token of [gm.jws.compact, Buffer.from(gm.jws.compact)]) {
      const { payload, protectedHeader } = await compactVerify(token, gm.jws.jwk)
      assert.deepEqual(protectedHeader, { alg, typ: 'JWT' })
      assert.equal(Buffer.from(payload).toString(), '{"iss":"https://id.example.gov.cn","sub":"test"}')
    }
  })

  it('goes round with a key, with a JWK, and with a function that finds the key', async () => {
    const jwk = { ...gm.jws.jwk, d: Buffer.from(gm.sm2.d, 'hex').toString('base64url') }
    const jws = await new CompactSign(payload).setProtectedHeader({ alg, kid: 'a' }).sign(jwk)
    const key = await importJWK(gm.jws.jwk, alg)
    assert.deepEqual((await compactVerify(jws, key)).payload, new Uint8Array(payload))
    assert.ok(!('key' in (await compactVerify(jws, gm.jws.jwk))))
    const found = await compactVerify(jws, (header, token) => {
      assert.equal(header.kid, 'a')
      assert.equal(`${token.protected}.${token.payload}.${token.signature}`, jws)
      return key as CryptoKey
    })
    assert.equal(found.key, key)
  })

  it('is honoured only where the algorithms option has the name', async () => {
    const jws = await sign()
    await compactVerify(jws, publicKey, { algorithms: ['ES256', alg] })
    for (const algorithms of [[], ['ES256'], ['SM2', 'HS256']])
      await assert.rejects(compactVerify(jws, publicKey, { algorithms }), JOSEAlgNotAllowed)
    await assert.rejects(compactVerify(jws, publicKey, { algorithms: alg as never }), TypeError)
  })

  it('has one spelling only: unused bits, padding and white space are refused', async () => {
    const jws = await sign()
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const other = last[last.indexOf(jws.at(-1) as string) + 1] as string
    for (const token of [`${jws.slice(0, -1)}${other}`, `${jws}=`, `${jws}\n`, `${jws} `, jws.replace('.', ' .')])
      await assert.rejects(compactVerify(token, publicKey), errors.JOSEError)
  })

  it('carries crit only as upstream does', async () => {
    const jws = await new CompactSign(payload)
      .setProtectedHeader({ alg, crit: ['urn:x'], 'urn:x': 1 })
      .sign(privateKey, { crit: { 'urn:x': true } })
    await compactVerify(jws, publicKey, { crit: { 'urn:x': true } })
    await assert.rejects(compactVerify(jws, publicKey), JOSENotSupported)
    await assert.rejects(sign({ crit: ['urn:x'], 'urn:x': 1 }), JOSENotSupported)
    await assert.rejects(sign({ crit: [] }), JWSInvalid)
    await assert.rejects(sign({ crit: ['b64'], b64: false }), TypeError)
  })

  it('is made by a private SM2 key alone', async () => {
    const es256 = await generateKeyPair('ES256')
    for (const key of [publicKey, gm.jws.jwk, es256.privateKey, new Uint8Array(32), { kty: 'oct', k: 'AAAA' }, null])
      await assert.rejects(
        new CompactSign(payload).setProtectedHeader({ alg }).sign(key as never),
        TypeError,
        JSON.stringify(key),
      )
  })

  it('keeps upstream’s manners of the builder', async () => {
    assert.throws(() => new CompactSign('text' as never), TypeError)
    assert.throws(() => new CompactSign(payload).setProtectedHeader({ alg }).setProtectedHeader({ alg }), TypeError)
    await assert.rejects(new CompactSign(payload).sign(privateKey), JWSInvalid)
    await assert.rejects(sign({ loop: 1n }), JWSInvalid)
  })

  describe('in flattened form', () => {
    it('goes round, with an unprotected header beside it', async () => {
      const jws = await new FlattenedSign(payload)
        .setProtectedHeader({ alg })
        .setUnprotectedHeader({ kid: 'a' })
        .sign(privateKey)
      const verified = await flattenedVerify(jws, publicKey)
      assert.deepEqual(verified, {
        payload: new Uint8Array(payload),
        protectedHeader: { alg },
        unprotectedHeader: { kid: 'a' },
      })
      await assert.rejects(flattenedVerify({ ...jws, payload: 'e30' }, publicKey), JWSSignatureVerificationFailed)
    })

    it('goes round with an unencoded payload (RFC 7797)', async () => {
      const made = await new FlattenedSign(payload)
        .setProtectedHeader({ alg, crit: ['b64'], b64: false })
        .sign(privateKey)
      assert.equal(made.payload, '')
      for (const detached of [payload, payload.toString()])
        assert.deepEqual(
          (await flattenedVerify({ ...made, payload: detached }, publicKey)).payload,
          new Uint8Array(payload),
        )
      await assert.rejects(flattenedVerify({ ...made, payload: 'else' }, publicKey), JWSSignatureVerificationFailed)
    })

    it('must protect the name of its algorithm', async () => {
      const jws = await new FlattenedSign(payload).setProtectedHeader({ alg }).sign(privateKey)
      await assert.rejects(flattenedVerify({ ...jws, protected: undefined, header: { alg } }, publicKey), JWSInvalid)
      const unprotected = new FlattenedSign(payload).setUnprotectedHeader({ alg }).sign(privateKey)
      await assert.rejects(unprotected, JOSENotSupported)
    })
  })
})

describe('Any payload signed with SGD_SM3_SM2', () => {
  it('comes back as it was, under this key and no other, and in no other place', async () => {
    const [mine, other] = [await generateKeyPair(alg), await generateKeyPair(alg)]
    const property = fc.asyncProperty(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ maxLength: 40 }),
      async (one, two) => {
        const [token, second] = await Promise.all(
          [one, two].map((bytes) => new CompactSign(bytes).setProtectedHeader({ alg }).sign(mine.privateKey)),
        )
        const verified = await compactVerify(token ?? '', mine.publicKey)
        assert.deepEqual(Buffer.from(verified.payload), Buffer.from(one))
        await assert.rejects(compactVerify(token ?? '', other.publicKey), JWSSignatureVerificationFailed)
        if (Buffer.compare(one, two) === 0) return
        const [header, , signature] = (token ?? '').split('.')
        const mixed = `${header}.${second?.split('.')[1]}.${signature}`
        await assert.rejects(compactVerify(mixed, mine.publicKey), JWSSignatureVerificationFailed)
      },
    )
    await fc.assert(property, { numRuns: 60 })
  })
})
