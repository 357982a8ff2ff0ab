/**
 * Tokens of any payload, made here and verified by others and the other way round: sm-crypto, sm-crypto-v2 and the
 * openssl command. 50 tokens in each direction; `npm run test:long` takes 1,000.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactSign, compactVerify, errors, exportJWK, exportPKCS8, exportSPKI, generateKeyPair } from 'jose'
import { SGD_SM3_SM2, sm2SignatureToDer } from 'jose'
import type { CryptoKey } from 'jose'
import smCrypto from 'sm-crypto'
import { sm2 as smCryptoV2 } from 'sm-crypto-v2'
import { needsOpenssl } from '../support/openssl.ts'
import { rounds } from '../support/rounds.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const alg = SGD_SM3_SM2
const tokens = rounds
const each = Array.from({ length: tokens }, (_, at) => at)
const header = Buffer.from(JSON.stringify({ alg })).toString('base64url')
const randomPayload = (): Buffer => randomBytes(randomInt(0, 1_000))

interface Split {
  readonly input: Buffer
  readonly signature: Buffer
}

function split(token: string): Split {
  const at = token.lastIndexOf('.')
  return { input: Buffer.from(token.slice(0, at)), signature: Buffer.from(token.slice(at + 1), 'base64url') }
}

describe(`${tokens} SM2 tokens of random payloads`, function () {
  this.timeout(tokens * 400)
  const directory = temporaryDirectories()
  let privateKey: CryptoKey
  let publicKey: CryptoKey
  let d: string
  let point: string
  before(async () => {
    ;({ privateKey, publicKey } = await generateKeyPair(alg, { extractable: true }))
    const jwk = await exportJWK(privateKey)
    const hex = (text = ''): string => Buffer.from(text, 'base64url').toString('hex')
    ;[d, point] = [hex(jwk.d), `04${hex(jwk.x)}${hex(jwk.y)}`]
  })

  const made = async (sm2Signature: 'raw' | 'der' = 'raw'): Promise<Split> =>
    split(await new CompactSign(randomPayload()).setProtectedHeader({ alg }).sign(privateKey, { sm2Signature }))
  const verified = async (payload: Buffer, signature: Buffer, sm2Signature: 'raw' | 'der' = 'raw'): Promise<void> => {
    const token = `${header}.${payload.toString('base64url')}.${signature.toString('base64url')}`
    const result = await compactVerify(token, publicKey, { algorithms: [alg], sm2Signature })
    assert.deepEqual(Buffer.from(result.payload), payload, token)
  }
  const inputOf = (payload: Buffer): Buffer => Buffer.from(`${header}.${payload.toString('base64url')}`)

  for (const [name, oracle] of [
    ['sm-crypto', smCrypto.sm2],
    ['sm-crypto-v2', smCryptoV2],
  ] as const) {
    it(`made here are verified by ${name}`, async () => {
      for (const at of each) {
        const { input, signature } = await made()
        assert.ok(oracle.doVerifySignature(input, signature.toString('hex'), point, { hash: true }), `${input}`)
        const other = Buffer.concat([input, Buffer.of(0x41)])
        if (at % 10 === 0)
          assert.ok(!oracle.doVerifySignature(other, signature.toString('hex'), point, { hash: true }), `${input}`)
      }
    })

    it(`made by ${name} are verified here`, async () => {
      for (const _ of each) {
        const payload = randomPayload()
        const signature = oracle.doSignature(inputOf(payload), d, { hash: true, publicKey: point })
        await verified(payload, Buffer.from(signature, 'hex'))
        await verified(payload, sm2SignatureToDer(Buffer.from(signature, 'hex')), 'der')
      }
    })
  }

  describe('and the openssl command', () => {
    let files: string
    const file = (name: string | number): string => join(files, String(name))
    const options = '-rawin -digest sm3 -pkeyopt distid:1234567812345678'
    /** One shell for all the tokens: $i is the number of the token. */
    const repeated = (command: string): string =>
      execFileSync('sh', ['-c', `i=0; while [ $i -lt ${tokens} ]; do ${command} || exit 1; i=$((i+1)); done`], {
        cwd: files,
        encoding: 'utf8',
        stdio: 'pipe',
      })

    before(async function () {
      needsOpenssl(this)
      files = directory()
      writeFileSync(file('private.pem'), await exportPKCS8(privateKey))
      writeFileSync(file('public.pem'), await exportSPKI(publicKey))
    })

    it('agree on those made here', async () => {
      for (const at of each) {
        const { input, signature } = await made('der')
        writeFileSync(file(`${at}.input`), input)
        writeFileSync(file(`${at}.signature`), signature)
      }
      const verify = `openssl pkeyutl -verify -pubin -inkey public.pem ${options}`
      const said = repeated(`${verify} -in $i.input -sigfile $i.signature`)
      assert.equal(said.match(/Signature Verified Successfully/g)?.length, tokens)
      const refused = (error: unknown): boolean => /Verification Failure/.test((error as { stdout: string }).stdout)
      assert.throws(() => repeated(`${verify} -in public.pem -sigfile $i.signature`), refused)
    })

    it('agree on those made there', async () => {
      const payloads = each.map(randomPayload)
      for (const at of each) writeFileSync(file(`${at}.input`), inputOf(payloads[at] as Buffer))
      repeated(`openssl pkeyutl -sign -inkey private.pem ${options} -in $i.input -out $i.signature`)
      for (const at of each) await verified(payloads[at] as Buffer, readFileSync(file(`${at}.signature`)), 'der')
      const [one, other] = [payloads[0] as Buffer, readFileSync(file('1.signature'))]
      await assert.rejects(verified(one, other, 'der'), errors.JWSSignatureVerificationFailed)
    })
  })
})
