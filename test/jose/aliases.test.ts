import assert from 'node:assert/strict'
import {
  CompactSign,
  compactVerify,
  createLocalJWKSet,
  EmbeddedJWK,
  errors,
  exportJWK,
  generateKeyPair,
  generateSecret,
  importJWK,
  jwtVerify,
  normaliseSmJwk,
  speakingSm2Key,
  SGD_SM3_HMAC,
  SGD_SM3_SM2,
  SignJWT,
  SM2_CURVE,
  SM_ALG_ALIASES,
  SM_CURVE_ALIASES,
} from 'jose'
import type { CryptoKey, JWK, Sm2Key } from 'jose'

const { JOSEAlgNotAllowed, JOSENotSupported, JWSSignatureVerificationFailed } = errors
const payload = Buffer.from('{"sub":"test"}')

describe('An alias of an SM algorithm', () => {
  const keys: Record<string, { sign: CryptoKey | Uint8Array; verify: CryptoKey | Uint8Array }> = {}
  before(async () => {
    const { privateKey, publicKey } = await generateKeyPair(SGD_SM3_SM2)
    keys[SGD_SM3_SM2] = { sign: privateKey, verify: publicKey }
    const secret = await generateSecret(SGD_SM3_HMAC)
    keys[SGD_SM3_HMAC] = { sign: secret, verify: secret }
  })
  const keyOf = (name: string) => keys[name] as { sign: CryptoKey; verify: CryptoKey }

  it('is one of five for a signature and three for a curve, and the tables cannot be changed', () => {
    assert.deepEqual(Object.keys(SM_ALG_ALIASES), ['SM2', 'SM2SM3', 'SM3withSM2', 'GmSM2', 'HSM3'])
    assert.deepEqual(Object.keys(SM_CURVE_ALIASES), ['SM2', 'SM2-P-256', 'SM2P256V1'])
    assert.throws(() => Object.assign(SM_ALG_ALIASES, { HS256: SGD_SM3_SM2 }), TypeError)
    assert.throws(() => Object.assign(SM_CURVE_ALIASES, { 'P-256': SM2_CURVE }), TypeError)
  })

  for (const [alias, name] of Object.entries(SM_ALG_ALIASES)) {
    it(`${alias} signs where the header says so, and verifies only where the algorithms option lists it`, async () => {
      const jws = await new CompactSign(payload).setProtectedHeader({ alg: alias }).sign(keyOf(name).sign)
      const listed = { algorithms: ['ES256', alias] }
      const verified = await compactVerify(jws, keyOf(name).verify, listed)
      assert.deepEqual(verified.protectedHeader, { alg: alias })
      const jwt = await new SignJWT({ sub: 's' }).setProtectedHeader({ alg: alias }).sign(keyOf(name).sign)
      assert.equal((await jwtVerify(jwt, keyOf(name).verify, listed)).payload.sub, 's')

      for (const verify of [compactVerify, jwtVerify as unknown as typeof compactVerify]) {
        await assert.rejects(verify(jwt, keyOf(name).verify), JOSENotSupported)
        await assert.rejects(verify(jwt, keyOf(name).verify, {}), JOSENotSupported)
        await assert.rejects(verify(jwt, keyOf(name).verify, { algorithms: [name] }), JOSEAlgNotAllowed)
      }
      const standard = await new CompactSign(payload).setProtectedHeader({ alg: name }).sign(keyOf(name).sign)
      await assert.rejects(compactVerify(standard, keyOf(name).verify, { algorithms: [alias] }), JOSEAlgNotAllowed)
    })
  }

  it('reaches the other kind of key no more than the standard name does', async () => {
    const jws = await new CompactSign(payload).setProtectedHeader({ alg: 'HSM3' }).sign(keyOf(SGD_SM3_HMAC).sign)
    const algorithms = ['HSM3', 'SM2']
    await assert.rejects(compactVerify(jws, keyOf(SGD_SM3_SM2).verify, { algorithms }), TypeError)
    const sm2 = await new CompactSign(payload).setProtectedHeader({ alg: 'SM2' }).sign(keyOf(SGD_SM3_SM2).sign)
    await assert.rejects(compactVerify(sm2, keyOf(SGD_SM3_HMAC).verify, { algorithms }), TypeError)
  })

  it('is unknown in any other spelling, and names of the prototype are none', async () => {
    for (const alg of ['sm2', 'Sm2', 'SM2 ', 'sgd_sm3_sm2', 'hsm3', 'constructor', '__proto__', 'toString']) {
      const signing = new CompactSign(payload).setProtectedHeader({ alg }).sign(keyOf(SGD_SM3_SM2).sign)
      await assert.rejects(signing, JOSENotSupported, alg)
      const header = Buffer.from(JSON.stringify({ alg })).toString('base64url')
      const verifying = compactVerify(`${header}.e30.AAAA`, keyOf(SGD_SM3_SM2).verify, { algorithms: [alg] })
      await assert.rejects(verifying, JOSENotSupported, alg)
    }
  })

  it('shows the standard name to a key set, so that its keys are found', async () => {
    const { privateKey, publicKey } = await generateKeyPair(SGD_SM3_SM2)
    const jwk = await exportJWK(publicKey)
    const jws = await new CompactSign(payload).setProtectedHeader({ alg: 'SM2', jwk }).sign(privateKey)
    const options = { algorithms: ['SM2'] }
    const named = { ...jwk, crv: 'SM2', alg: 'SM2' }
    await compactVerify(jws, createLocalJWKSet({ keys: [normaliseSmJwk(named)] }), options)
    await compactVerify(jws, EmbeddedJWK, options)
    await assert.rejects(compactVerify(jws, createLocalJWKSet({ keys: [named] }), options), errors.JWKSNoMatchingKey)
    await assert.rejects(compactVerify(jws, EmbeddedJWK), JOSENotSupported)
  })

  it('in a JWK counts only after normaliseSmJwk, which changes no other key', async () => {
    const jwk = await exportJWK((await generateKeyPair(SGD_SM3_SM2)).publicKey)
    for (const crv of Object.keys(SM_CURVE_ALIASES)) {
      const other: JWK = { ...jwk, crv, alg: 'SM3withSM2', kid: 'a' }
      await assert.rejects(importJWK(other, SGD_SM3_SM2), JOSENotSupported)
      const normal = normaliseSmJwk(other)
      assert.deepEqual(normal, { ...jwk, alg: SGD_SM3_SM2, kid: 'a' })
      assert.equal(other.crv, crv)
      await importJWK(normal)
    }
    const strangers: JWK[] = [
      { kty: 'OKP', crv: 'SM2', x: 'AA' },
      { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', alg: 'ES256' },
      { kty: 'EC', crv: 'sm2', x: 'AA', y: 'AA' },
      { kty: 'EC', crv: 'constructor', alg: '__proto__' },
    ]
    for (const stranger of strangers) assert.deepEqual(normaliseSmJwk(stranger), stranger)
    assert.deepEqual(normaliseSmJwk({ kty: 'oct', k: 'AA', alg: 'HSM3' }), { kty: 'oct', k: 'AA', alg: SGD_SM3_HMAC })
  })
})

describe('The form of an SM2 signature', () => {
  let privateKey: CryptoKey
  let publicKey: CryptoKey
  before(async () => ({ privateKey, publicKey } = await generateKeyPair(SGD_SM3_SM2)))
  const alg = SGD_SM3_SM2
  const sign = (sm2Signature?: 'raw' | 'der'): Promise<string> =>
    new CompactSign(payload).setProtectedHeader({ alg }).sign(privateKey, { sm2Signature })

  it('is r‖s unless both sides say DER, and is never guessed', async () => {
    const [raw, der] = [await sign(), await sign('der')]
    assert.equal(Buffer.from(raw.split('.')[2] as string, 'base64url').length, 64)
    assert.equal(Buffer.from(der.split('.')[2] as string, 'base64url')[0], 0x30)
    await compactVerify(raw, publicKey, { sm2Signature: 'raw' })
    await compactVerify(der, publicKey, { sm2Signature: 'der' })
    await assert.rejects(compactVerify(der, publicKey), JWSSignatureVerificationFailed)
    await assert.rejects(compactVerify(raw, publicKey, { sm2Signature: 'der' }), JWSSignatureVerificationFailed)
  })

  it('is an option of JWTs too, and of no other algorithm', async () => {
    const jwt = await new SignJWT({ sub: 's' }).setProtectedHeader({ alg }).sign(privateKey, { sm2Signature: 'der' })
    assert.equal((await jwtVerify(jwt, publicKey, { sm2Signature: 'der' })).payload.sub, 's')
    await assert.rejects(jwtVerify(jwt, publicKey), JWSSignatureVerificationFailed)
    const es256 = await generateKeyPair('ES256')
    const other = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .sign(es256.privateKey, { sm2Signature: 'der' })
    await jwtVerify(other, es256.publicKey, { sm2Signature: 'der' })
    await jwtVerify(other, es256.publicKey)
  })

  it('of another name is a mistaken option', async () => {
    for (const form of ['DER', 'auto', '', 1] as never[]) {
      await assert.rejects(sign(form), TypeError)
      await assert.rejects(compactVerify(await sign(), publicKey, { sm2Signature: form }), TypeError)
    }
  })
})

describe('An SM2 key that speaks a dialect', () => {
  let pair: { privateKey: CryptoKey; publicKey: CryptoKey }
  before(async () => {
    pair = await generateKeyPair(SGD_SM3_SM2)
  })
  const signed = (alg: string, sm2Signature: 'raw' | 'der') =>
    new CompactSign(payload).setProtectedHeader({ alg }).sign(pair.privateKey, { sm2Signature })

  it('verifies under its own name and in its own form, without any option, and in no other', async () => {
    const key = speakingSm2Key(pair.publicKey as Sm2Key, { alg: 'SM2SM3', sm2Signature: 'der' })
    for (const verify of [compactVerify, jwtVerify as unknown as typeof compactVerify])
      assert.equal((await verify(await signed('SM2SM3', 'der'), key)).protectedHeader.alg, 'SM2SM3')
    await assert.rejects(compactVerify(await signed('SM2SM3', 'raw'), key), JWSSignatureVerificationFailed)
    for (const alg of [SGD_SM3_SM2, 'SM2', 'GmSM2'])
      await assert.rejects(compactVerify(await signed(alg, 'der'), key), JOSEAlgNotAllowed)
    await assert.rejects(compactVerify(await signed('SM2SM3', 'der'), pair.publicKey), JOSENotSupported)
  })

  it('yields to what the caller says, and keeps the standard name where the form alone is another', async () => {
    const key = speakingSm2Key(pair.publicKey as Sm2Key, { sm2Signature: 'der' })
    await compactVerify(await signed(SGD_SM3_SM2, 'der'), key)
    await compactVerify(await signed(SGD_SM3_SM2, 'raw'), key, { sm2Signature: 'raw' })
    await assert.rejects(compactVerify(await signed('SM2', 'der'), key), JOSEAlgNotAllowed)
    await compactVerify(await signed('SM2', 'der'), key, { algorithms: ['SM2'] })
  })

  it('is made of an SM2 key and a true alias only', async () => {
    const { publicKey } = await generateKeyPair('ES256')
    assert.throws(() => speakingSm2Key(publicKey as never, {}), TypeError)
    for (const alg of ['HSM3', 'ES256', 'none', SGD_SM3_SM2, 'constructor'])
      assert.throws(() => speakingSm2Key(pair.publicKey as Sm2Key, { alg }), TypeError)
  })
})
