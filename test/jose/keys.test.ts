import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import {
  calculateJwkThumbprint,
  calculateJwkThumbprintUri,
  CompactSign,
  compactVerify,
  errors,
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  importJWK,
  importPKCS8,
  importSPKI,
  isSm2Key,
  SGD_SM3_SM2,
  sm3,
} from 'jose'
import type { JWK } from 'jose'
import { n, toBytes } from '#src/jose/sm2-curve.ts'
import gm from '../support/gm.json' with { type: 'json' }

const alg = SGD_SM3_SM2
const d = Buffer.from(gm.sm2.d, 'hex').toString('base64url')
const publicJwk: JWK = gm.jws.jwk
const privateJwk: JWK = { ...publicJwk, d }
const text = (number: bigint): string => toBytes(number).toString('base64url')

async function signs(privateKey: unknown, publicKey: unknown): Promise<void> {
  const jws = await new CompactSign(Buffer.from('x')).setProtectedHeader({ alg }).sign(privateKey as JWK)
  assert.deepEqual((await compactVerify(jws, publicKey as JWK)).protectedHeader, { alg })
}

describe('SM2 keys', () => {
  it('come and go as JWK, private and public', async () => {
    const privateKey = await importJWK({ ...privateJwk, ext: true }, alg)
    const publicKey = await importJWK({ ...publicJwk, alg })
    assert.ok(isSm2Key(privateKey) && isSm2Key(publicKey))
    assert.deepEqual(await exportJWK(privateKey), privateJwk)
    assert.deepEqual(await exportJWK(publicKey), publicJwk)
    await signs(privateKey, publicKey)
  })

  it('come and go as PEM, and in the bytes Node writes', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'SM2' })
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const ours = await importPKCS8(pkcs8, alg, { extractable: true })
    const oursPublic = await importSPKI(spki, alg)
    assert.equal(await exportPKCS8(ours), pkcs8.trim())
    assert.equal(await exportSPKI(oursPublic), spki.trim())
    await signs(ours, oursPublic)
  })

  it('are taken as KeyObjects of Node, generated or imported', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'SM2' })
    await signs(privateKey, publicKey)
    const imported = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await signs(imported, createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })))
    assert.equal((await exportJWK(imported)).crv, 'sm2p256v1')
    assert.equal(await calculateJwkThumbprint(publicKey), await calculateJwkThumbprint(await exportJWK(publicKey)))
  })

  it('are generated anew, the private one not exportable unless asked', async () => {
    const { privateKey, publicKey } = await generateKeyPair(alg)
    await signs(privateKey, publicKey)
    await assert.rejects(exportJWK(privateKey), TypeError)
    await assert.rejects(exportPKCS8(privateKey), TypeError)
    assert.notEqual((await exportJWK(publicKey)).x, (await exportJWK((await generateKeyPair(alg)).publicKey)).x)
  })

  it('hold nothing a log could show', async () => {
    const { inspect } = await import('node:util')
    const key = await importJWK(privateJwk, alg)
    const shown = inspect(key, { depth: null, showHidden: true }) + JSON.stringify(key)
    assert.ok(!shown.includes(d) && !shown.toUpperCase().includes(gm.sm2.d))
    assert.ok(Object.isFrozen(key))
  })

  it('have the RFC 7638 thumbprint of SHA-256', async () => {
    for (const key of [publicJwk, privateJwk, await importJWK(publicJwk, alg)])
      assert.equal(await calculateJwkThumbprint(key as JWK), gm.jws.sha256Thumbprint)
    const uri = await calculateJwkThumbprintUri((await importJWK(publicJwk, alg)) as never)
    assert.equal(uri, `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${gm.jws.sha256Thumbprint}`)
  })

  it('have the known thumbprint of SM3 where it is asked for, and so has every other kind of key', async () => {
    const known = 'uI4l7PNHG3sazfClOmkN9Q1DQ54Qg0h7pB5ySF113Mk'
    for (const key of [publicJwk, { ...privateJwk, kid: 'a' }, await importJWK(publicJwk, alg)])
      assert.equal(await calculateJwkThumbprint(key as JWK, 'sm3'), known)
    const print = (json: string): string => sm3(json).toString('base64url')
    for (const other of ['RS256', 'EdDSA', 'ES384', 'ML-DSA-44']) {
      const { publicKey } = await generateKeyPair(other, { extractable: true })
      const { e, n, crv, x, y, pub } = await exportJWK(publicKey)
      const canonical = {
        RS256: `{"e":"${e}","kty":"RSA","n":"${n}"}`,
        EdDSA: `{"crv":"${crv}","kty":"OKP","x":"${x}"}`,
        ES384: `{"crv":"${crv}","kty":"EC","x":"${x}","y":"${y}"}`,
        'ML-DSA-44': `{"alg":"ML-DSA-44","kty":"AKP","pub":"${pub}"}`,
      }[other] as string
      assert.equal(await calculateJwkThumbprint(publicKey, 'sm3'), print(canonical))
    }
    assert.equal(await calculateJwkThumbprint({ kty: 'oct', k: 'AAEC' }, 'sm3'), print('{"k":"AAEC","kty":"oct"}'))
    await assert.rejects(calculateJwkThumbprint({ kty: 'EC', crv: 'sm2p256v1' }, 'sm3'), errors.JWKInvalid)
    await assert.rejects(calculateJwkThumbprint(publicJwk, 'SM3' as never), TypeError)
    await assert.rejects(calculateJwkThumbprintUri(publicJwk, 'sm3' as never), TypeError)
  })

  const bad: Record<string, JWK> = {
    'a point off the curve': { ...publicJwk, y: publicJwk.x },
    'x and y at zero': { ...publicJwk, x: text(0n), y: text(0n) },
    'an x of p or more': { ...publicJwk, x: Buffer.alloc(32, 255).toString('base64url') },
    'no y': { ...publicJwk, y: undefined },
    'an x of 31 bytes': { ...publicJwk, x: Buffer.alloc(31, 1).toString('base64url') },
    'an x of 33 bytes': { ...publicJwk, x: Buffer.alloc(33, 1).toString('base64url') },
    'an x with padding': { ...publicJwk, x: `${publicJwk.x}=` },
    'an x with unused bits set': { ...publicJwk, x: `${publicJwk.x?.slice(0, -1)}B` },
    'an x in base64': { ...publicJwk, x: publicJwk.x?.replace('_', '/') },
    'white space in x': { ...publicJwk, x: ` ${publicJwk.x}` },
    'another kty': { ...publicJwk, kty: 'OKP' },
    'd = 0': { ...privateJwk, d: text(0n) },
    'd = n − 1': { ...privateJwk, d: text(n - 1n) },
    'd = n': { ...privateJwk, d: text(n) },
    'another key’s d': { ...privateJwk, d: text(BigInt(`0x${gm.sm2.d}`) + 1n) },
    'a d of 31 bytes': { ...privateJwk, d: Buffer.alloc(31, 1).toString('base64url') },
    'a d that is no text': { ...privateJwk, d: 1 as unknown as string },
  }
  for (const [what, jwk] of Object.entries(bad))
    it(`are refused with ${what}`, () => assert.rejects(importJWK(jwk, alg), errors.JWKInvalid))

  it('are refused for another algorithm, and other keys for this one', async () => {
    const ec = await generateKeyPair('ES256', { extractable: true })
    const p256 = await exportJWK(ec.publicKey)
    for (const wrong of ['ES256', 'HS256', 'ECDH-ES', 'RS256'])
      await assert.rejects(importJWK(publicJwk, wrong), errors.JOSENotSupported)
    await assert.rejects(importJWK(publicJwk), TypeError)
    await assert.rejects(importJWK(p256, alg), errors.JOSENotSupported)
    await assert.rejects(importSPKI(await exportSPKI(ec.publicKey), alg), errors.JOSENotSupported)
    await assert.rejects(importPKCS8(await exportPKCS8(ec.privateKey), alg), errors.JOSENotSupported)
    await assert.rejects(importSPKI('no PEM', alg), TypeError)
  })

  it('as PKCS#8 are refused with another key’s public half, and taken without one', async () => {
    const pem = (hex: string): string =>
      `-----BEGIN PRIVATE KEY-----\n${Buffer.from(hex, 'hex').toString('base64')}\n-----END PRIVATE KEY-----`
    const head = '020100301306072a8648ce3d020106082a811ccf5501822d'
    const bare = await importPKCS8(pem(`3041${head}042730250201010420${gm.sm2.d}`), alg, { extractable: true })
    assert.deepEqual(await exportJWK(bare), privateJwk)
    const p256 = '020100301306072a8648ce3d020106082a8648ce3d030107'
    const otherCurve = importPKCS8(pem(`3041${p256}042730250201010420${gm.sm2.d}`), alg)
    await assert.rejects(otherCurve, errors.JOSENotSupported)
    const { publicKey } = await generateKeyPair(alg)
    const { x, y } = await exportJWK(publicKey)
    const point = [x, y].map((part) => Buffer.from(part ?? '', 'base64url').toString('hex')).join('')
    const mixed = `308187${head}046d306b0201010420${gm.sm2.d}a14403420004${point}`
    await assert.rejects(importPKCS8(pem(mixed), alg), errors.JOSENotSupported)
  })
})
