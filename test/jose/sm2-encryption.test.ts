import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, randomBytes, randomInt } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errors, exportJWK, exportPKCS8, exportSPKI, generateKeyPair, importPKCS8, importSPKI } from 'jose'
import { selfTest, SGD_SM2_3, SGD_SM3_SM2, sm2Decrypt, sm2Encrypt } from 'jose'
import type { Sm2Key } from 'jose'
import smCrypto from 'sm-crypto'
import { sm2 as oracle } from 'sm-crypto-v2'
import { chooseMultiplier, multipliesRight, sm2Multiplier } from '#src/jose/encryption-self-test.ts'
import { decryptBy, encryptTo } from '#src/jose/sm2-cipher.ts'
import { n, p, toBytes } from '#src/jose/sm2-curve.ts'
import { bigintMultiplier, nativeMultiplier } from '#src/jose/sm2-multiply.ts'
import { needsOpenssl, openssl } from '../support/openssl.ts'
import { rounds } from '../support/rounds.ts'
import gm from '../support/gm.json' with { type: 'json' }

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const d = hex(gm.sm2.d)
const point = hex(gm.sm2.x + gm.sm2.y)
const { message, k, c1x, c1y, c2, c3 } = gm.sm2Encryption
const plain = Buffer.from(message)
const published = hex(`307c0220${c1x}022100${c1y}0420${c3}0413${c2}`)
const multipliers = [nativeMultiplier, bigintMultiplier]
const { JWEDecryptionFailed } = errors

const pair = async (alg: string = SGD_SM2_3): Promise<{ privateKey: Sm2Key; publicKey: Sm2Key }> =>
  (await generateKeyPair(alg, { extractable: true })) as { privateKey: Sm2Key; publicKey: Sm2Key }

/** x‖y‖C3‖C2 of a ciphertext, as sm-crypto writes it. */
function bareOf(der: Buffer): string {
  const fields: Buffer[] = []
  for (let rest = der.subarray(der[1]! < 0x80 ? 2 : der[1] === 0x81 ? 3 : 4); rest.length > 0;) {
    const long = rest[1]! >= 0x80 ? rest[1]! - 0x80 : 0
    const length = long > 0 ? rest.readUIntBE(2, long) : rest[1]!
    fields.push(rest.subarray(2 + long, 2 + long + length))
    rest = rest.subarray(2 + long + length)
  }
  const [x, y, hash, text] = fields as [Buffer, Buffer, Buffer, Buffer]
  return (
    [x, y].map((number) => number.toString('hex').slice(-64).padStart(64, '0')).join('') +
    hash.toString('hex') +
    text.toString('hex')
  )
}

/** DER of x‖y‖C3‖C2 in hex, written by other means than the code under test. */
function derOf(bare: string): Buffer {
  const bytes = hex(bare)
  const element = (tag: number, value: Buffer): Buffer => {
    const { length } = value
    const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
    return Buffer.concat([Buffer.of(tag, ...size), value])
  }
  const integer = (value: Buffer): Buffer => {
    const digits = BigInt(`0x${value.toString('hex')}`).toString(16)
    const even = hex(digits.padStart(digits.length + (digits.length % 2), '0'))
    return element(2, even[0]! > 127 ? Buffer.concat([Buffer.of(0), even]) : even)
  }
  const parts = [integer(bytes.subarray(0, 32)), integer(bytes.subarray(32, 64))]
  return element(0x30, Buffer.concat([...parts, element(4, bytes.subarray(64, 96)), element(4, bytes.subarray(96))]))
}

describe('SM2 encryption', () => {
  for (const multiplier of multipliers) {
    describe(`by the multiplier ${multiplier.name}`, () => {
      it('gives the ciphertext of GB/T 32918.5 C.2 for its k, and opens it', () => {
        assert.deepEqual(
          encryptTo(multiplier, point, plain, () => hex(k)),
          published,
        )
        assert.deepEqual(decryptBy(multiplier, d, published), plain)
        assert.ok(multipliesRight(multiplier))
      })

      it('computes C1 of the standard, and the ends of the range', () => {
        assert.deepEqual(multiplier.base(hex(k)), hex(c1x + c1y))
        const negative = Buffer.concat([point.subarray(0, 32), toBytes(p - BigInt(`0x${gm.sm2.y}`))])
        assert.deepEqual(multiplier.multiply(toBytes(1n), point), point)
        assert.deepEqual(multiplier.multiply(toBytes(n - 1n), point), negative)
      })
    })
  }

  it('multiplies any point by any number the same in both ways', () => {
    for (let i = 0; i < 12; i += 1) {
      const [a, b] = [toBytes(BigInt(randomInt(1, 9))), randomBytes(32).fill(0, 0, 1)]
      const start = nativeMultiplier.base(b)
      assert.deepEqual(bigintMultiplier.base(b), start)
      assert.deepEqual(bigintMultiplier.multiply(a, start), nativeMultiplier.multiply(a, start))
      assert.deepEqual(bigintMultiplier.multiply(b, point), nativeMultiplier.multiply(b, point))
    }
  })

  it('draws k anew where it is out of range or its key stream would be all zero', () => {
    const outOfRange = [toBytes(0n), toBytes(n), toBytes(n - 1n), Buffer.alloc(32, 255)]
    const draws = [...outOfRange, hex(k)]
    assert.deepEqual(
      encryptTo(nativeMultiplier, point, plain, () => draws.shift() as Buffer),
      published,
    )
    // One byte of key stream is zero for one k in 256: such a k must never be seen in what comes out.
    let showing = 0
    for (let number = 1n; number < 700n; number += 1n) {
      const tried = [toBytes(number), hex(k)]
      const made = encryptTo(nativeMultiplier, point, Buffer.of(7), () => tried.shift() as Buffer)
      if (tried.length > 0) assert.notEqual(made.at(-1), 7)
      else showing += 1
    }
    assert.ok(showing > 0)
  }).timeout(20_000)

  it('never encrypts twice alike', async () => {
    const { publicKey } = await pair()
    const seen = new Set(Array.from({ length: 20 }, () => sm2Encrypt(publicKey, plain).toString('hex')))
    assert.equal(seen.size, 20)
  })

  it('encrypts 1 to 32,768 bytes and no others', async () => {
    const { privateKey, publicKey } = await pair()
    for (const length of [1, 31, 32, 33, 64, 127, 128, 255, 256, 32_768]) {
      const text = randomBytes(length)
      assert.deepEqual(sm2Decrypt(privateKey, sm2Encrypt(publicKey, text)), text)
    }
    for (const length of [0, 32_769]) assert.throws(() => sm2Encrypt(publicKey, Buffer.alloc(length)), RangeError)
  })

  it('exchanges random messages with sm-crypto and sm-crypto-v2, both ways', () => {
    const publicHex = `04${point.toString('hex')}`
    for (let round = 0; round < rounds; round += 1) {
      const text = randomBytes(randomInt(16, 200)) // of one byte, the others may use a k that ours must refuse
      const ours = bareOf(encryptTo(nativeMultiplier, point, text))
      const bytes = new Uint8Array(text)
      assert.deepEqual(smCrypto.sm2.doDecrypt(ours, gm.sm2.d, 1, { output: 'array' }), [...text])
      assert.deepEqual(oracle.doDecrypt(ours, gm.sm2.d, 1, { output: 'array' }), bytes)
      for (const theirs of [smCrypto.sm2.doEncrypt(bytes, publicHex, 1), oracle.doEncrypt(bytes, publicHex, 1)])
        assert.deepEqual(decryptBy(nativeMultiplier, d, derOf(theirs)), text)
    }
  }).timeout(600_000)

  it('is unreadable to another key, and says nothing of why', async () => {
    const { publicKey } = await pair()
    const { privateKey: other } = await pair()
    const bad = [
      sm2Encrypt(publicKey, plain),
      Buffer.alloc(0),
      Buffer.from('nonsense'),
      published.subarray(1),
      Buffer.concat([published, Buffer.of(0)]),
    ]
    const said = bad.map((ciphertext) => {
      try {
        sm2Decrypt(other, ciphertext)
        return undefined
      } catch (error) {
        assert.ok(error instanceof JWEDecryptionFailed)
        return [error.message, error.cause]
      }
    })
    assert.deepEqual(said, Array(bad.length).fill(['decryption operation failed', undefined]))
  })

  it('refuses every change of a bit', () => {
    for (let bit = 0; bit < published.length * 8; bit += 1) {
      const changed = Buffer.from(published)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(decryptBy(nativeMultiplier, d, changed), undefined, `bit ${bit}`)
    }
  }).timeout(20_000)

  const sequence = (body: string): string => `30${(body.length / 2).toString(16).padStart(2, '0')}${body}`
  const [x, y, hash, text] = [`0220${c1x}`, `022100${c1y}`, `0420${c3}`, `0413${c2}`]
  const refused: Record<string, string> = {
    nothing: '',
    'the order C1 C2 C3': sequence(x + y + text + hash),
    'bare bytes': c1x + c1y + c3 + c2,
    'bare bytes behind 04': `04${c1x}${c1y}${c3}${c2}`,
    'bytes behind': `${sequence(x + y + hash + text)}00`,
    'a fifth member': sequence(x + y + hash + text + '0500'),
    'no C2': sequence(x + y + hash),
    'an empty C2': sequence(`${x + y + hash}0400`),
    'C3 of 31 bytes': sequence(`${x + y}041f${c3.slice(2)}${text}`),
    'C3 of 33 bytes': sequence(`${x + y}042100${c3}${text}`),
    'a long-form length (BER)': `30817c${x + y + hash + text}`,
    'an indefinite length (BER)': `3080${x + y + hash + text}0000`,
    'a constructed octet string (BER)': sequence(`${x + y + hash}2415${text}`),
    'a padded x': sequence(`022100${c1x}${y + hash + text}`),
    'a negative y': sequence(`${x}0220${c1y}${hash + text}`),
    'x of 33 bytes': sequence(`022101${c1x}${y + hash + text}`),
    'C1 at infinity': sequence(`020100020100${hash + text}`),
    'x = p': sequence(`022100${p.toString(16)}${y + hash + text}`),
    'C1 beside the curve': sequence(`${x}022100${c1y.slice(0, -2)}F1${hash + text}`),
    'C1 on P-256 (its base point)': sequence(
      '02206b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
        `02204fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5${hash + text}`,
    ),
    'the negative of C1': sequence(`${x}02${integerOf(p - BigInt(`0x${c1y}`))}${hash + text}`),
  }
  for (const [what, der] of Object.entries(refused))
    it(`refuses a ciphertext with ${what}`, () => {
      for (const multiplier of multipliers) assert.equal(decryptBy(multiplier, d, hex(der)), undefined)
    })
  it('accepts the same bytes where they are right (so the refusals mean something)', () =>
    assert.deepEqual(decryptBy(nativeMultiplier, d, hex(sequence(x + y + hash + text))), plain))
})

function integerOf(number: bigint): string {
  const digits = number.toString(16).padStart(64, '0')
  return digits[0]! >= '8' ? `2100${digits}` : `20${digits}`
}

describe('SM2 multiplier', () => {
  it('is native here, and says so', () => {
    assert.equal(selfTest().sm2Encryption, 'native')
    assert.equal(sm2Multiplier(), nativeMultiplier)
  })

  const broken = {
    'throws, as where no curve may be spelt out': {
      ...nativeMultiplier,
      multiply: () => {
        throw new Error('unsupported')
      },
    },
    'gives another point': { ...nativeMultiplier, multiply: () => point },
    'gives another C1': { ...nativeMultiplier, base: () => point },
  }
  for (const [what, multiplier] of Object.entries(broken))
    it(`falls back to BigInt where the native way ${what}`, () => {
      assert.equal(multipliesRight(multiplier), false)
      assert.equal(chooseMultiplier([multiplier, bigintMultiplier]), bigintMultiplier)
    })

  it('is refused where none gives the published ciphertext', () =>
    assert.throws(() => chooseMultiplier([broken['gives another point']]), /self-test failed/))
})

describe('A key of SM2 encryption', () => {
  it('encrypts or decrypts and does not sign; a key of signatures does not encrypt', async () => {
    const { privateKey, publicKey } = await pair()
    const signing = await pair(SGD_SM3_SM2)
    assert.deepEqual([publicKey.usages, privateKey.usages], [['encrypt'], ['decrypt']])
    const made = sm2Encrypt(publicKey, plain)
    assert.throws(() => sm2Encrypt(signing.publicKey, plain), TypeError)
    assert.throws(() => sm2Decrypt(signing.privateKey, made), TypeError)
    assert.throws(() => sm2Encrypt(privateKey, plain), TypeError)
    assert.throws(() => sm2Decrypt(publicKey, made), TypeError)
    const { sm2Sign, sm2Verify } = await import('jose')
    assert.throws(() => sm2Sign(privateKey, plain), TypeError)
    assert.throws(() => sm2Verify(publicKey, plain, Buffer.alloc(64)), TypeError)
  })

  it('may be a JWK, whose use, alg, key_ops and ext are heeded', async () => {
    const { privateKey, publicKey } = await pair()
    const [secret, open] = [await exportJWK(privateKey), await exportJWK(publicKey)]
    const sealed = sm2Encrypt(open, plain)
    assert.deepEqual(sm2Decrypt(secret, sealed), plain)
    for (const said of [
      { use: 'enc' },
      { alg: SGD_SM2_3 },
      { key_ops: ['wrapKey', 'unwrapKey'] },
      { key_ops: ['encrypt', 'decrypt'], ext: true },
    ]) {
      assert.ok(sm2Encrypt({ ...open, ...said }, plain))
      assert.deepEqual(sm2Decrypt({ ...secret, ...said }, sealed), plain)
    }
    for (const said of [
      { use: 'sig' },
      { alg: SGD_SM3_SM2 },
      { alg: 'ECDH-ES' },
      { key_ops: ['sign', 'verify'] },
      { key_ops: [] },
      { key_ops: ['wrapKey', 'unwrapKey', 'wrapKey', 'unwrapKey'] },
      { key_ops: 'wrapKey' },
      { ext: 'yes' },
      { crv: 'P-256' },
      { kty: 'OKP' },
    ] as object[]) {
      assert.throws(() => sm2Encrypt({ ...open, ...said }, plain), JSON.stringify(said))
      assert.throws(() => sm2Decrypt({ ...secret, ...said }, sealed), JSON.stringify(said))
    }
  })

  it('may be a Node KeyObject, PEM both ways, and nothing else', async () => {
    const { privateKey, publicKey } = await pair()
    const [pkcs8, spki] = [await exportPKCS8(privateKey), await exportSPKI(publicKey)]
    const sealed = sm2Encrypt(createPublicKey(spki), plain)
    assert.deepEqual(sm2Decrypt(createPrivateKey(pkcs8), sealed), plain)
    assert.deepEqual(sm2Decrypt((await importPKCS8(pkcs8, SGD_SM2_3)) as Sm2Key, sealed), plain)
    assert.deepEqual((await importSPKI(spki, SGD_SM2_3)).usages, ['encrypt'])
    assert.equal((await importPKCS8(pkcs8, SGD_SM2_3)).extractable, false)
    const p256 = await generateKeyPair('ES256')
    for (const key of [undefined, null, 'key', {}, Buffer.alloc(32), p256.publicKey, structuredClone(spki)])
      assert.throws(() => sm2Encrypt(key as never, plain), TypeError)
  })
})

describe('SM2 encryption beside the openssl command', function () {
  this.timeout(600_000)
  let directory: string
  const file = (name: string): string => join(directory, name)
  // A process for each: a tenth of the rounds that run in this one.
  const fewer = Math.ceil(rounds / 10)

  before(function () {
    directory = mkdtempSync(join(tmpdir(), 'sm2-enc-'))
    needsOpenssl(this)
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:SM2', '-out', file('key.pem'))
    openssl('pkey', '-in', file('key.pem'), '-pubout', '-out', file('key.pub'))
    openssl('pkcs8', '-topk8', '-nocrypt', '-in', file('key.pem'), '-out', file('key.p8'))
  })
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('is opened by openssl', async () => {
    const publicKey = (await importSPKI(readFileSync(file('key.pub'), 'utf8'), SGD_SM2_3)) as Sm2Key
    for (let i = 0; i < fewer; i += 1) {
      const text = randomBytes(randomInt(16, 200))
      writeFileSync(file('sealed'), sm2Encrypt(publicKey, text))
      openssl('pkeyutl', '-decrypt', '-inkey', file('key.pem'), '-in', file('sealed'), '-out', file('opened'))
      assert.deepEqual(readFileSync(file('opened')), text)
    }
  })

  it('opens what openssl encrypted', async () => {
    const privateKey = (await importPKCS8(readFileSync(file('key.p8'), 'utf8'), SGD_SM2_3)) as Sm2Key
    for (let i = 0; i < fewer; i += 1) {
      const text = randomBytes(randomInt(16, 200))
      writeFileSync(file('text'), text)
      openssl('pkeyutl', '-encrypt', '-pubin', '-inkey', file('key.pub'), '-in', file('text'), '-out', file('sealed'))
      assert.deepEqual(sm2Decrypt(privateKey, readFileSync(file('sealed'))), text)
    }
  })
})
