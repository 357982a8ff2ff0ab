import assert from 'node:assert/strict'
import { errors, GeneralSign, generalVerify, generateKeyPair, generateSecret, SGD_SM3_HMAC, SGD_SM3_SM2 } from 'jose'
import type { CryptoKey, GeneralJWS, GenerateKeyPairResult, JWSHeaderParameters } from 'jose'
import * as upstream from 'jose-upstream'

const payload = Buffer.from('one payload, many signatures')
const { JWSInvalid, JWSSignatureVerificationFailed, JOSENotSupported } = errors

describe('A general JWS', () => {
  let sm2: GenerateKeyPairResult
  let es256: GenerateKeyPairResult
  let secret: Uint8Array
  before(async () => {
    ;[sm2, es256] = [await generateKeyPair(SGD_SM3_SM2), await generateKeyPair('ES256')]
    secret = await generateSecret(SGD_SM3_HMAC)
  })

  const mixed = (more: JWSHeaderParameters = {}): Promise<GeneralJWS> =>
    new GeneralSign(payload)
      .addSignature(es256.privateKey)
      .setProtectedHeader({ alg: 'ES256', ...more })
      .addSignature(sm2.privateKey)
      .setProtectedHeader({ alg: SGD_SM3_SM2, ...more })
      .setUnprotectedHeader({ kid: 'sm2' })
      .addSignature(secret)
      .setProtectedHeader({ alg: SGD_SM3_HMAC, ...more })
      .sign()
  const keyOf = ({ alg }: JWSHeaderParameters): CryptoKey | Uint8Array => {
    if (alg === 'ES256') return es256.publicKey
    return alg === SGD_SM3_SM2 ? sm2.publicKey : secret
  }

  it('is verified by each of its keys: SM2, SM3-HMAC and standard ones side by side', async () => {
    const jws = await mixed()
    assert.equal(jws.signatures.length, 3)
    const verify = async (key: CryptoKey | Uint8Array) => {
      const result = await generalVerify(jws, key)
      assert.ok(!('key' in result))
      assert.deepEqual(result.payload, new Uint8Array(payload))
      return [result.protectedHeader?.alg, result.unprotectedHeader]
    }
    assert.deepEqual(await verify(es256.publicKey), ['ES256', undefined])
    assert.deepEqual(await verify(sm2.publicKey), [SGD_SM3_SM2, { kid: 'sm2' }])
    assert.deepEqual(await verify(secret), [SGD_SM3_HMAC, undefined])
  })

  it('gives the first signature that holds, with the key a function found', async () => {
    const { signatures, payload } = await mixed()
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const jws = { payload, signatures: order.map((at) => signatures[at] as GeneralJWS['signatures'][0]) }
      const first = ['ES256', SGD_SM3_SM2, SGD_SM3_HMAC][order[0] as number] as string
      const asked: unknown[] = []
      const result = await generalVerify(jws, async (header) => {
        asked.push(header.alg)
        return keyOf(header)
      })
      assert.equal(result.protectedHeader?.alg, first)
      assert.deepEqual(asked, [first])
      assert.ok(result.key)
      const forged = { ...(jws.signatures[0] as object), signature: 'AAAA' }
      const rest = await generalVerify({ payload, signatures: [forged, ...jws.signatures.slice(1)] as never }, keyOf)
      assert.equal(rest.protectedHeader?.alg, ['ES256', SGD_SM3_SM2, SGD_SM3_HMAC][order[1] as number])
    }
  })

  it('is refused where the algorithms option or the key leaves no signature', async () => {
    const jws = await mixed()
    const { publicKey } = await generateKeyPair(SGD_SM3_SM2)
    await assert.rejects(generalVerify(jws, publicKey), JWSSignatureVerificationFailed)
    await assert.rejects(generalVerify(jws, sm2.publicKey, { algorithms: ['ES256'] }), JWSSignatureVerificationFailed)
    await assert.rejects(generalVerify({ ...jws, payload: 'e30' }, keyOf), JWSSignatureVerificationFailed)
    await assert.rejects(generalVerify(jws, keyOf, { algorithms: 'ES256' as never }), TypeError)
    assert.equal((await generalVerify(jws, keyOf, { algorithms: [SGD_SM3_HMAC] })).protectedHeader?.alg, SGD_SM3_HMAC)
  })

  it('takes DER and aliases only as its options say', async () => {
    const jws = await new GeneralSign(payload)
      .addSignature(sm2.privateKey, { sm2Signature: 'der' })
      .setProtectedHeader({ alg: 'SM2' })
      .sign()
    await generalVerify(jws, sm2.publicKey, { algorithms: ['SM2'], sm2Signature: 'der' })
    for (const options of [
      undefined,
      { algorithms: ['SM2'] },
      { algorithms: [SGD_SM3_SM2], sm2Signature: 'der' as const },
    ])
      await assert.rejects(generalVerify(jws, sm2.publicKey, options ?? {}), JWSSignatureVerificationFailed)
  })

  it('may have an unencoded payload, in all of its signatures or in none', async () => {
    const crit = { crit: ['b64'], b64: false }
    const jws = await mixed(crit)
    assert.equal(jws.payload, '')
    for (const detached of [payload, payload.toString()])
      for (const key of [es256.publicKey, sm2.publicKey, secret])
        assert.deepEqual((await generalVerify({ ...jws, payload: detached }, key)).payload, new Uint8Array(payload))
    const uneven = new GeneralSign(payload)
      .addSignature(es256.privateKey)
      .setProtectedHeader({ alg: 'ES256' })
      .addSignature(sm2.privateKey)
      .setProtectedHeader({ alg: SGD_SM3_SM2, ...crit })
    await assert.rejects(uneven.sign(), JWSInvalid)
    const both = { payload: jws.payload, signatures: [...jws.signatures, ...(await mixed()).signatures] }
    await assert.rejects(generalVerify(both, keyOf), JWSInvalid)
  })

  it('of standard algorithms alone is upstream’s both ways', async () => {
    for (const [from, to] of [
      [{ GeneralSign, generalVerify }, upstream],
      [upstream, { GeneralSign, generalVerify }],
    ] as const) {
      const jws = await new from.GeneralSign(payload)
        .addSignature(es256.privateKey)
        .setProtectedHeader({ alg: 'ES256' })
        .sign()
      const { key, ...found } = await to.generalVerify(jws, async () => es256.publicKey)
      assert.equal(key, es256.publicKey)
      assert.deepEqual(found, await to.generalVerify(jws, es256.publicKey))
    }
    assert.ok(new GeneralSign(payload) instanceof upstream.GeneralSign)
  })

  it('is refused by its builder and its reader for the faults upstream refuses', async () => {
    const { privateKey } = sm2
    const alg = SGD_SM3_SM2
    await assert.rejects(new GeneralSign(payload).sign(), JWSInvalid)
    await assert.rejects(new GeneralSign(payload).addSignature(privateKey).sign(), JWSInvalid)
    await assert.rejects(
      new GeneralSign('x' as never).addSignature(privateKey).setProtectedHeader({ alg }).sign(),
      TypeError,
    )
    const signature = new GeneralSign(payload).addSignature(privateKey).setProtectedHeader({ alg })
    assert.throws(() => signature.setProtectedHeader({ alg }), TypeError)
    assert.throws(() => signature.setUnprotectedHeader({ kid: 'a' }).setUnprotectedHeader({}), TypeError)
    assert.equal((await signature.done().sign()).signatures.length, 1)
    const unprotected = new GeneralSign(payload).addSignature(privateKey).setUnprotectedHeader({ alg })
    await assert.rejects(unprotected.sign(), JOSENotSupported)
    const good = await mixed()
    for (const bad of [null, 'text', {}, { ...good, signatures: {} }, { ...good, signatures: [1] }] as never[])
      await assert.rejects(generalVerify(bad, keyOf), JWSInvalid)
    await assert.rejects(generalVerify({ signatures: good.signatures } as never, keyOf), JWSSignatureVerificationFailed)
    await assert.rejects(generalVerify({ ...good, signatures: [] }, keyOf), JWSSignatureVerificationFailed)
    const twice = { ...(good.signatures[1] as object), header: { alg: SGD_SM3_SM2 } } as never
    await assert.rejects(generalVerify({ ...good, signatures: [twice] }, keyOf), JWSSignatureVerificationFailed)
  })
})
