/** Signatures and seals, in interleaved rounds of one run: native SM2 against sm-crypto, RS256 and ES256; sealing. */
import { CompactSign, compactVerify, exportJWK, generateKeyPair, sm2Sign, sm2Verify } from 'jose'
import * as upstream from 'jose-upstream'
import smCrypto from 'sm-crypto'
import { createSealer } from '#src/crypto/sealer.ts'
import { createSoftwareKeyWrapper } from '#src/crypto/software-key-wrapper.ts'

const data = new Uint8Array(Buffer.from('x'.repeat(400)))
const sm2 = await generateKeyPair('SGD_SM3_SM2', { extractable: true })
const jwk = await exportJWK(sm2.privateKey)
const es256 = await upstream.generateKeyPair('ES256')
const rs256 = await upstream.generateKeyPair('RS256', { modulusLength: 2048 })
const hex = (text: string | undefined) => Buffer.from(text ?? '', 'base64url').toString('hex')
const smPublic = `04${hex(jwk.x)}${hex(jwk.y)}`
const signature = sm2Sign(sm2.privateKey as never, data)
const smSignature = smCrypto.sm2.doSignature(data, hex(jwk.d), { hash: true })
const header = (alg: string) => ({ alg })
const token = await new CompactSign(data).setProtectedHeader(header('SGD_SM3_SM2')).sign(sm2.privateKey)
const esToken = await new upstream.CompactSign(data).setProtectedHeader(header('ES256')).sign(es256.privateKey)

const key = new Uint8Array(32).fill(7)
const wrapper = createSoftwareKeyWrapper({ current: '1', keys: { 1: key } })
const sealer = createSealer(() => ({ wrapper, index: [] }))
const dataKey = await sealer.newDataKey('bench')
const sealed = await sealer.seal(dataKey, 'bench', 'x'.repeat(1000), 'bench')

const jobs: Readonly<Record<string, { n: number; run: () => unknown }>> = {
  'SM2 sign, native': { n: 1000, run: () => sm2Sign(sm2.privateKey as never, data) },
  'SM2 sign, sm-crypto': { n: 40, run: () => smCrypto.sm2.doSignature(data, hex(jwk.d), { hash: true }) },
  'SM2 verify, native': { n: 1000, run: () => sm2Verify(sm2.publicKey as never, data, signature) },
  'SM2 verify, sm-crypto': {
    n: 20,
    run: () => smCrypto.sm2.doVerifySignature(data, smSignature, smPublic, { hash: true }),
  },
  'SM2 JWS sign, our jose': {
    n: 1000,
    run: () => new CompactSign(data).setProtectedHeader(header('SGD_SM3_SM2')).sign(sm2.privateKey),
  },
  'SM2 JWS verify, our jose': { n: 1000, run: () => compactVerify(token, sm2.publicKey) },
  'ES256 JWS sign, our jose': {
    n: 1000,
    run: () => new CompactSign(data).setProtectedHeader(header('ES256')).sign(es256.privateKey),
  },
  'ES256 JWS sign, upstream': {
    n: 1000,
    run: () => new upstream.CompactSign(data).setProtectedHeader(header('ES256')).sign(es256.privateKey),
  },
  'ES256 JWS verify, our jose': { n: 1000, run: () => compactVerify(esToken, es256.publicKey) },
  'ES256 JWS verify, upstream': { n: 1000, run: () => upstream.compactVerify(esToken, es256.publicKey) },
  'RS256 JWS sign, upstream': {
    n: 200,
    run: () => new upstream.CompactSign(data).setProtectedHeader(header('RS256')).sign(rs256.privateKey),
  },
  'seal 1 kB (SM4-CTR + HMAC-SM3)': { n: 3000, run: () => sealer.seal(dataKey, 'bench', 'x'.repeat(1000), 'bench') },
  'open 1 kB': { n: 3000, run: () => sealer.open(dataKey, 'bench', sealed, 'bench') },
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
const rates = new Map(Object.keys(jobs).map((name) => [name, [] as number[]]))
for (let round = 0; round < 6; round += 1) {
  for (const [name, { n, run }] of Object.entries(jobs)) {
    const start = performance.now()
    for (let i = 0; i < n; i += 1) await run()
    if (round > 0) rates.get(name)?.push((n * 1000) / (performance.now() - start))
  }
}
for (const [name, values] of rates) console.log(`${name.padEnd(34)} ${median(values).toFixed(0).padStart(8)}/s`)
const ratio = (a: string, b: string) => (median(rates.get(a) ?? []) / median(rates.get(b) ?? [])).toFixed(2)
console.log(`\nSM2 sign native : sm-crypto    ${ratio('SM2 sign, native', 'SM2 sign, sm-crypto')}`)
console.log(`SM2 verify native : sm-crypto  ${ratio('SM2 verify, native', 'SM2 verify, sm-crypto')}`)
console.log(`SM2 sign native : RS256 sign   ${ratio('SM2 sign, native', 'RS256 JWS sign, upstream')}`)
console.log(`SM2 JWS : bare signature       ${ratio('SM2 JWS sign, our jose', 'SM2 sign, native')}`)
