import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { exportJWK, generateKeyPair, SGD_SM3_SM2 } from 'jose'
import type { JWK } from 'jose'
import { createSoftwareSigner } from '#src/crypto/software-signer.ts'
import { isAppError } from '#src/errors.ts'
import { signerContract } from '../contracts/signer.ts'
import gm from '../support/gm.json' with { type: 'json' }

const fresh = async (alg: string): Promise<JWK> =>
  exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)

for (const alg of [SGD_SM3_SM2, 'ES256', 'RS256'])
  signerContract(`software, ${alg}`, async () => createSoftwareSigner(await fresh(alg)))

describe('Software signer', () => {
  it('has the known thumbprint for the key of GB/T 32918.5', async () => {
    const d = Buffer.from(gm.sm2.d, 'hex').toString('base64url')
    const signer = await createSoftwareSigner({ ...gm.jws.jwk, d, kid: 'another', use: 'sig' })
    assert.equal(signer.kid, gm.jws.sha256Thumbprint)
    assert.equal(signer.alg, SGD_SM3_SM2)
  })

  it('publishes only what makes the public key', async () => {
    for (const alg of [SGD_SM3_SM2, 'ES256', 'RS256']) {
      const jwk = await fresh(alg)
      const signer = await createSoftwareSigner({ ...jwk, note: 'private', key_ops: ['sign'] } as JWK)
      const members = jwk.kty === 'RSA' ? ['kty', 'n', 'e'] : ['kty', 'crv', 'x', 'y']
      assert.deepEqual(Object.keys(signer.publicJwk), [...members, 'kid', 'alg', 'use'])
      assert.ok(!inspect(signer, { depth: null, showHidden: true }).includes(jwk.d as string))
    }
  })

  const refused: [what: string, key: () => Promise<JWK>][] = [
    ['no private part', async () => ({ ...(await fresh('ES256')), d: undefined })],
    ['another curve', () => fresh('ES384')],
    ['another type', () => fresh('EdDSA')],
    ['a secret', async () => ({ kty: 'oct', k: 'AAAA' })],
    ['nothing in it', async () => ({})],
    ['a use of encryption', async () => ({ ...(await fresh(SGD_SM3_SM2)), use: 'enc' })],
    ['another algorithm', async () => ({ ...(await fresh('RS256')), alg: 'PS256' })],
    ['the public half of another SM2 key', async () => mixed(SGD_SM3_SM2)],
    ['the public half of another P-256 key', async () => mixed('ES256')],
    ['the modulus of another RSA key', async () => ({ ...(await fresh('RS256')), n: (await fresh('RS256')).n })],
    ['an RSA modulus of 1024 bits', shortRsa],
  ]
  async function mixed(alg: string): Promise<JWK> {
    const { x, y } = await fresh(alg)
    return { ...(await fresh(alg)), x, y }
  }
  async function shortRsa(): Promise<JWK> {
    const { generateKeyPairSync } = await import('node:crypto')
    return generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' }) as JWK
  }
  for (const [what, key] of refused)
    it(`refuses a key with ${what}`, async () => {
      const jwk = await key()
      await assert.rejects(createSoftwareSigner(jwk), (error: unknown) => {
        assert.ok(isAppError(error, 'key_invalid'))
        return !jwk.d || !inspect(error, { depth: 5 }).includes(jwk.d)
      })
    })
})
