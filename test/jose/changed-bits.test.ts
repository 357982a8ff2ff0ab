/** Every bit of a token counts: changed alone, it makes another token, and none of them is accepted. */
import assert from 'node:assert/strict'
import { CompactSign, compactVerify, errors, generateKeyPair, generateSecret, SGD_SM3_HMAC, SGD_SM3_SM2 } from 'jose'
import type { CryptoKey } from 'jose'

const payload = Buffer.from('{"sub":"test"}')
const { JWSSignatureVerificationFailed } = errors

interface Kind {
  readonly alg: string
  readonly options?: { readonly sm2Signature: 'raw' | 'der' }
}

const kinds: Readonly<Record<string, Kind>> = {
  'SM2 with r‖s': { alg: SGD_SM3_SM2 },
  'SM2 with DER': { alg: SGD_SM3_SM2, options: { sm2Signature: 'der' } },
  'SM3-HMAC': { alg: SGD_SM3_HMAC },
}

function* flipped(bytes: Uint8Array): Generator<Buffer> {
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    yield changed
  }
}

for (const [what, { alg, options }] of Object.entries(kinds))
  describe(`A token of ${what}`, function () {
    this.timeout(20_000)
    let token: string
    let key: CryptoKey | Uint8Array
    before(async () => {
      const secret = alg === SGD_SM3_HMAC ? await generateSecret(alg) : undefined
      const pair = secret ? undefined : await generateKeyPair(alg)
      key = secret ?? (pair as { publicKey: CryptoKey }).publicKey
      const signing = secret ?? (pair as { privateKey: CryptoKey }).privateKey
      token = await new CompactSign(payload).setProtectedHeader({ alg, kid: 'a' }).sign(signing, options)
    })

    const verify = (given: string | Uint8Array) => compactVerify(given, key, options ?? {})

    for (const [at, part] of ['header', 'payload', 'signature'].entries())
      it(`is refused with any bit of its ${part} changed`, async () => {
        await verify(token)
        const parts = token.split('.')
        const bytes = Buffer.from(parts[at] as string, 'base64url')
        for (const changed of flipped(bytes)) {
          const other = parts.with(at, changed.toString('base64url')).join('.')
          await assert.rejects(verify(other), part === 'header' ? Error : JWSSignatureVerificationFailed, other)
        }
      })

    it('is refused with any bit of its text changed', async () => {
      for (const changed of flipped(Buffer.from(token))) await assert.rejects(verify(changed), `${changed}`)
    })
  })
