import assert from 'node:assert/strict'
import { createHmac, createSecretKey, generateKeyPairSync, KeyObject } from 'node:crypto'
import {
  CompactSign,
  compactVerify,
  createLocalJWKSet,
  EmbeddedJWK,
  errors,
  exportJWK,
  exportSPKI,
  FlattenedSign,
  flattenedVerify,
  generateKeyPair,
  generateSecret,
  hmacSm3,
  importJWK,
  jwtVerify,
  SGD_SM3_HMAC,
  SGD_SM3_SM2,
  SignJWT,
} from 'jose'
import type { JWK, Sm2Key } from 'jose'
import { spkiDer } from '#src/jose/sm2-der.ts'

const alg = SGD_SM3_HMAC
const payload = Buffer.from('{"sub":"test"}')
const { JOSEAlgNotAllowed, JOSENotSupported, JWKInvalid, JWSInvalid, JWSSignatureVerificationFailed } = errors

describe('A JWS with SGD_SM3_HMAC', () => {
  let secret: Uint8Array
  let jwk: JWK
  before(async () => {
    secret = await generateSecret(alg)
    jwk = { kty: 'oct', k: Buffer.from(secret).toString('base64url') }
  })

  const sign = (key: unknown = secret): Promise<string> =>
    new CompactSign(payload).setProtectedHeader({ alg }).sign(key as Uint8Array)

  it('carries the HMAC-SM3 of its signing input, as OpenSSL computes it', async () => {
    const [header, body, mac] = (await sign()).split('.')
    assert.equal(mac, createHmac('sm3', secret).update(`${header}.${body}`).digest('base64url'))
  })

  it('has the MAC of the vector other libraries publish, whose secret is too short to be taken', async () => {
    // fibjs, `HSM3` with the six bytes 616161.
    const vector = 'eyJhbGciOiJIU00zIiwiY3R5IjoiSldUIn0.eyJhZ2UiOjIxfQ.PBcFzxrSZLm2BcF8_4-ZWczfrRQrKP507YvKVF_MjL8'
    const at = vector.lastIndexOf('.')
    assert.equal(hmacSm3('616161', vector.slice(0, at)).toString('base64url'), vector.slice(at + 1))
    const short = compactVerify(vector, Buffer.from('616161'), { algorithms: ['HSM3'] })
    await assert.rejects(short, /256 bits or more/)
  })

  it('goes round with bytes, a secret KeyObject and an oct JWK, each verifying what the others made', async () => {
    const keys = [secret, Buffer.from(secret), createSecretKey(secret), jwk, { ...jwk, alg, use: 'sig' }]
    for (const made of await Promise.all(keys.map(sign)))
      for (const key of keys) {
        const verified = await compactVerify(made, key as Uint8Array, { algorithms: [alg] })
        assert.deepEqual(verified, { payload: new Uint8Array(payload), protectedHeader: { alg } })
      }
    const found = await compactVerify(await sign(), async () => jwk)
    assert.deepEqual(Buffer.from(found.key as Uint8Array), Buffer.from(secret))
  })

  it('goes round flattened, with an unencoded payload, and as a JWT', async () => {
    const flattened = await new FlattenedSign(payload)
      .setProtectedHeader({ alg, b64: false, crit: ['b64'] })
      .setUnprotectedHeader({ kid: 'a' })
      .sign(secret)
    assert.deepEqual(await flattenedVerify({ ...flattened, payload }, secret), {
      payload: new Uint8Array(payload),
      protectedHeader: { alg, b64: false, crit: ['b64'] },
      unprotectedHeader: { kid: 'a' },
    })
    const jwt = await new SignJWT({ sub: 's' }).setProtectedHeader({ alg }).setExpirationTime('1 minute').sign(jwk)
    assert.equal((await jwtVerify(jwt, createSecretKey(secret))).payload.sub, 's')
    const later = new Date(Date.now() + 120_000)
    await assert.rejects(jwtVerify(jwt, secret, { currentDate: later }), errors.JWTExpired)
  })

  it('has its secret generated fresh, of 256 bits, and imported from an oct JWK', async () => {
    assert.equal(secret.length, 32)
    assert.ok(!Buffer.from(await generateSecret(alg)).equals(secret))
    assert.deepEqual(await importJWK(jwk, alg), secret)
    assert.deepEqual(await exportJWK(secret), jwk)
    assert.deepEqual(await exportJWK(createSecretKey(secret)), jwk)
    await assert.rejects(generateSecret(alg, { extractable: 'yes' as never }), TypeError)
    assert.ok((await generateSecret('HS256')) instanceof CryptoKey)
  })

  it('is honoured only where the algorithms option has the name', async () => {
    const jws = await sign()
    await compactVerify(jws, secret, { algorithms: ['HS256', alg] })
    for (const algorithms of [[], ['HS256'], ['HSM3'], [SGD_SM3_SM2]])
      await assert.rejects(compactVerify(jws, secret, { algorithms }), JOSEAlgNotAllowed)
  })

  it('asks for 32 bytes at least (RFC 7518 §3.2), in every form', async () => {
    const short = secret.subarray(0, 31)
    const forms = [short, createSecretKey(short), { kty: 'oct', k: Buffer.from(short).toString('base64url') }]
    for (const key of [...forms, new Uint8Array(0), { kty: 'oct', k: '' }]) {
      await assert.rejects(sign(key), /256 bits or more/)
      await assert.rejects(compactVerify(await sign(), key as Uint8Array), /256 bits or more/)
    }
    await compactVerify(await sign(new Uint8Array(200).fill(1)), new Uint8Array(200).fill(1))
  })

  it('holds use, alg and key_ops of a JWK against it as upstream does', async () => {
    const unfit: object[] = [
      { use: 'enc' },
      { alg: 'HS256' },
      { alg: 'HSM3' },
      { alg: SGD_SM3_SM2 },
      { key_ops: ['encrypt'] },
      { key_ops: ['sign', 'sign', 'verify'] },
      { key_ops: 'sign' },
      { ext: 'yes' },
      { k: 1 },
    ]
    for (const members of unfit) await assert.rejects(sign({ ...jwk, ...members }), TypeError, JSON.stringify(members))
    await assert.rejects(sign({ ...jwk, k: `${jwk.k}=` }), JWKInvalid)
    await sign({ ...jwk, use: 'sig', alg, key_ops: ['sign'], ext: true })
    const toVerify = { ...jwk, key_ops: ['verify'] }
    await assert.rejects(sign(toVerify), TypeError)
    await compactVerify(await sign(), toVerify)
  })

  it('meets no key of another kind, and no SM2 key in any form', async () => {
    const pair = (await generateKeyPair(SGD_SM3_SM2, { extractable: true })) as {
      publicKey: Sm2Key
      privateKey: Sm2Key
    }
    const node = generateKeyPairSync('ec', { namedCurve: 'SM2' })
    const publicJwk = await exportJWK(pair.publicKey)
    const point = Buffer.concat([publicJwk.x, publicJwk.y].map((part) => Buffer.from(part ?? '', 'base64url')))
    const hs256 = await generateSecret('HS256')
    const keys: unknown[] = [
      ...[pair.publicKey, pair.privateKey, node.publicKey, node.privateKey],
      ...[publicJwk, await exportJWK(pair.privateKey), { ...publicJwk, k: jwk.k }],
      ...[Buffer.from(await exportSPKI(pair.publicKey)), spkiDer(point)],
      ...[hs256, 'a text that is long enough to be a secret', null, {}, 1],
    ]
    for (const [at, key] of keys.entries()) {
      await assert.rejects(sign(key), TypeError, `key ${at}`)
      await assert.rejects(compactVerify(await sign(), key as Uint8Array), TypeError)
    }
  })

  it('does not lend its secret to SM2, nor to the algorithms of upstream by its name', async () => {
    for (const key of [secret, createSecretKey(secret), jwk, { ...jwk, crv: 'sm2p256v1' }]) {
      const signing = new CompactSign(payload).setProtectedHeader({ alg: SGD_SM3_SM2 }).sign(key as Uint8Array)
      await assert.rejects(signing, (error) => error instanceof TypeError || error instanceof JWKInvalid)
    }
    const hs256 = await new CompactSign(payload).setProtectedHeader({ alg: 'HS256' }).sign(secret)
    await assert.rejects(compactVerify(hs256, { ...jwk, alg }), TypeError)
  })

  it('takes no secret out of a key set or out of its own header', async () => {
    const set = createLocalJWKSet({ keys: [{ ...jwk, alg }] })
    await assert.rejects(compactVerify(await sign(), set), JOSENotSupported)
    const embedding = await new CompactSign(payload).setProtectedHeader({ alg, jwk }).sign(secret)
    await assert.rejects(compactVerify(embedding, EmbeddedJWK), JOSENotSupported)
  })

  it('is refused with any other MAC: empty, cut, longer, in hex, of another hash, of another secret', async () => {
    const [header, body, mac] = (await sign()).split('.') as [string, string, string]
    const bytes = Buffer.from(mac, 'base64url')
    const others = [
      ...[
        Buffer.alloc(0),
        bytes.subarray(0, 31),
        Buffer.concat([bytes, Buffer.of(0)]),
        Buffer.from(bytes.toString('hex')),
      ],
      ...[
        createHmac('sha256', secret).update(`${header}.${body}`).digest(),
        hmacSm3(Buffer.alloc(32), `${header}.${body}`),
      ],
    ]
    for (const other of others) {
      const token = `${header}.${body}.${other.toString('base64url')}`
      await assert.rejects(compactVerify(token, secret), JWSSignatureVerificationFailed)
    }
    await assert.rejects(compactVerify(`${header}.${body}.${mac}=`, secret), JWSInvalid)
  })

  it('must protect the name of its algorithm', async () => {
    const jws = await new FlattenedSign(payload).setProtectedHeader({ alg }).sign(secret)
    const moved = { payload: jws.payload, signature: jws.signature, header: { alg } }
    await assert.rejects(flattenedVerify(moved, secret), JWSInvalid)
  })

  it('gives a resolved KeyObject back as it was', async () => {
    const object = createSecretKey(secret)
    const { key } = await jwtVerify(await sign(), async () => object)
    assert.ok((key as unknown) instanceof KeyObject)
  })
})
