/**
 * What every `Signer` must do, run by each implementation: its signatures are good JWS signatures of its public key.
 */
import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { calculateJwkThumbprint, compactVerify, errors, SGD_SM3_SM2 } from 'jose'
import smCrypto from 'sm-crypto'
import type { PublicJwk, Signer } from '#src/crypto/signer.ts'

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/** `make` gives the signer under test, of any key. */
export function signerContract(name: string, make: () => Promise<Signer>): void {
  describe(`Signer: ${name}`, () => {
    let signer: Signer
    before(async () => {
      signer = await make()
    })

    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const input = (payload: object): string => `${encode({ alg: signer.alg, kid: signer.kid })}.${encode(payload)}`
    const jws = async (payload: object): Promise<string> => {
      const text = input(payload)
      return `${text}.${Buffer.from(await signer.sign(Buffer.from(text))).toString('base64url')}`
    }
    const options = (): { algorithms: string[] } => ({ algorithms: [signer.alg] })

    it('signs what its public key verifies', async () => {
      const { payload, protectedHeader } = await compactVerify(await jws({ a: 1 }), signer.publicJwk, options())
      assert.equal(Buffer.from(payload).toString(), '{"a":1}')
      assert.deepEqual(protectedHeader, { alg: signer.alg, kid: signer.kid })
    })

    it('signs nothing else: a changed byte of the message or the signature fails', async () => {
      const [header, payload, signature] = (await jws({ a: 1 })).split('.') as [string, string, string]
      const bytes = Buffer.from(signature, 'base64url')
      for (const at of [0, 31, 32, bytes.length - 1]) {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] as number) ^ 1
        const token = `${header}.${payload}.${changed.toString('base64url')}`
        await assert.rejects(compactVerify(token, signer.publicJwk), errors.JWSSignatureVerificationFailed)
      }
      const other = `${header}.${encode({ a: 2 })}.${signature}`
      await assert.rejects(compactVerify(other, signer.publicJwk), errors.JWSSignatureVerificationFailed)
    })

    it('is right fifty times at once', async () => {
      const tokens = await Promise.all(Array.from({ length: 50 }, (_, a) => jws({ a })))
      for (const [a, token] of tokens.entries()) {
        const { payload } = await compactVerify(token, signer.publicJwk, options())
        assert.equal(Buffer.from(payload).toString(), JSON.stringify({ a }))
      }
    })

    it('has the SHA-256 thumbprint of RFC 7638 as its kid', async () =>
      assert.equal(signer.kid, await calculateJwkThumbprint({ ...signer.publicJwk })))

    it('publishes its public key and no private member', () => {
      assert.deepEqual(
        { alg: signer.publicJwk.alg, kid: signer.publicJwk.kid, use: signer.publicJwk.use },
        { alg: signer.alg, kid: signer.kid, use: 'sig' },
      )
      for (const member of privateMembers) assert.ok(!(member in signer.publicJwk), member)
    })

    it('is verified by an independent implementation: sm-crypto for SM2, OpenSSL for the others', async () => {
      const message = Buffer.from('message digest')
      const signature = await signer.sign(message)
      assert.equal(independent(signer.publicJwk, message, signature), true)
      assert.equal(independent(signer.publicJwk, Buffer.from('message digesT'), signature), false)
    })
  })
}

function independent(jwk: PublicJwk, message: Uint8Array, signature: Uint8Array): boolean {
  if (jwk.alg === SGD_SM3_SM2) {
    const hex = (text = ''): string => Buffer.from(text, 'base64url').toString('hex')
    const publicKey = `04${hex(jwk.x)}${hex(jwk.y)}`
    return smCrypto.sm2.doVerifySignature(message, Buffer.from(signature).toString('hex'), publicKey, { hash: true })
  }
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  return verify('sha256', message, jwk.alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key, signature)
}
