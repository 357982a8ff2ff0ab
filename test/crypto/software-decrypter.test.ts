import assert from 'node:assert/strict'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { createSoftwareDecrypter } from '#src/crypto/software-decrypter.ts'
import { isAppError } from '#src/errors.ts'
import { decrypterContract } from '../contracts/decrypter.ts'

const privateJwk = async (alg = 'SGD_SM2_3'): Promise<JWK> =>
  exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)

decrypterContract('in software', async () => ({
  decrypter: await createSoftwareDecrypter(await privateJwk()),
  other: await createSoftwareDecrypter(await privateJwk()),
}))

describe('the software decrypter', () => {
  it('takes no other key, none for another use, and none whose halves do not belong together', async () => {
    const [one, two] = [await privateJwk(), await privateJwk()]
    const { d: _, ...publicJwk } = one
    const wrong: readonly JWK[] = [
      await privateJwk('ES256'),
      publicJwk,
      { ...one, use: 'sig' },
      { ...one, alg: 'SGD_SM3_SM2' },
      { ...one, d: two.d as string },
    ]
    for (const jwk of wrong)
      await assert.rejects(createSoftwareDecrypter(jwk), (error: unknown) => isAppError(error, 'key_invalid'))
  })
})
