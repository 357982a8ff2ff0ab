/** The keys of applications: in their files, and at their own addresses. */
import { strict as assert } from 'node:assert'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { createClientKeySets, type ClientKeySets } from '#src/oidc/client-key-sets.ts'
import { isClientKeySet, parseClientKeys } from '#src/oidc/client-keys.ts'
import { movableClock, type Clock } from '../support/app.ts'

const publicJwk = async (alg: string): Promise<JWK> => ({
  ...(await exportJWK((await generateKeyPair(alg, { extractable: true })).publicKey)),
  kid: alg,
})
const privateJwk = async (alg: string): Promise<JWK> =>
  exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)

describe('the public keys of an application', () => {
  it('are read of every kind that we verify with, SM2 among them', async () => {
    const keys = await Promise.all(['SGD_SM3_SM2', 'ES256', 'RS256', 'EdDSA'].map(publicJwk))
    assert.deepEqual(
      parseClientKeys({ keys }).map(({ kid }) => kid),
      ['SGD_SM3_SM2', 'ES256', 'RS256', 'EdDSA'],
    )
  })

  it('of kinds that we do not know are left out (RFC 7517 §5)', async () => {
    const known = await publicJwk('SGD_SM3_SM2')
    const others = [{ kty: 'new' }, { kty: 'EC', crv: 'secp256k1', x: 'a', y: 'b' }, { kty: 'AKP', alg: 'ML-DSA-44' }]
    assert.deepEqual(
      parseClientKeys({ keys: [...others, known] }).map(({ kid }) => kid),
      ['SGD_SM3_SM2'],
    )
    assert.ok(!isClientKeySet({ keys: others }), 'a set without any key is none')
  })

  it('are twenty at most, since a signature that names none of them is tried with each', async () => {
    const keys = await Promise.all(Array.from({ length: 21 }, () => publicJwk('SGD_SM3_SM2')))
    assert.ok(!isClientKeySet({ keys }))
    assert.equal(parseClientKeys({ keys: [...keys.slice(1), { kty: 'new' }] }).length, 20)
  })

  it('are refused whole where one is private, secret, off its curve, or none', async () => {
    const good = await publicJwk('SGD_SM3_SM2')
    const p256 = await publicJwk('ES256')
    const bad: readonly unknown[] = [
      await privateJwk('SGD_SM3_SM2'),
      await privateJwk('ES256'),
      await privateJwk('RS256'),
      { kty: 'oct', k: 'c2VjcmV0' },
      { ...good, y: good.x },
      { ...good, x: `${good.x}A` },
      { ...good, y: undefined },
      { ...p256, y: p256.x },
      { ...good, crv: 'P-256' },
      { ...p256, crv: 'sm2p256v1' },
      { ...good, kid: 1 },
      { crv: 'P-256' },
      null,
      'key',
    ]
    for (const key of bad) assert.ok(!isClientKeySet({ keys: [good, key] }), JSON.stringify(key))
    for (const set of [null, [], {}, { keys: {} }, { keys: [] }, 'set', good]) assert.ok(!isClientKeySet(set))
  })
})

describe('the key set at the address of an application', () => {
  let server: Server
  let address: string
  let asked = 0
  let answer: () => { status?: number; body?: string; cache?: string } | 'nothing'
  let clock: Clock
  let faults: unknown[]
  let sets: ClientKeySets

  before(async () => {
    server = createServer((_request, response) => {
      asked += 1
      const given = answer()
      if (given === 'nothing') return void response.destroy()
      const { status = 200, body = '', cache } = given
      response.writeHead(status, cache === undefined ? {} : { 'cache-control': cache }).end(body)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    address = `http://localhost:${(server.address() as AddressInfo).port}/keys`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(() => {
    asked = 0
    faults = []
    clock = movableClock()
    const internalHosts = [new URL(address).host]
    sets = createClientKeySets({
      internalHosts,
      timeoutMs: 1000,
      onUnavailable: (error) => void faults.push(error),
      now: clock.now,
    })
  })

  const kids = async () => (await sets.of(address)).map(({ kid }) => kid)
  const setOf = async (...algs: string[]) => JSON.stringify({ keys: await Promise.all(algs.map(publicJwk)) })

  it('is fetched once for a minute, by many at once as well, and longer only where its answer says so', async () => {
    const body = await setOf('SGD_SM3_SM2')
    answer = () => ({ body })
    await Promise.all(Array.from({ length: 20 }, kids))
    assert.equal(asked, 1)
    clock.advance(59_000)
    assert.deepEqual([await kids(), asked], [['SGD_SM3_SM2'], 1])
    clock.advance(2_000)
    answer = () => ({ body, cache: 'public, max-age=600' })
    assert.deepEqual([await kids(), asked], [['SGD_SM3_SM2'], 2])
    clock.advance(599_000)
    assert.deepEqual([await kids(), asked], [['SGD_SM3_SM2'], 2])
  })

  it('ends a withdrawn key when it is due, and an hour later whatever the answer said', async () => {
    const [both, one] = [await setOf('SGD_SM3_SM2', 'ES256'), await setOf('ES256')]
    answer = () => ({ body: both, cache: 'max-age=999999' })
    assert.deepEqual(await kids(), ['SGD_SM3_SM2', 'ES256'])
    answer = () => ({ body: one })
    clock.advance(3_601_000)
    assert.deepEqual(await kids(), ['ES256'])
  })

  it('stands for a day while the address is out of order, is tried again each half minute, and is none then', async () => {
    const body = await setOf('SGD_SM3_SM2')
    answer = () => ({ body })
    await kids()
    answer = () => 'nothing'
    clock.advance(61_000)
    assert.deepEqual([await kids(), await kids(), asked], [['SGD_SM3_SM2'], ['SGD_SM3_SM2'], 2])
    clock.advance(31_000)
    assert.deepEqual([await kids(), asked], [['SGD_SM3_SM2'], 3])
    clock.advance(86_400_000)
    assert.deepEqual(await kids(), [])
    answer = () => ({ body })
    clock.advance(31_000)
    assert.deepEqual(await kids(), ['SGD_SM3_SM2'])
  })

  it('is none where the answer is an error, no set, one with a private key, or too long', async () => {
    const secret = JSON.stringify({ keys: [await privateJwk('SGD_SM3_SM2')] })
    const long = `${(await setOf('SGD_SM3_SM2')).slice(0, -1)}${' '.repeat(70_000)}}`
    for (const given of [
      { status: 500 },
      { status: 302 },
      { body: '' },
      { body: '{' },
      { body: secret },
      { body: long },
    ]) {
      answer = () => given
      assert.deepEqual(await kids(), [])
      clock.advance(31_000)
    }
    assert.equal(faults.length, 6)
    for (const fault of faults) assert.ok(!String(fault).includes(JSON.parse(secret).keys[0].d as string))
  })

  it('is not fetched from our own network unless the settings name the host', async () => {
    const closed = createClientKeySets({
      internalHosts: [],
      timeoutMs: 1000,
      onUnavailable: (error) => void faults.push(error),
    })
    for (const target of [address, 'https://169.254.169.254/keys', 'https://127.0.0.1/keys', 'file:///etc/passwd'])
      assert.deepEqual(await closed.of(target), [])
    assert.equal(asked, 0)
    assert.equal(faults.length, 4)
  })
})
