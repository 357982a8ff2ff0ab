import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLocalJWKSet, createRemoteJWKSet, errors, exportJWK, generateKeyPair, jwksCache } from 'jose'
import { jwtVerify, SGD_SM3_SM2, SignJWT } from 'jose'
import type { CryptoKey, JSONWebKeySet, JWK } from 'jose'

const { JWKInvalid, JWKSInvalid, JWKSMultipleMatchingKeys, JWKSNoMatchingKey, JOSENotSupported } = errors

interface Party {
  readonly jwk: JWK & { readonly kid: string }
  readonly sign: (header?: object) => Promise<string>
}

async function party(alg: string, kid: string): Promise<Party> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const sign = (header: object = { kid }): Promise<string> =>
    new SignJWT({ sub: kid }).setProtectedHeader({ alg, ...header }).sign(privateKey)
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }, sign }
}

const strangers: JWK[] = [
  { kty: 'EC', crv: 'unknown-curve', x: 'AA', y: 'AA', kid: 'stranger' },
  { kty: 'QUANTUM' as never, kid: 'stranger' },
]

let sm2: Party
let newSm2: Party
let es256: Party
before(async () => {
  ;[sm2, newSm2, es256] = [await party(SGD_SM3_SM2, 'sm2'), await party(SGD_SM3_SM2, 'new'), await party('ES256', 'es')]
})

describe('A local key set with SM2, ES256 and unknown keys', () => {
  const set = (...more: JWK[]): JSONWebKeySet => ({ keys: [...strangers, es256.jwk, ...more] })

  it('finds the key of either token', async () => {
    const jwks = createLocalJWKSet(set(sm2.jwk))
    for (const { sign, jwk } of [sm2, es256]) {
      assert.equal((await jwtVerify(await sign(), jwks)).payload.sub, jwk.kid)
      assert.equal((await jwtVerify(await sign({}), jwks)).payload.sub, jwk.kid)
    }
    assert.deepEqual(jwks.jwks(), set(sm2.jwk))
  })

  it('does not give a P-256 key to an SM2 token, nor the other way round', async () => {
    const jwks = createLocalJWKSet(set(sm2.jwk))
    await assert.rejects(jwtVerify(await sm2.sign({ kid: 'es' }), jwks), JWKSNoMatchingKey)
    await assert.rejects(jwtVerify(await es256.sign({ kid: 'sm2' }), jwks), JWKSNoMatchingKey)
    await assert.rejects(jwks({ alg: 'HS256' }), JOSENotSupported)
  })

  it('holds use, alg, key_ops and kid against a key as upstream does', async () => {
    const { alg, use, ...bare } = sm2.jwk
    assert.ok(alg && use)
    await jwtVerify(await sm2.sign(), createLocalJWKSet(set(bare)))
    await jwtVerify(await sm2.sign(), createLocalJWKSet(set({ ...bare, key_ops: ['verify'] })))
    const unfit: JWK[] = [
      { ...bare, use: 'enc' },
      { ...bare, alg: 'SGD_SM2_3' },
      { ...bare, key_ops: ['sign'] },
      { ...bare, kid: 'else' },
      { ...bare, kty: 'OKP' },
      { ...bare, ext: 1 as never },
    ]
    for (const jwk of unfit)
      await assert.rejects(jwtVerify(await sm2.sign(), createLocalJWKSet(set(jwk))), JWKSNoMatchingKey)
    await assert.rejects(jwtVerify(await sm2.sign({ kid: 1 }), createLocalJWKSet(set(bare))), JWKSNoMatchingKey)
  })

  it('refuses a chosen key that is private or no point', async () => {
    const local = (jwk: JWK) => createLocalJWKSet(set(jwk))
    await assert.rejects(jwtVerify(await sm2.sign(), local({ ...sm2.jwk, d: sm2.jwk.x })), JWKSInvalid)
    await assert.rejects(jwtVerify(await sm2.sign(), local({ ...sm2.jwk, y: sm2.jwk.x })), JWKInvalid)
    assert.throws(() => createLocalJWKSet({ keys: 'none' } as never), JWKSInvalid)
  })

  it('offers every match where several fit, without the broken ones', async () => {
    const jwks = createLocalJWKSet(set(sm2.jwk, newSm2.jwk, { ...sm2.jwk, y: sm2.jwk.x }))
    const jwt = await newSm2.sign({})
    const error = await jwtVerify(jwt, jwks).catch((error: unknown) => error)
    assert.ok(error instanceof JWKSMultipleMatchingKeys)
    const keys: CryptoKey[] = []
    for await (const key of error) keys.push(key as CryptoKey)
    assert.equal(keys.length, 2)
    await assert.rejects(jwtVerify(jwt, keys[0] as CryptoKey))
    await jwtVerify(jwt, keys[1] as CryptoKey)
  })
})

describe('A remote key set with SM2, ES256 and unknown keys', () => {
  let server: Server
  let url: URL
  let served: JSONWebKeySet
  let requests: number

  before(async () => {
    server = createServer((_request, response) => {
      requests += 1
      response.setHeader('content-type', 'application/json').end(JSON.stringify(served))
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`)
  })
  beforeEach(() => {
    requests = 0
    served = { keys: [...strangers, es256.jwk, sm2.jwk] }
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  it('is fetched once for all its keys', async () => {
    const jwks = createRemoteJWKSet(url)
    assert.equal(jwks.jwks(), undefined)
    assert.equal(jwks.fresh, false)
    const tokens = [await sm2.sign(), await es256.sign(), await sm2.sign({}), await es256.sign({})]
    await Promise.all(tokens.map((token) => jwtVerify(token, jwks)))
    for (const token of tokens) await jwtVerify(token, jwks)
    assert.equal(requests, 1)
    assert.equal(jwks.fresh && jwks.coolingDown && !jwks.reloading, true)
    assert.deepEqual(jwks.jwks(), served)
  })

  it('is fetched again, once, for a kid it does not hold; then the new key verifies and the old one does not', async () => {
    const jwks = createRemoteJWKSet(url, { cooldownDuration: 0 })
    await jwtVerify(await sm2.sign(), jwks)
    served = { keys: [es256.jwk, newSm2.jwk] }
    await jwtVerify(await newSm2.sign(), jwks)
    assert.equal(requests, 2)
    await jwtVerify(await newSm2.sign(), jwks)
    assert.equal(requests, 2)
    await assert.rejects(jwtVerify(await sm2.sign(), jwks), JWKSNoMatchingKey)
    assert.equal(requests, 3)
  })

  it('is not fetched again within the cool-down', async () => {
    const jwks = createRemoteJWKSet(url, { cooldownDuration: 60_000 })
    await jwtVerify(await sm2.sign(), jwks)
    served = { keys: [newSm2.jwk] }
    for (let i = 0; i < 3; i += 1) await assert.rejects(jwtVerify(await newSm2.sign(), jwks), JWKSNoMatchingKey)
    assert.equal(requests, 1)
    await jwks.reload()
    await jwtVerify(await newSm2.sign(), jwks)
    await assert.rejects(jwtVerify(await sm2.sign(), jwks), JWKSNoMatchingKey)
  })

  it('knows the SM2 keys that a fetch for an ES256 token brought', async () => {
    const jwks = createRemoteJWKSet(url, { cooldownDuration: 0 })
    await jwtVerify(await sm2.sign(), jwks)
    const newEs256 = await party('ES256', 'new-es')
    served = { keys: [newEs256.jwk, newSm2.jwk] }
    await jwtVerify(await newEs256.sign(), jwks)
    await jwtVerify(await newSm2.sign(), jwks)
    assert.equal(requests, 2)
  })

  it('is fetched again when it has aged', async () => {
    const jwks = createRemoteJWKSet(url, { cacheMaxAge: 0 })
    await jwtVerify(await sm2.sign(), jwks)
    await jwtVerify(await sm2.sign(), jwks)
    assert.equal(requests, 2)
  })

  it('fills and uses the cache an application keeps', async () => {
    const cache = {} as { jwks?: JSONWebKeySet; uat?: number }
    await jwtVerify(await sm2.sign(), createRemoteJWKSet(url, { [jwksCache]: cache as never }))
    assert.deepEqual(cache.jwks, served)
    await jwtVerify(await sm2.sign(), createRemoteJWKSet(url, { [jwksCache]: cache as never }))
    assert.equal(requests, 1)
  })

  it('tells a server that does not answer with keys', async () => {
    served = { keys: 1 } as never
    await assert.rejects(jwtVerify(await sm2.sign(), createRemoteJWKSet(url)), JWKSInvalid)
    await assert.rejects(jwtVerify(await sm2.sign(), createRemoteJWKSet(new URL('http://127.0.0.1:1/'))), TypeError)
  })
})
