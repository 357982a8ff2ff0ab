/** What every `Decrypter` must do, run by each implementation: it opens what was encrypted to its public key, and nothing else. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { calculateJwkThumbprint, compactDecrypt, CompactEncrypt, errors, importJWK, sm2Encrypt } from 'jose'
import { sm2 } from 'sm-crypto-v2'
import type { Decrypter } from '#src/crypto/decrypter.ts'
import { isAppError } from '#src/errors.ts'

const refused = (error: unknown): boolean => isAppError(error, 'sealed_value_invalid')

/** `make` gives the decrypter under test, and another of another key. */
export function decrypterContract(name: string, make: () => Promise<{ decrypter: Decrypter; other: Decrypter }>): void {
  describe(`Decrypter: ${name}`, () => {
    let decrypter: Decrypter
    let other: Decrypter
    before(async () => {
      ;({ decrypter, other } = await make())
    })

    it('opens a content key that was encrypted to its public key, a hundred at once', async () => {
      const keys = Array.from({ length: 100 }, () => randomBytes(16))
      const opened = await Promise.all(keys.map((key) => decrypter.decrypt(sm2Encrypt(decrypter.publicJwk, key))))
      assert.deepEqual(
        opened.map((key) => Buffer.from(key).toString('hex')),
        keys.map((key) => key.toString('hex')),
      )
    })

    it('opens what an independent implementation encrypted: sm-crypto-v2', async () => {
      const hex = (text = ''): string => Buffer.from(text, 'base64url').toString('hex')
      const { x, y } = decrypter.publicJwk
      const message = randomBytes(16)
      const cipher = sm2.doEncrypt(new Uint8Array(message), `04${hex(x)}${hex(y)}`, 1, { asn1: true })
      assert.deepEqual(Buffer.from(await decrypter.decrypt(Buffer.from(cipher, 'hex'))), message)
    })

    it('opens a JWE in the place of its key', async () => {
      const publicKey = await importJWK({ ...decrypter.publicJwk }, decrypter.alg)
      const jwe = await new CompactEncrypt(Buffer.from('内容'))
        .setProtectedHeader({ alg: decrypter.alg, enc: 'SGD_SM4_GCM', kid: decrypter.kid })
        .encrypt(publicKey)
      const { plaintext } = await compactDecrypt(jwe, decrypter as never)
      assert.equal(Buffer.from(plaintext).toString(), '内容')
      await assert.rejects(compactDecrypt(jwe, other as never), errors.JWEDecryptionFailed)
    })

    it('opens nothing that is of another key, changed, cut short or none', async () => {
      const whole = sm2Encrypt(decrypter.publicJwk, randomBytes(16))
      const changed = [0, 1, 10, 60, 80, whole.length - 1].map((at) => {
        const copy = Buffer.from(whole)
        copy[at] = (copy[at] as number) ^ 1
        return copy
      })
      const foreign = sm2Encrypt(other.publicJwk, randomBytes(16))
      for (const bytes of [
        ...changed,
        foreign,
        whole.subarray(1),
        whole.subarray(0, -1),
        Buffer.of(),
        Buffer.alloc(500),
      ])
        await assert.rejects(decrypter.decrypt(bytes), refused)
      assert.equal((await decrypter.decrypt(whole)).length, 16)
    })

    it('has the SHA-256 thumbprint of RFC 7638 as its kid, and publishes no private member', async () => {
      const { publicJwk, kid, alg } = decrypter
      assert.equal(kid, await calculateJwkThumbprint({ ...publicJwk }))
      assert.deepEqual([publicJwk.alg, publicJwk.kid, publicJwk.use], [alg, kid, 'enc'])
      for (const member of ['d', 'p', 'q', 'k']) assert.ok(!(member in publicJwk), member)
    })
  })
}
