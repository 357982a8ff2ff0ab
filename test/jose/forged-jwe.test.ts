import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import * as jose from 'jose'
import { compactDecrypt, errors, exportJWK, flattenedDecrypt, generateKeyPair, jwtDecrypt } from 'jose'
import { SGD_SM2_3, SGD_SM3_SM2, SGD_SM4_GCM, sm2Encrypt, sm4GcmEncrypt } from 'jose'
import type { DecryptOptions, FlattenedJWE, JWK, Sm2Key } from 'jose'
import * as upstream from 'jose-upstream'

const { JOSEError, JOSENotSupported, JWEDecryptionFailed, JWEInvalid } = errors
const encode = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url')
const [alg, enc] = [SGD_SM2_3, SGD_SM4_GCM]
const content = Buffer.from('{"sub":"test"}')

/** What a promise said: `ok`, or the error's class, and its message. */
const said = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: Error) => `${error.name}: ${error.message}`,
  )

describe('A forged JWE', () => {
  let privateKey: Sm2Key
  let publicKey: Sm2Key
  let publicJwk: JWK
  let privateJwk: JWK
  before(async () => {
    ;({ privateKey, publicKey } = (await generateKeyPair(alg, { extractable: true })) as unknown as {
      privateKey: Sm2Key
      publicKey: Sm2Key
    })
    publicJwk = await exportJWK(publicKey)
    privateJwk = await exportJWK(privateKey)
  })

  interface Parts {
    readonly header?: unknown
    readonly cek?: Buffer
    readonly encryptedKey?: Uint8Array | string
    readonly iv?: Buffer
    readonly plaintext?: Uint8Array
    readonly tag?: (tag: Buffer) => Buffer
  }

  /** A JWE put together by hand; all that is not said is as it should be. */
  function forged(parts: Parts = {}): string {
    const { header = { alg, enc }, cek = randomBytes(16), iv = randomBytes(12), plaintext = content } = parts
    const encoded = encode(typeof header === 'string' ? header : JSON.stringify(header))
    const key = parts.encryptedKey ?? sm2Encrypt(publicKey, cek)
    const used = Buffer.concat([iv, Buffer.alloc(12)], 12)
    const sealed = sm4GcmEncrypt(cek, used, plaintext, Buffer.from(encoded))
    const tag = parts.tag?.(sealed.tag) ?? sealed.tag
    return [
      encoded,
      typeof key === 'string' ? key : encode(key),
      encode(iv),
      encode(sealed.ciphertext),
      encode(tag),
    ].join('.')
  }
  const refused = async (
    jwe: string,
    why: unknown = JOSEError,
    key: unknown = privateKey,
    options?: DecryptOptions,
  ) => {
    await assert.rejects(compactDecrypt(jwe, key as JWK, options), why as never)
    await assert.rejects(jwtDecrypt(jwe, key as JWK, options), why as never)
  }

  it('is told apart from a true one (so the refusals below mean something)', async () => {
    assert.deepEqual(Buffer.from((await compactDecrypt(forged(), privateKey)).plaintext), content)
    assert.equal((await jwtDecrypt(forged(), privateJwk)).payload.sub, 'test')
  })

  it('with any bit changed in any of its five parts is refused', async () => {
    const parts = forged().split('.')
    for (const [index, part] of parts.entries()) {
      const bytes = Buffer.from(part, 'base64url')
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const changed = Buffer.from(bytes)
        changed[bit >> 3]! ^= 1 << (bit & 7)
        const jwe = parts.with(index, encode(changed)).join('.')
        await assert.rejects(compactDecrypt(jwe, privateKey), (error) => error instanceof Error, `${index}: ${bit}`)
      }
    }
  }).timeout(30_000)

  it('spelt otherwise is refused: padding, white space, unused bits, standard base64', async () => {
    const parts = forged({ plaintext: Buffer.from('{"a":12}'), header: { alg, enc, n: 1 } }).split('.')
    for (const [index, part] of parts.entries()) {
      const last = part.at(-1) as string
      const spellings = [`${part}=`, `${part}==`, ` ${part}`, `${part}\n`, `${part.slice(0, -1)}%`]
      const next = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      if (part.length % 4 > 1) spellings.push(part.slice(0, -1) + (next[next.indexOf(last) + 1] ?? 'A'))
      for (const spelling of spellings) await refused(parts.with(index, spelling).join('.'))
    }
  })

  it('without a part, with an empty part or with one too many is refused', async () => {
    const parts = forged().split('.')
    for (const index of parts.keys()) {
      await refused(parts.with(index, '').join('.'))
      await refused(parts.toSpliced(index, 1).join('.'), JWEInvalid)
      await refused(parts.toSpliced(index, 0, 'AAAA').join('.'), JWEInvalid)
    }
    for (const nonsense of ['', '.', '....', 'a.b.c.d.e', '{}', parts.join(',')]) await refused(nonsense, JWEInvalid)
    for (const nonsense of [undefined, null, 1, {}, []]) await refused(nonsense as never, JWEInvalid)
  })

  it('fails for its key as it fails for its content (RFC 7516 §11.5)', async () => {
    const other = await generateKeyPair(alg)
    const cek = randomBytes(16)
    const sealed = sm2Encrypt(publicKey, cek)
    const keys = [
      sm2Encrypt(other.publicKey as Sm2Key, cek),
      sm2Encrypt(publicKey, randomBytes(16)),
      sm2Encrypt(publicKey, randomBytes(15)),
      sm2Encrypt(publicKey, randomBytes(32)),
      Buffer.concat([sealed, Buffer.of(0)]),
      sealed.subarray(0, -1),
      Buffer.from('3081' + sealed.subarray(1).toString('hex'), 'hex'),
      Buffer.alloc(sealed.length),
      randomBytes(60_000),
      '*',
      '',
    ]
    const made = keys.map((encryptedKey) => forged({ cek, encryptedKey }))
    made.push(forged({ tag: (tag) => tag.fill(0) }))
    for (const jwe of made)
      assert.equal(await said(compactDecrypt(jwe, privateKey)), 'JWEDecryptionFailed: decryption operation failed')
    const error = await compactDecrypt(made[0] as string, privateKey).catch((thrown: Error) => thrown)
    assert.equal((error as Error).cause, undefined)
  })

  it('with a vector or a tag of another length is refused before any key is used', async () => {
    let used = 0
    const unused = { alg: SGD_SM2_3, decrypt: async () => void (used += 1) }
    const lengths = [forged({ iv: randomBytes(11) }), forged({ iv: randomBytes(16) })]
    for (const jwe of [...lengths, forged({ iv: randomBytes(0) })]) await refused(jwe, JWEInvalid, unused)
    for (const length of [0, 4, 12, 15])
      await refused(forged({ tag: (tag) => tag.subarray(0, length) }), JWEInvalid, unused)
    await refused(forged({ tag: (tag) => Buffer.concat([tag, tag]) }), JWEInvalid, unused)
    assert.equal(used, 0)
  })

  it('whose header is huge, deep, no object or names a member twice is refused', async () => {
    const twice = `{"alg":"${alg}","enc":"A128GCM","enc":"${enc}"}`
    await refused(forged({ header: twice }), JWEInvalid)
    await refused(forged({ header: `{"alg":"dir","\\u0061lg":"${alg}","enc":"${enc}"}` }), JWEInvalid)
    await refused(forged({ header: { alg, enc, pad: 'x'.repeat(16_384) } }), JWEInvalid)
    await refused(forged({ header: { alg, enc, pad: 'x'.repeat(1_000_000) } }), JWEInvalid)
    const deep = `{"alg":"${alg}","enc":"${enc}","deep":${'['.repeat(9_000)}${']'.repeat(9_000)}}`
    await refused(forged({ header: deep }), JWEInvalid)
    for (const header of ['[]', '"text"', 'null', '{', '', '\ufffd', `{"alg":["${alg}"],"enc":"${enc}"}`])
      await refused(forged({ header }))
  })

  it('that lacks alg or enc, or names others, is refused', async () => {
    for (const header of [{ enc }, { alg }, { alg: '', enc }, { alg, enc: '' }, { alg: 1, enc }, { alg, enc: 1 }])
      await refused(forged({ header }), JWEInvalid)
    for (const header of [
      { alg, enc: 'SGD_SM4_CCM' },
      { alg, enc: 'A128CBC-HS256' },
      { alg, enc: alg },
      { alg: enc, enc },
      { alg: 'SGD_SM9_3', enc },
      { alg: `${alg} `, enc },
      { alg: 'RSA-OAEP-256', enc },
      { alg: 'A128KW', enc },
      { alg: 'ECDH-ES', enc },
    ])
      await refused(forged({ header }), JOSENotSupported)
  })

  it('that names a stand-in is not taken for one of ours', async () => {
    const secret = randomBytes(16)
    for (const header of [
      { alg: 'A128KW', enc: 'A128GCM' },
      { alg, enc: 'A128GCM' },
      { alg: 'dir', enc: 'A128GCM' },
    ])
      for (const key of [privateKey, secret])
        await assert.rejects(compactDecrypt(forged({ header, cek: secret }), key), (error) => error instanceof Error)
    const allowed = { keyManagementAlgorithms: ['A128KW'], contentEncryptionAlgorithms: ['A128GCM'] }
    await refused(forged(), errors.JOSEAlgNotAllowed, privateKey, allowed as never)
  })

  it('with an encrypted key beside dir is refused, and dir without the right key', async () => {
    const cek = randomBytes(16)
    const header = { alg: 'dir', enc }
    assert.ok(await compactDecrypt(forged({ header, cek, encryptedKey: '' }), cek))
    await refused(forged({ header, cek }), JWEInvalid, cek)
    const direct = forged({ header, cek, encryptedKey: '' })
    await refused(direct, JWEDecryptionFailed, randomBytes(16))
    for (const key of [Buffer.alloc(15), Buffer.alloc(32), new Uint8Array(0)]) await refused(direct, JWEInvalid, key)
    const k = encode(cek)
    for (const key of [
      privateKey,
      publicKey,
      privateJwk,
      { kty: 'oct' },
      { kty: 'oct', k, use: 'sig' },
      { kty: 'oct', k, alg: 'A128GCM' },
      { kty: 'oct', k, key_ops: ['encrypt'] },
      { kty: 'RSA', k },
      null,
      k,
      {},
      await jose.generateSecret('A128GCM'),
    ])
      await refused(direct, TypeError, key)
    await refused(direct, JWEInvalid, { kty: 'oct', k: `${k}=` })
    assert.ok(await compactDecrypt(direct, createSecretKey(cek)))
  })

  it('is not opened by a key of another kind or for another use', async () => {
    const jwe = forged()
    const signing = await generateKeyPair(SGD_SM3_SM2)
    const es256 = await generateKeyPair('ES256', { extractable: true })
    for (const key of [
      publicKey,
      publicJwk,
      signing.privateKey,
      signing.publicKey,
      es256.privateKey,
      await exportJWK(es256.privateKey),
      { ...privateJwk, use: 'sig' },
      { ...privateJwk, alg: SGD_SM3_SM2 },
      { ...privateJwk, key_ops: ['sign'] },
      { ...privateJwk, ext: 1 },
      randomBytes(16),
      null,
      'key',
      {},
    ])
      await refused(jwe, TypeError, key)
    await refused(jwe, errors.JWKInvalid, { ...privateJwk, x: publicJwk.y })
    const other = await exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)
    await refused(jwe, JWEDecryptionFailed, other)
    await refused(jwe, errors.JWKInvalid, { ...privateJwk, d: other.d })
  })

  it('that is a bomb is stopped at the bound', async () => {
    const header = { alg, enc, zip: 'DEF' }
    const bomb = forged({ header, plaintext: deflateRawSync(Buffer.alloc(50_000_000)) })
    await refused(bomb, /exceeded the configured limit/)
    await refused(bomb, /exceeded the configured limit/, privateKey, { maxDecompressedLength: 40_000_000 })
    await refused(bomb, JOSENotSupported, privateKey, { maxDecompressedLength: 0 })
    await refused(forged({ header, plaintext: randomBytes(100) }), /Failed to decompress/)
    await refused(forged({ header, plaintext: Buffer.concat([deflateRawSync(content), Buffer.of(0)]) }), JWEInvalid)
    assert.ok(
      await jwtDecrypt(forged({ header, plaintext: deflateRawSync(content) }), privateKey, {
        maxDecompressedLength: content.length,
      }),
    )
    await refused(forged({ header, plaintext: deflateRawSync(content) }), JWEInvalid, privateKey, {
      maxDecompressedLength: 13,
    })
  })

  it('is not encrypted by us with a key that is not meant for it', async () => {
    const make = (header: object, key: unknown) =>
      new jose.CompactEncrypt(content).setProtectedHeader(header as never).encrypt(key as never)
    const signing = await generateKeyPair(SGD_SM3_SM2)
    for (const key of [privateKey, privateJwk, signing.publicKey, { ...publicJwk, use: 'sig' }, randomBytes(16), null])
      await assert.rejects(make({ alg, enc }, key), TypeError)
    await assert.rejects(make({ alg, enc }, { ...publicJwk, y: publicJwk.x }), errors.JWKInvalid)
    for (const key of [publicKey, publicJwk, null, 'secret'])
      await assert.rejects(make({ alg: 'dir', enc }, key), TypeError)
    await assert.rejects(make({ alg: 'dir', enc }, randomBytes(32)), JWEInvalid)
    for (const name of ['RSA-OAEP-256', 'ECDH-ES', 'A128KW', enc, 'none'])
      await assert.rejects(make({ alg: name, enc }, randomBytes(16)), JOSENotSupported)
    for (const name of ['A128CBC-HS256', 'SGD_SM4_CCM', alg])
      await assert.rejects(make({ alg, enc: name }, publicKey), JOSENotSupported)
    for (const header of [{ enc }, { alg }, { alg: 1, enc }, { alg, enc: 1 }])
      await assert.rejects(make(header, publicKey), JWEInvalid)
  })

  describe('gets the answer that upstream gives to one of its own', () => {
    const secret = Buffer.alloc(16, 5)
    /** The same JWE for both: ours by SM2 and SM4, upstream's by key wrapping and AES. */
    async function both(
      change: (jwe: FlattenedJWE) => unknown,
      headers: Partial<Record<'protected' | 'unprotected' | 'header', Record<string, unknown>>> = {},
      options?: DecryptOptions,
    ): Promise<void> {
      const answers = []
      for (const [from, key, open, names] of [
        [jose, publicKey, privateKey, { alg, enc }],
        [upstream, secret, secret, { alg: 'A128KW', enc: 'A128GCM' }],
      ] as const) {
        const builder = new from.FlattenedEncrypt(content).setProtectedHeader({
          ...names,
          ...headers.protected,
        } as never)
        if (headers.unprotected) builder.setSharedUnprotectedHeader(headers.unprotected)
        if (headers.header) builder.setUnprotectedHeader(headers.header)
        const made = await said(builder.encrypt(key as never))
        const jwe = made === 'ok' ? await builder.encrypt(key as never) : undefined
        answers.push([
          made,
          jwe && (await said(from.flattenedDecrypt(change(jwe) as FlattenedJWE, open as never, options))),
        ])
      }
      assert.deepEqual(answers[0], answers[1])
      assert.notDeepEqual(answers[0], ['ok', 'ok'])
    }
    const rename = (jwe: FlattenedJWE, header: object) => {
      const own = JSON.parse(Buffer.from(jwe.protected as string, 'base64url').toString()) as object
      return { ...jwe, protected: encode(JSON.stringify({ ...own, ...header })) }
    }

    for (const member of ['ciphertext', 'iv', 'tag', 'encrypted_key', 'protected'] as const)
      for (const value of [undefined, null, 1, '', '*', 'AAAA', {}])
        it(`with ${member} = ${JSON.stringify(value)}`, () => both((jwe) => ({ ...jwe, [member]: value })))
    for (const value of [null, 1, '', '*', {}])
      it(`with aad = ${JSON.stringify(value)}`, () => both((jwe) => ({ ...jwe, aad: value })))
    for (const value of [null, 1, '', [], { alg: 'x' }, { crit: ['a'] }, { zip: 'DEF' }])
      for (const member of ['header', 'unprotected'])
        it(`with ${member} = ${JSON.stringify(value)}`, () => both((jwe) => ({ ...jwe, [member]: value })))
    for (const header of [
      { crit: ['a'], a: 1 },
      { crit: [] },
      { crit: 'a' },
      { crit: ['a', 'a'], a: 1 },
      { crit: [1] },
      { zip: 'GZ' },
      { zip: 1 },
      { zip: '' },
    ])
      it(`with ${JSON.stringify(header)} in the header`, async () => {
        await both((jwe) => rename(jwe, header))
        await both((jwe) => jwe, { protected: header })
      })
    for (const headers of [{ unprotected: { zip: 'DEF' } }, { header: { crit: ['a'] } }, { header: { alg: 'x' } }])
      it(`with ${JSON.stringify(headers)} asked for`, () => both((jwe) => jwe, headers))
    for (const options of [
      { keyManagementAlgorithms: ['RSA-OAEP'] },
      { keyManagementAlgorithms: [] },
      { keyManagementAlgorithms: 'A128KW' },
      { keyManagementAlgorithms: [1] },
      { contentEncryptionAlgorithms: ['A256GCM'] },
      { contentEncryptionAlgorithms: {} },
      { maxDecompressedLength: -1 },
      { maxDecompressedLength: 'all' },
      { maxPBES2Count: 0 },
    ])
      it(`under the options ${JSON.stringify(options)}`, () => both((jwe) => jwe, {}, options as never))

    it('where the extension is known to the caller', async () => {
      const header = { alg, enc, crit: ['a'], a: 1 }
      assert.ok(await compactDecrypt(forged({ header }), privateKey, { crit: { a: true } }))
      await refused(forged({ header: { alg, enc, crit: ['a'] } }), JWEInvalid, privateKey, { crit: { a: true } })
    })

    it('where it is no object', async () => {
      for (const jwe of [undefined, null, 1, 'x', []])
        assert.equal(
          await said(flattenedDecrypt(jwe as never, privateKey)),
          await said(upstream.flattenedDecrypt(jwe as never, secret)),
        )
    })
  })
})
