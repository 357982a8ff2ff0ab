import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, importPKCS8, importSPKI } from 'jose'
import { selfTest, SGD_SM3_SM2, sm2Sign, sm2SignatureFromDer, sm2SignatureToDer, sm2Verify } from 'jose'
import type { Sm2Key } from 'jose'
import smCrypto from 'sm-crypto'
import { chooseEngine, knowsTheAnswers, sm2Engine } from '#src/jose/self-test.ts'
import { n, toBytes, za } from '#src/jose/sm2-curve.ts'
import { nativeSm2, signWithNonce, smCryptoSm2 } from '#src/jose/sm2-engine.ts'
import { isRawSignature } from '#src/jose/sm2-signature.ts'
import gm from '../support/gm.json' with { type: 'json' }
import { needsOpenssl, openssl } from '../support/openssl.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const point = hex(gm.sm2.x + gm.sm2.y)
const vector = { point, d: hex(gm.sm2.d), za: za(point) }
const message = Buffer.from(gm.sm2.message)
const signature = hex(gm.sm2.r + gm.sm2.s)
const engines = [nativeSm2, smCryptoSm2]

const pair = async (): Promise<{ privateKey: Sm2Key; publicKey: Sm2Key }> =>
  (await generateKeyPair(SGD_SM3_SM2, { extractable: true })) as { privateKey: Sm2Key; publicKey: Sm2Key }
const hexOf = (base64url: string | undefined): string => Buffer.from(base64url ?? '', 'base64url').toString('hex')

describe('SM2 signature', () => {
  it('computes the published ZA', () => assert.equal(vector.za.toString('hex').toUpperCase(), gm.sm2.za))

  for (const engine of engines) {
    describe(`by the engine ${engine.name}`, () => {
      it('verifies the signature of GB/T 32918.5 A.2, and of no other message', () => {
        assert.equal(engine.verify(vector, message, signature), true)
        assert.equal(engine.verify(vector, Buffer.from('message digesT'), signature), false)
      })

      it('computes the published public key', () => assert.deepEqual(engine.publicPoint(vector.d), point))

      it('is verified by the other engine and by sm-crypto, whatever was signed', () => {
        fc.assert(
          fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
            const made = engine.sign(vector, data)
            assert.ok(isRawSignature(made))
            for (const other of engines) assert.equal(other.verify(vector, data, made), true)
            const oracle = smCrypto.sm2.doVerifySignature(data, made.toString('hex'), `04${point.toString('hex')}`, {
              hash: true,
            })
            assert.equal(oracle, true)
          }),
          { numRuns: 8 },
        )
      })

      it('verifies what sm-crypto signs', () => {
        const made = smCrypto.sm2.doSignature(message, gm.sm2.d.toLowerCase(), { hash: true })
        assert.equal(engine.verify(vector, message, hex(made)), true)
      })

      it('never signs twice alike', () =>
        assert.notDeepEqual(engine.sign(vector, message), engine.sign(vector, message)))
    })
  }

  it('made by the fall-back with the k of the standard, is the published one', () => {
    // sm-crypto takes (number mod (n − 1)) + 1, so k − 1 gives k.
    const k = toBytes(BigInt(`0x${gm.sm2Encryption.k}`) - 1n)
    assert.deepEqual(
      signWithNonce(vector, message, () => k),
      signature,
    )
  })
})

describe('SM2 engine', () => {
  it('is native here, and says so', () => {
    assert.deepEqual([selfTest().sm2, selfTest().sm3], ['native', 'native'])
    assert.equal(sm2Engine(), nativeSm2)
  })

  const broken = {
    'throws, as in a build without SM2': {
      ...nativeSm2,
      sign: () => {
        throw new Error('unsupported')
      },
    },
    'accepts anything': { ...nativeSm2, verify: () => true },
    'accepts nothing': { ...nativeSm2, verify: () => false },
    'signs what it does not verify': { ...nativeSm2, sign: () => Buffer.alloc(64, 1) },
    'computes another public key': { ...nativeSm2, publicPoint: () => Buffer.alloc(64, 1) },
  }
  for (const [what, engine] of Object.entries(broken))
    it(`falls back to sm-crypto where the native way ${what}`, () => {
      assert.equal(knowsTheAnswers(engine), false)
      assert.equal(chooseEngine([engine, smCryptoSm2]), smCryptoSm2)
    })

  it('is refused where no engine knows the answers', () =>
    assert.throws(() => chooseEngine([broken['accepts anything']]), /self-test failed/))
})

describe('SM2 signature encoding', () => {
  it('turns the published signature into its DER and back', () => {
    const der = hex(`3046022100${gm.sm2.r}022100${gm.sm2.s}`)
    assert.deepEqual(sm2SignatureToDer(signature), der)
    assert.deepEqual(sm2SignatureFromDer(der), signature)
  })

  it('round-trips any two numbers in range', () => {
    const number = fc.bigInt({ min: 1n, max: n - 1n })
    const small = fc.bigInt({ min: 1n, max: 0xffffn })
    fc.assert(
      fc.property(fc.oneof(number, small), fc.oneof(number, small), (r, s) => {
        const raw = Buffer.concat([toBytes(r), toBytes(s)])
        assert.deepEqual(sm2SignatureFromDer(sm2SignatureToDer(raw)), raw)
      }),
    )
  })

  const refused: Record<string, string> = {
    nothing: '',
    'no sequence': '020101020101',
    'bytes behind': '300602010102010100',
    'a byte behind the integers': '3007020101020101' + '00',
    'a third integer': '3009020101020101020101',
    'one integer': '3003020101',
    'a negative integer': '3006020181020101',
    'a padded integer': '300702020001020101',
    'an empty integer': '30050200020101',
    'an integer of 33 bytes': '30260221' + '01'.repeat(33) + '020101',
    'a long-form length (BER)': '308106020101020101',
    'an indefinite length (BER)': '30800201010201010000',
    'a length with a leading zero': '30820006020101020101',
    'a missing byte': '30060201010201',
    'a length beyond the end': '3007020101020101',
  }
  for (const [what, der] of Object.entries(refused))
    it(`refuses DER with ${what}`, () => assert.throws(() => sm2SignatureFromDer(hex(der)), TypeError))

  it('holds r and s to their range and r + s away from n', () => {
    const raw = (r: bigint, s: bigint): Buffer => Buffer.concat([toBytes(r), toBytes(s)])
    for (const [r, s] of [
      [0n, 1n],
      [1n, 0n],
      [n, 1n],
      [1n, n],
      [n + 1n, 1n],
      [1n, n + 1n],
      [1n, n - 1n],
      [n - 5n, 5n],
    ] as const)
      assert.equal(isRawSignature(raw(r, s)), false, `${r}, ${s}`)
    assert.equal(isRawSignature(raw(1n, 1n)), true)
    assert.equal(isRawSignature(raw(n - 1n, n - 1n)), true)
    assert.equal(isRawSignature(Buffer.concat([raw(1n, 1n), Buffer.alloc(1)])), false)
    assert.equal(isRawSignature(raw(1n, 1n).subarray(1)), false)
  })

  it('answers no, and does not throw, for bytes that are no signature', async () => {
    const { publicKey, privateKey } = await pair()
    const good = sm2Sign(privateKey, message)
    assert.equal(sm2Verify(publicKey, message, good), true)
    for (const bad of [Buffer.alloc(0), Buffer.alloc(64), good.subarray(1), sm2SignatureToDer(good)])
      assert.equal(sm2Verify(publicKey, message, bad), false)
  })
})

describe('SM2 beside the openssl command', function () {
  this.timeout(20_000)
  const options = ['-rawin', '-digest', 'sm3', '-pkeyopt', 'distid:1234567812345678']
  let directory: string
  const file = (name: string): string => join(directory, name)

  before(function () {
    needsOpenssl(this)
    directory = mkdtempSync(join(tmpdir(), 'sm2-'))
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:SM2', '-out', file('theirs.pem'))
    openssl('pkey', '-in', file('theirs.pem'), '-pubout', '-out', file('theirs.pub'))
  })
  after(() => directory && rmSync(directory, { recursive: true, force: true }))

  it('has its signatures accepted by openssl', async () => {
    const { privateKey, publicKey } = await pair()
    writeFileSync(file('ours.pub'), await exportSPKI(publicKey))
    for (let i = 0; i < 4; i += 1) {
      writeFileSync(file('data'), `message ${i}`)
      writeFileSync(file('sig'), sm2SignatureToDer(sm2Sign(privateKey, readFileSync(file('data')))))
      const said = openssl(
        ...['pkeyutl', '-verify', '-pubin', '-inkey', file('ours.pub'), '-in', file('data'), '-sigfile', file('sig')],
        ...options,
      )
      assert.match(said, /Verified Successfully/)
    }
  })

  it('accepts the signatures of openssl with its keys', async () => {
    const publicKey = (await importSPKI(readFileSync(file('theirs.pub'), 'utf8'), SGD_SM3_SM2)) as Sm2Key
    for (let i = 0; i < 4; i += 1) {
      writeFileSync(file('data'), `message ${i}`)
      openssl(
        ...['pkeyutl', '-sign', '-inkey', file('theirs.pem'), '-in', file('data'), '-out', file('sig')],
        ...options,
      )
      const raw = sm2SignatureFromDer(readFileSync(file('sig')))
      assert.equal(sm2Verify(publicKey, Buffer.from(`message ${i}`), raw), true)
      assert.equal(sm2Verify(publicKey, Buffer.from(`message ${i + 1}`), raw), false)
    }
  })

  it('exchanges private keys with openssl', async () => {
    openssl('pkcs8', '-topk8', '-nocrypt', '-in', file('theirs.pem'), '-out', file('theirs.p8'))
    const theirs = await importPKCS8(readFileSync(file('theirs.p8'), 'utf8'), SGD_SM3_SM2, { extractable: true })
    const listed = openssl('pkey', '-in', file('theirs.pem'), '-text', '-noout').replace(/[\s:]/g, '')
    const { d, x } = await exportJWK(theirs)
    assert.ok(listed.includes(hexOf(d)) && listed.includes(hexOf(x)))

    const { privateKey } = await pair()
    writeFileSync(file('ours.pem'), await exportPKCS8(privateKey))
    const read = openssl('pkey', '-in', file('ours.pem'), '-text', '-noout').replace(/[\s:]/g, '')
    assert.ok(read.includes(hexOf((await exportJWK(privateKey)).d)))
  })
})
