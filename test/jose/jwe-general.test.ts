import assert from 'node:assert/strict'
import { errors, generalDecrypt, GeneralEncrypt, generateKeyPair, generateSecret, SGD_SM2_3, SGD_SM4_GCM } from 'jose'
import type { GeneralJWE, Sm2Key } from 'jose'
import * as upstream from 'jose-upstream'

const alg = SGD_SM2_3
const enc = SGD_SM4_GCM
const text = new Uint8Array([1, 2, 3])
const pair = async (name: string = SGD_SM2_3) =>
  (await generateKeyPair(name)) as unknown as { privateKey: Sm2Key; publicKey: Sm2Key }
const { JOSENotSupported, JWEDecryptionFailed, JWEInvalid } = errors

describe('General JWE with SM', () => {
  it('reaches several SM2 recipients with one content', async () => {
    const [one, two, stranger] = await Promise.all([pair(), pair(), pair()])
    const aad = new Uint8Array([9])
    const jwe = await new GeneralEncrypt(text)
      .setProtectedHeader({ enc })
      .setSharedUnprotectedHeader({ alg })
      .setAdditionalAuthenticatedData(aad)
      .addRecipient(one.publicKey)
      .setUnprotectedHeader({ kid: '1' })
      .addRecipient(two.publicKey)
      .setUnprotectedHeader({ kid: '2' })
      .done()
      .encrypt()
    assert.deepEqual(
      jwe.recipients.map(({ header }) => header),
      [{ kid: '1' }, { kid: '2' }],
    )
    for (const [{ privateKey }, kid] of [
      [one, '1'],
      [two, '2'],
    ] as const)
      assert.deepEqual(await generalDecrypt(jwe, privateKey), {
        plaintext: text,
        protectedHeader: { enc },
        sharedUnprotectedHeader: { alg },
        unprotectedHeader: { kid },
        additionalAuthenticatedData: aad,
      })
    await assert.rejects(generalDecrypt(jwe, stranger.privateKey), JWEDecryptionFailed)
  })

  it('reaches an SM2 recipient beside others where the content is encrypted by AES', async () => {
    const [sm2, rsa, ec] = await Promise.all([pair(), pair('RSA-OAEP-256'), pair('ECDH-ES+A128KW')])
    const make = (content: string) =>
      new GeneralEncrypt(text)
        .setProtectedHeader({ enc: content, kid: 'x' })
        .addRecipient(rsa.publicKey)
        .setUnprotectedHeader({ alg: 'RSA-OAEP-256' })
        .addRecipient(sm2.publicKey)
        .setUnprotectedHeader({ alg })
        .addRecipient(ec.publicKey)
        .setUnprotectedHeader({ alg: 'ECDH-ES+A128KW' })
        .encrypt()
    const jwe = await make('A256GCM')
    for (const { privateKey } of [sm2, rsa, ec])
      assert.deepEqual((await generalDecrypt(jwe, privateKey)).plaintext, text)
    assert.deepEqual((await upstream.generalDecrypt(jwe, rsa.privateKey)).plaintext, text)
    await assert.rejects(make(SGD_SM4_GCM), JOSENotSupported)
    await assert.rejects(make('A128CBC-HS256'), JOSENotSupported)
  })

  it('uses a key directly with one recipient, and with no more', async () => {
    const secret = (await generateSecret(SGD_SM4_GCM)) as unknown as Uint8Array
    const one = new GeneralEncrypt(text).setProtectedHeader({ alg: 'dir', enc })
    one.addRecipient(secret)
    const jwe = await one.encrypt()
    assert.deepEqual(jwe.recipients, [{}])
    assert.deepEqual((await generalDecrypt(jwe, secret)).plaintext, text)
    one.addRecipient(secret)
    await assert.rejects(one.encrypt(), JWEInvalid)
    await assert.rejects(generalDecrypt({ ...jwe, recipients: [{}, {}] }, secret), JWEInvalid)
  })

  it('refuses what upstream refuses, in its words', async () => {
    const { publicKey, privateKey } = await pair()
    const jwe = await new GeneralEncrypt(text).setProtectedHeader({ alg, enc }).addRecipient(publicKey).encrypt()
    assert.ok(await generalDecrypt(jwe, privateKey))
    const builder = () => new GeneralEncrypt(text)
    await assert.rejects(builder().setProtectedHeader({ alg, enc }).encrypt(), /at least one recipient/)
    await assert.rejects(builder().addRecipient(publicKey).encrypt(), JWEInvalid)
    await assert.rejects(builder().setProtectedHeader({ alg }).addRecipient(publicKey).encrypt(), JWEInvalid)
    assert.throws(() => builder().setProtectedHeader({ alg }).setProtectedHeader({ alg }), TypeError)
    const recipient = builder().addRecipient(publicKey).setUnprotectedHeader({ alg }).setKeyManagementParameters({})
    assert.throws(() => recipient.setUnprotectedHeader({ alg }), TypeError)
    assert.throws(() => recipient.setKeyManagementParameters({}), TypeError)
    for (const recipients of [undefined, [], [1], [null], 'x', {}])
      await assert.rejects(generalDecrypt({ ...jwe, recipients } as never, privateKey), JWEInvalid)
    for (const bad of [undefined, null, 1, 'x'])
      await assert.rejects(generalDecrypt(bad as never, privateKey), JWEInvalid)
    const options = { maxDecompressedLength: -1 }
    await assert.rejects(generalDecrypt(jwe, privateKey, options), TypeError)
    const others = { keyManagementAlgorithms: ['A128KW', 'RSA-OAEP-256'] }
    await assert.rejects(generalDecrypt(jwe, privateKey, others as never), JWEDecryptionFailed)
    assert.ok(await generalDecrypt(jwe, privateKey, { keyManagementAlgorithms: [alg] }))
  })

  it('lets no recipient replace what is shared', async () => {
    const { publicKey, privateKey } = await pair()
    const make = (content: number): Promise<GeneralJWE> =>
      new GeneralEncrypt(new Uint8Array([content])).setProtectedHeader({ alg, enc }).addRecipient(publicKey).encrypt()
    const [jwe, other] = [await make(1), await make(2)]
    const { recipients, ...shared } = other
    const mixed = { ...jwe, recipients: [{ ...shared, ...recipients[0] }, jwe.recipients[0]] }
    assert.deepEqual((await generalDecrypt(mixed as never, privateKey)).plaintext, new Uint8Array([1]))
    await assert.rejects(
      generalDecrypt({ ...jwe, recipients: mixed.recipients.slice(0, 1) } as never, privateKey),
      JWEDecryptionFailed,
    )
  })

  it('leaves a JWE without SM names to upstream, both ways', async () => {
    const { publicKey, privateKey } = await pair('RSA-OAEP-256')
    const make = (from: typeof GeneralEncrypt | typeof upstream.GeneralEncrypt) =>
      new from(text).setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A128CBC-HS256' }).addRecipient(publicKey).encrypt()
    assert.deepEqual((await upstream.generalDecrypt(await make(GeneralEncrypt), privateKey)).plaintext, text)
    assert.deepEqual((await generalDecrypt(await make(upstream.GeneralEncrypt), privateKey)).plaintext, text)
  })
})
