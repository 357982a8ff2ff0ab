import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { sm4GcmDecrypt, sm4GcmEncrypt } from 'jose'
import { sm4 as oracle } from 'sm-crypto-v2'
import { sealsRight } from '#src/jose/encryption-self-test.ts'
import { ghash } from '#src/jose/ghash.ts'
import { nativeSm4, sm4Engine, smCryptoSm4 } from '#src/jose/sm4.ts'
import { rounds } from '../support/rounds.ts'
import gm from '../support/gm.json' with { type: 'json' }

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const vector = {
  key: hex(gm.sm4Gcm.key),
  iv: hex(gm.sm4Gcm.iv),
  aad: hex(gm.sm4Gcm.aad),
  plain: hex(gm.sm4Gcm.plain),
  cipher: hex(gm.sm4Gcm.cipher),
  tag: hex(gm.sm4Gcm.tag),
}

describe('GHASH', () => {
  // The GCM specification (McGrew and Viega 2005), test case 2: the hash key, one block, GHASH.
  it('gives the published answer', () =>
    assert.equal(
      ghash(hex('66e94bd4ef8a2c3b884cfa59ca342b2e'), Buffer.alloc(0), hex('0388dace60b6a392f328c2b971b2fe78')).toString(
        'hex',
      ),
      'f38cbb1ad69223dcc3457ae5b6b0f885',
    ))

  it('is the same polynomial as bit by bit (SP 800-38D, algorithm 1), at the edges too', () => {
    const edges = [Buffer.alloc(16), Buffer.alloc(16, 255), hex(`80${'00'.repeat(15)}`), hex(`${'00'.repeat(15)}01`)]
    for (const h of [...edges, randomBytes(16)])
      for (const block of [...edges, randomBytes(16)])
        assert.deepEqual(ghash(h, Buffer.alloc(0), block), slowGhash(h, Buffer.alloc(0), block))
    for (let length = 0; length < 70; length += 1) {
      const [h, aad, text] = [randomBytes(16), randomBytes(70 - length), randomBytes(length)]
      assert.deepEqual(ghash(h, aad, text), slowGhash(h, aad, text))
    }
  })

  it('reads a view into a larger buffer as its own bytes', () => {
    const [h, whole] = [randomBytes(16), randomBytes(100)]
    const view = whole.subarray(3, 90)
    assert.deepEqual(ghash(h, view, view), ghash(h, new Uint8Array(view), Buffer.from(view)))
  })
})

describe('SM4-GCM', () => {
  for (const engine of [nativeSm4, smCryptoSm4]) {
    it(`by ${engine.name} gives the answer of RFC 8998 A.1, and opens it`, () => {
      const { key, iv, aad, plain, cipher, tag } = vector
      assert.deepEqual(sm4GcmEncrypt(key, iv, plain, aad, engine), { ciphertext: cipher, tag })
      assert.deepEqual(sm4GcmDecrypt(key, iv, cipher, tag, aad, engine), plain)
      assert.ok(sealsRight(engine))
    })
  }

  it('is native here', () => assert.equal(sm4Engine, nativeSm4))

  it('agrees with sm-crypto-v2 and with the fall-back for any length of text and associated data', () => {
    for (let round = 0; round < rounds; round += 1) {
      const [key, iv] = [randomBytes(16), randomBytes(12)]
      const [text, aad] = [randomBytes(randomInt(1001)), randomBytes(randomInt(1001))]
      const { ciphertext, tag } = sm4GcmEncrypt(key, iv, text, aad)
      assert.deepEqual(oracle.encrypt(new Uint8Array(text), key.toString('hex'), options(iv, aad)), {
        output: new Uint8Array(ciphertext),
        tag: new Uint8Array(tag),
      })
      assert.deepEqual(sm4GcmDecrypt(key, iv, ciphertext, tag, aad), text)
      if (round % 10 === 0) assert.deepEqual(sm4GcmDecrypt(key, iv, ciphertext, tag, aad, smCryptoSm4), text)
    }
  }).timeout(120_000)

  it('opens what sm-crypto-v2 sealed, at every length around the edge of a block', () => {
    for (let length = 0; length < 50; length += 1) {
      const [key, iv, aad, text] = [randomBytes(16), randomBytes(12), randomBytes(length), randomBytes(length)]
      const made = oracle.encrypt(new Uint8Array(text), key.toString('hex'), options(iv, aad)) as unknown as {
        output: Uint8Array
        tag: Uint8Array
      }
      assert.deepEqual(sm4GcmDecrypt(key, iv, made.output, made.tag, aad), text)
    }
  })

  it('refuses every change of a bit, in the text, the tag, the associated data, the vector and the key', () => {
    const { key, iv, aad, cipher, tag } = vector
    const parts = [key, iv, cipher, tag, aad] as const
    parts.forEach((part, index) => {
      for (let bit = 0; bit < part.length * 8; bit += 1) {
        const changed = Buffer.from(part)
        changed[bit >> 3]! ^= 1 << (bit & 7)
        const [k, v, c, t, a] = parts.map((other, at) => (at === index ? changed : other)) as unknown as typeof parts
        assert.equal(sm4GcmDecrypt(k, v, c, t, a), undefined)
      }
    })
  })

  it('refuses a tag cut short, one too long, and bytes moved from the text to the associated data', () => {
    const { key, iv, aad, cipher, tag } = vector
    for (const length of [0, 4, 8, 12, 15])
      assert.equal(sm4GcmDecrypt(key, iv, cipher, tag.subarray(0, length), aad), undefined)
    assert.equal(sm4GcmDecrypt(key, iv, cipher, Buffer.concat([tag, Buffer.of(0)]), aad), undefined)
    const moved = Buffer.concat([aad, cipher.subarray(0, 16)])
    assert.equal(sm4GcmDecrypt(key, iv, cipher.subarray(16), tag, moved), undefined)
  })

  it('takes no key and no vector of another length', () => {
    const { key, iv, aad, plain, cipher, tag } = vector
    for (const other of [Buffer.alloc(0), Buffer.alloc(15), Buffer.alloc(24), Buffer.alloc(32)]) {
      assert.throws(() => sm4GcmEncrypt(other, iv, plain, aad), RangeError)
      assert.throws(() => sm4GcmDecrypt(other, iv, cipher, tag, aad), RangeError)
    }
    for (const other of [Buffer.alloc(0), Buffer.alloc(11), Buffer.alloc(13), Buffer.alloc(16)]) {
      assert.throws(() => sm4GcmEncrypt(key, other, plain, aad), RangeError)
      assert.throws(() => sm4GcmDecrypt(key, other, cipher, tag, aad), RangeError)
    }
  })
})

function options(iv: Buffer, aad: Buffer) {
  return {
    mode: 'gcm',
    iv: iv.toString('hex'),
    associatedData: new Uint8Array(aad),
    output: 'array',
    outputTag: true,
  } as const
}

/** The definition, with numbers of any size. */
function slowGhash(h: Buffer, aad: Buffer, text: Buffer): Buffer {
  const padded = (data: Buffer): Buffer => Buffer.concat([data, Buffer.alloc((16 - (data.length % 16)) % 16)])
  const lengths = Buffer.alloc(16)
  lengths.writeUInt32BE(aad.length * 8, 4)
  lengths.writeUInt32BE(text.length * 8, 12)
  const data = Buffer.concat([padded(aad), padded(text), lengths])
  const toNumber = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)
  let y = 0n
  for (let at = 0; at < data.length; at += 16) {
    const x = y ^ toNumber(data.subarray(at, at + 16))
    let z = 0n
    let v = toNumber(h)
    for (let bit = 127n; bit >= 0n; bit -= 1n) {
      if ((x >> bit) & 1n) z ^= v
      v = v & 1n ? (v >> 1n) ^ (0xe1n << 120n) : v >> 1n
    }
    y = z
  }
  return Buffer.from(y.toString(16).padStart(32, '0'), 'hex')
}
