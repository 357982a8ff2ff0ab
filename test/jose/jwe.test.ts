import assert from 'node:assert/strict'
import { createSecretKey, randomBytes, randomInt } from 'node:crypto'
import {
  compactDecrypt,
  CompactEncrypt,
  decodeProtectedHeader,
  EncryptJWT,
  errors,
  exportJWK,
  exportPKCS8,
  exportSPKI,
  flattenedDecrypt,
  FlattenedEncrypt,
  generateKeyPair,
  generateSecret,
  importJWK,
  importPKCS8,
  importSPKI,
  jwtDecrypt,
  SGD_SM2_3,
  SGD_SM4_GCM,
  SignJWT,
  sm2Decrypt,
} from 'jose'
import type { KeyDecrypter, Sm2Key } from 'jose'
import { sm2 as sm2Oracle, sm4 as sm4Oracle } from 'sm-crypto-v2'
import { rounds } from '../support/rounds.ts'
import gm from '../support/gm.json' with { type: 'json' }

const alg = SGD_SM2_3
const enc = SGD_SM4_GCM
const text = new Uint8Array(Buffer.from('一号'))
const encode = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')
const decode = (data: string | undefined): Buffer => Buffer.from(data ?? '', 'base64url')
const pair = async (): Promise<{ privateKey: Sm2Key; publicKey: Sm2Key }> =>
  (await generateKeyPair(SGD_SM2_3, { extractable: true })) as { privateKey: Sm2Key; publicKey: Sm2Key }

describe('JWE with SM', () => {
  let privateKey: Sm2Key
  let publicKey: Sm2Key
  let secret: Uint8Array
  before(async () => {
    ;({ privateKey, publicKey } = await pair())
    secret = (await generateSecret(SGD_SM4_GCM)) as unknown as Uint8Array
  })

  for (const content of [SGD_SM4_GCM, 'A128GCM', 'A192GCM', 'A256GCM'])
    it(`carries the key of ${content} by SM2`, async () => {
      const header = { alg, enc: content, kid: 'k' }
      const jwe = await new CompactEncrypt(text).setProtectedHeader(header).encrypt(publicKey)
      assert.deepEqual(decodeProtectedHeader(jwe), header)
      assert.equal(JSON.stringify(decodeProtectedHeader(jwe)), JSON.stringify(header))
      assert.deepEqual(await compactDecrypt(jwe, privateKey), { plaintext: text, protectedHeader: header })
      assert.deepEqual((await compactDecrypt(Buffer.from(jwe), privateKey)).plaintext, text)
    })

  it('uses a key directly, given as bytes, JWK or KeyObject', async () => {
    const jwk = { kty: 'oct', k: encode(secret) }
    const keys = [secret, jwk, { ...jwk, use: 'enc', alg: SGD_SM4_GCM, key_ops: ['encrypt', 'decrypt'] }]
    for (const key of [...keys, createSecretKey(secret), await importJWK(jwk, SGD_SM4_GCM)]) {
      const jwe = await new CompactEncrypt(text).setProtectedHeader({ alg: 'dir', enc }).encrypt(key as never)
      assert.equal(jwe.split('.')[1], '')
      for (const other of keys) assert.deepEqual((await compactDecrypt(jwe, other as never)).plaintext, text)
    }
  })

  it('is written as the definition says: opened by sm-crypto-v2 step by step', async () => {
    const { d } = await exportJWK(privateKey)
    for (let round = 0; round < Math.ceil(rounds / 5); round += 1) {
      const plain = randomBytes(randomInt(1001))
      const jwe = await new CompactEncrypt(plain).setProtectedHeader({ alg, enc }).encrypt(publicKey)
      const [header, encryptedKey, iv, ciphertext, tag] = jwe.split('.')
      const cek = sm2Oracle.doDecrypt(decode(encryptedKey).toString('hex'), decode(d).toString('hex'), 1, {
        asn1: true,
        output: 'array',
      })
      const opened = sm4Oracle.decrypt(decode(ciphertext), cek, {
        mode: 'gcm',
        iv: decode(iv),
        associatedData: Buffer.from(header as string),
        tag: decode(tag),
        output: 'array',
      })
      assert.deepEqual(Buffer.from(opened), plain)
    }
  }).timeout(600_000)

  it('is opened where sm-crypto-v2 wrote it, at any length', async () => {
    const publicHex = `04${gm.sm2.x}${gm.sm2.y}`
    const { jwk } = gm.jws
    const d = encode(Buffer.from(gm.sm2.d, 'hex'))
    for (let round = 0; round < rounds; round += 1) {
      const [plain, cek, iv] = [randomBytes(randomInt(1001)), randomBytes(16), randomBytes(12)]
      const header = encode(JSON.stringify({ enc, alg, n: round }))
      const key = sm2Oracle.doEncrypt(new Uint8Array(cek), publicHex, 1, { asn1: true })
      const { output, tag } = sm4Oracle.encrypt(new Uint8Array(plain), new Uint8Array(cek), {
        mode: 'gcm',
        iv: new Uint8Array(iv),
        associatedData: new Uint8Array(Buffer.from(header)),
        output: 'array',
        outputTag: true,
      }) as unknown as { output: Uint8Array; tag: Uint8Array }
      const jwe = [header, encode(Buffer.from(key, 'hex')), encode(iv), encode(output), encode(tag)].join('.')
      const opened = await compactDecrypt(jwe, { ...jwk, d })
      assert.deepEqual(Buffer.from(opened.plaintext), plain)
    }
  }).timeout(600_000)

  it('may be flattened, with headers and data beside the protected header', async () => {
    const aad = new Uint8Array([1, 2, 3])
    const jwe = await new FlattenedEncrypt(text)
      .setProtectedHeader({ enc })
      .setSharedUnprotectedHeader({ jku: 'urn:x' })
      .setUnprotectedHeader({ alg, kid: '1' })
      .setAdditionalAuthenticatedData(aad)
      .encrypt(publicKey)
    assert.deepEqual(Object.keys(jwe).sort(), [
      ...['aad', 'ciphertext', 'encrypted_key', 'header', 'iv', 'protected', 'tag', 'unprotected'],
    ])
    const expected = {
      plaintext: text,
      protectedHeader: { enc },
      sharedUnprotectedHeader: { jku: 'urn:x' },
      unprotectedHeader: { alg, kid: '1' },
      additionalAuthenticatedData: aad,
    }
    assert.deepEqual(await flattenedDecrypt(jwe, privateKey), expected)
    await assert.rejects(flattenedDecrypt({ ...jwe, aad: encode('other') }, privateKey), errors.JWEDecryptionFailed)
    const nothingProtected = await new FlattenedEncrypt(text).setUnprotectedHeader({ alg, enc }).encrypt(publicKey)
    assert.equal(nothingProtected.protected, undefined)
    assert.deepEqual((await flattenedDecrypt(nothingProtected, privateKey)).plaintext, text)
  })

  it('takes a content encryption key and a vector from the caller, of the right length', async () => {
    const [cek, iv] = [new Uint8Array(16).fill(1), new Uint8Array(12).fill(2)]
    const made = (key: Uint8Array, vector: Uint8Array) =>
      new CompactEncrypt(text)
        .setProtectedHeader({ alg, enc })
        .setContentEncryptionKey(key)
        .setInitializationVector(vector)
        .encrypt(publicKey)
    const [, encryptedKey, vector] = (await made(cek, iv)).split('.')
    assert.deepEqual(decode(vector), Buffer.from(iv))
    assert.deepEqual(sm2Decrypt(privateKey, decode(encryptedKey)), Buffer.from(cek))
    await assert.rejects(made(new Uint8Array(32), iv), errors.JWEInvalid)
    await assert.rejects(made(cek, new Uint8Array(16)), errors.JWEInvalid)
  })

  it('draws a key and a vector anew each time', async () => {
    const made = await Promise.all(
      Array.from({ length: 10 }, () => new CompactEncrypt(text).setProtectedHeader({ alg, enc }).encrypt(publicKey)),
    )
    for (const part of [1, 2, 3, 4]) assert.equal(new Set(made.map((jwe) => jwe.split('.')[part])).size, 10)
    const keys = made.map((jwe) => sm2Decrypt(privateKey, decode(jwe.split('.')[1])).toString('hex'))
    assert.equal(new Set(keys).size, 10)
  })

  it('compresses and inflates, up to the bound', async () => {
    const long = new Uint8Array(250_000).fill(97)
    const jwe = await new CompactEncrypt(long).setProtectedHeader({ alg, enc, zip: 'DEF' }).encrypt(publicKey)
    assert.ok(jwe.length < 2_000)
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, privateKey)
    assert.deepEqual(plaintext, long)
    assert.equal(protectedHeader['zip'], 'DEF')
  })

  it('finds its key by a function, which sees the JWE as it came', async () => {
    const jwe = await new CompactEncrypt(text).setProtectedHeader({ alg, enc, kid: '7' }).encrypt(publicKey)
    const opened = await compactDecrypt(jwe, async (header, token) => {
      assert.deepEqual(header, { alg, enc, kid: '7' })
      assert.deepEqual([token.protected, token.encrypted_key], jwe.split('.').slice(0, 2))
      return privateKey
    })
    assert.deepEqual(opened, { plaintext: text, protectedHeader: { alg, enc, kid: '7' }, key: privateKey })
    const lost = new Error('no such key')
    await assert.rejects(
      compactDecrypt(jwe, () => Promise.reject(lost)),
      (error) => error === lost,
    )
  })

  it('takes keys from PEM', async () => {
    const open = await importSPKI(await exportSPKI(publicKey), SGD_SM2_3)
    const closed = await importPKCS8(await exportPKCS8(privateKey), SGD_SM2_3)
    const jwe = await new CompactEncrypt(text).setProtectedHeader({ alg, enc }).encrypt(open)
    assert.deepEqual((await compactDecrypt(jwe, closed)).plaintext, text)
  })

  describe('as a JWT', () => {
    const claims = () =>
      new EncryptJWT({ a: 1 }).setIssuer('i').setSubject('s').setAudience('c').setIssuedAt().setExpirationTime('1m')

    it('is encrypted and decrypted, and its claims are checked as upstream checks them', async () => {
      const jwt = await claims()
        .replicateIssuerAsHeader()
        .replicateSubjectAsHeader()
        .replicateAudienceAsHeader()
        .setProtectedHeader({ alg, enc, typ: 'JWT' })
        .encrypt(publicKey)
      const { payload, protectedHeader } = await jwtDecrypt(jwt, privateKey, { issuer: 'i', audience: 'c', typ: 'jwt' })
      assert.equal(payload['a'], 1)
      assert.deepEqual(protectedHeader, { alg, enc, typ: 'JWT', iss: 'i', sub: 's', aud: 'c' })
      for (const options of [
        { issuer: 'x' },
        { audience: 'x' },
        { subject: 'x' },
        { typ: 'x' },
        { requiredClaims: ['y'] },
      ])
        await assert.rejects(jwtDecrypt(jwt, privateKey, options), errors.JWTClaimValidationFailed)
      const later = new Date(Date.now() + 120_000)
      await assert.rejects(jwtDecrypt(jwt, privateKey, { currentDate: later }), errors.JWTExpired)
    })

    it('is refused where the header repeats another claim, or the content is no JSON object', async () => {
      const sealed = (content: string, header: object) =>
        new CompactEncrypt(Buffer.from(content)).setProtectedHeader({ alg, enc, ...header }).encrypt(publicKey)
      for (const header of [{ iss: 'x' }, { sub: 'x' }, { aud: ['c', 'd'] }])
        await assert.rejects(
          jwtDecrypt(await sealed('{"iss":"i","sub":"s","aud":["c"]}', header), privateKey),
          errors.JWTClaimValidationFailed,
        )
      assert.ok(await jwtDecrypt(await sealed('{"aud":["c"]}', { aud: ['c'] }), privateKey))
      for (const content of ['', 'x', '[]', '1', 'null'])
        await assert.rejects(jwtDecrypt(await sealed(content, {}), privateKey), errors.JWTInvalid)
    })

    it('carries a signed one inside, signed by SM2 and encrypted by SM2 and SM4', async () => {
      const signing = await generateKeyPair('SGD_SM3_SM2')
      const inner = await new SignJWT({ sub: 's' }).setProtectedHeader({ alg: 'SGD_SM3_SM2' }).sign(signing.privateKey)
      const outer = await new CompactEncrypt(Buffer.from(inner))
        .setProtectedHeader({ alg, enc, cty: 'JWT' })
        .encrypt(publicKey)
      const { plaintext } = await compactDecrypt(outer, privateKey)
      assert.equal(Buffer.from(plaintext).toString(), inner)
    })

    it('may use a key directly', async () => {
      const jwt = await claims().setProtectedHeader({ alg: 'dir', enc }).encrypt(secret)
      assert.equal((await jwtDecrypt(jwt, secret, { issuer: 'i' })).payload['a'], 1)
    })
  })

  describe('whose private key is elsewhere', () => {
    const jwe = () => new CompactEncrypt(text).setProtectedHeader({ alg, enc }).encrypt(publicKey)
    const elsewhere = (decrypt: KeyDecrypter['decrypt']): KeyDecrypter => ({ alg: SGD_SM2_3, decrypt })

    it('is opened by whoever keeps it, who sees the encrypted key and nothing else', async () => {
      const token = await jwe()
      const seen: Uint8Array[] = []
      const keeper = elsewhere(async (encryptedKey) => {
        seen.push(encryptedKey)
        return sm2Decrypt(privateKey, encryptedKey)
      })
      assert.deepEqual((await compactDecrypt(token, keeper)).plaintext, text)
      assert.deepEqual((await compactDecrypt(token, () => keeper)).key, keeper)
      assert.deepEqual(seen.map(encode), Array(2).fill(token.split('.')[1]))
      const jwt = await new EncryptJWT({ a: 1 }).setProtectedHeader({ alg, enc }).encrypt(publicKey)
      assert.equal((await jwtDecrypt(jwt, keeper)).payload['a'], 1)
    })

    it('fails alike whatever the keeper finds in the encrypted key', async () => {
      const token = await jwe()
      const [header, , iv, ciphertext, tag] = token.split('.')
      const said = new Set<string>()
      for (const answer of [
        undefined,
        new Uint8Array(0),
        new Uint8Array(15),
        new Uint8Array(16),
        new Uint8Array(32),
        'text',
      ])
        await compactDecrypt(
          token,
          elsewhere(async () => answer as Uint8Array),
        ).catch((error) => said.add(String(error)))
      let asked = 0
      const never = elsewhere(async () => void (asked += 1))
      for (const key of ['', '*', 'AA=', 'A'.repeat(400)])
        await compactDecrypt([header, key, iv, ciphertext, tag].join('.'), never).catch((error) =>
          said.add(String(error)),
        )
      assert.deepEqual([...said], ['JWEDecryptionFailed: decryption operation failed'])
      assert.equal(asked, 0)
    })

    it('fails in the same words where the keeper itself failed, with what it said as the cause', async () => {
      const down = new Error('the key daemon does not answer')
      const token = await jwe()
      await assert.rejects(
        compactDecrypt(
          token,
          elsewhere(() => Promise.reject(down)),
        ),
        (error: Error) => String(error) === 'JWEDecryptionFailed: decryption operation failed' && error.cause === down,
      )
    })

    it('takes no other object for a key', async () => {
      const token = await jwe()
      const decrypt = async () => new Uint8Array(16)
      for (const key of [{ decrypt }, { alg: 'RSA-OAEP', decrypt }, { alg: SGD_SM2_3 }, { alg: SGD_SM2_3, decrypt: 1 }])
        await assert.rejects(compactDecrypt(token, key as never), TypeError)
      const direct = await new CompactEncrypt(text).setProtectedHeader({ alg: 'dir', enc }).encrypt(secret)
      await assert.rejects(compactDecrypt(direct, elsewhere(decrypt)), TypeError)
    })
  })
})
