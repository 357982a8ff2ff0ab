/** The seam: fails loudly when the engine's internals move (engine version pinned in package.json). */
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { createHash, createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calculateJwkThumbprint, decodeProtectedHeader, exportSPKI, importJWK, sm2SignatureToDer, type JWK } from 'jose'
import KeyStore from 'oidc-provider/lib/helpers/keystore.js'
import * as jwa from 'oidc-provider/lib/consts/jwa.js'
import smCrypto from 'sm-crypto'
import { SigningKey } from '#src/oidc/signing-key.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { personOf, signedIn } from '../support/citizen.ts'
import { relyingParty } from '../support/relying-party.ts'
import { newSigner } from '../support/trail.ts'

const sm2Key = { kty: 'EC', crv: 'sm2p256v1', alg: 'SGD_SM3_SM2', use: 'sig', x: 'x', y: 'y', kid: 'sm' }
const p256Key = { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', x: 'x', y: 'y', kid: 'es' }

describe('the SM seam', () => {
  let server: TestServer
  let idToken: string
  let jwk: JWK

  before(async () => {
    server = await startServer()
    idToken = (await signedIn(server, relyingParty(server.url, 'first'), await personOf('yan'))).tokens.id_token
    const { keys } = (await (await fetch(`${server.url}/jwks/sm`)).json()) as { keys: JWK[] }
    jwk = keys.find(({ kid }) => kid === decodeProtectedHeader(idToken).kid) as JWK
  })
  after(() => server.close())

  it('is made for the engine version that is installed', () => {
    const { version } = JSON.parse(readFileSync('node_modules/oidc-provider/package.json', 'utf8')) as {
      version: string
    }
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      dependencies: Record<string, string>
    }
    assert.equal(dependencies['oidc-provider'], version)
  })

  it('has taught the engine the name once, in every list of signatures', () => {
    for (const list of [
      'idTokenSigningAlgValues',
      'userinfoSigningAlgValues',
      'clientAuthSigningAlgValues',
      'dPoPSigningAlgValues',
    ]) {
      assert.equal(jwa[list]?.filter((name) => name === 'SGD_SM3_SM2').length, 1, list)
    }
  })

  it('keeps SM2 and P-256 keys apart when the engine selects one', () => {
    const store = new KeyStore()
    store.add({ ...sm2Key })
    store.add({ ...p256Key })
    store.add({ kty: 'EC', crv: 'sm2p256v1', x: 'x', y: 'y', kid: 'plain' })
    const selected = (alg: string) => [
      store.selectForSign({ alg }).map(({ crv }) => crv),
      store.selectForVerify({ alg }).map(({ crv }) => crv),
    ]
    assert.deepEqual(selected('ES256'), [['P-256'], ['P-256']])
    assert.deepEqual(selected('SGD_SM3_SM2'), [
      ['sm2p256v1', 'sm2p256v1'],
      ['sm2p256v1', 'sm2p256v1'],
    ])
  })

  it('signs with active keys alone, whatever stands before them, and verifies with all', async () => {
    const states = ['retired', 'next', 'active'] as const
    const stated = await Promise.all(states.map(async (state) => ({ key: await newSigner(), state })))
    const store = new KeyStore()
    for (const one of stated) store.add(new SigningKey(one))
    const kids = (keys: readonly object[]) => keys.map((key) => (key as { kid: string }).kid)
    assert.deepEqual(kids(store.selectForSign({ alg: 'SGD_SM3_SM2' })), [stated[2]?.key.kid])
    assert.deepEqual(kids(store.selectForSign({ alg: 'SGD_SM3_SM2', kid: stated[0]?.key.kid ?? '' })), [])
    assert.deepEqual(
      kids(store.selectForVerify({ alg: 'SGD_SM3_SM2' })),
      stated.map(({ key }) => key.kid),
    )
  })

  it('gives ID tokens that sm-crypto verifies', () => {
    const [header, payload, signature] = idToken.split('.') as [string, string, string]
    const hex = (text: string | undefined) => Buffer.from(text ?? '', 'base64url').toString('hex')
    const publicKey = `04${hex(jwk.x)}${hex(jwk.y)}`
    const signed = `${header}.${payload}`
    const bytes = (text: string) => new Uint8Array(Buffer.from(text))
    assert.equal(smCrypto.sm2.doVerifySignature(bytes(signed), hex(signature), publicKey, { hash: true }), true)
    assert.equal(smCrypto.sm2.doVerifySignature(bytes(`${signed}x`), hex(signature), publicKey, { hash: true }), false)
  })

  it('gives ID tokens that the openssl command verifies', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'yihao-openssl-'))
    try {
      const [header, payload, signature] = idToken.split('.') as [string, string, string]
      const file = (name: string) => join(directory, name)
      writeFileSync(file('key.pem'), await exportSPKI((await importJWK(jwk, 'SGD_SM3_SM2')) as never))
      writeFileSync(file('signed'), `${header}.${payload}`)
      writeFileSync(file('signature'), sm2SignatureToDer(Buffer.from(signature, 'base64url')))
      const parameters = [
        '-verify',
        '-pubin',
        '-inkey',
        file('key.pem'),
        '-in',
        file('signed'),
        '-sigfile',
        file('signature'),
      ]
      const sm2 = ['-rawin', '-digest', 'sm3', '-pkeyopt', 'distid:1234567812345678']
      assert.match(execFileSync('openssl', ['pkeyutl', ...parameters, ...sm2]).toString(), /Verified Successfully/)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('names the key by its RFC 7638 thumbprint', async () => {
    assert.equal(jwk.kid, await calculateJwkThumbprint(jwk))
    assert.match(
      createHash('sha256')
        .update(jwk.kid ?? '')
        .digest('hex'),
      /^[0-9a-f]{64}$/,
    )
  })

  it('hashes an access token with SM3 where an ID token carries at_hash', async () => {
    const { createSmProvider, enabledAlgorithms } = await import('#src/oidc/sm.ts')
    const { createSoftwareSigner } = await import('#src/crypto/software-signer.ts')
    const { generateKeyPair, exportJWK, decodeJwt } = await import('jose')
    const { privateKey } = await generateKeyPair('SGD_SM3_SM2', { extractable: true })
    const signer = await createSoftwareSigner({ ...(await exportJWK(privateKey)), kty: 'EC', alg: 'SGD_SM3_SM2' })
    const metadata = {
      client_id: 'x',
      client_secret: 'x'.repeat(40),
      redirect_uris: ['https://x.example/'],
      id_token_signed_response_alg: 'SGD_SM3_SM2',
    }
    const provider = createSmProvider({
      smOnly: false,
      issuer: 'https://id.example.gov.cn',
      signers: [{ key: signer, state: 'active' }],
      decrypters: [],
      configuration: {
        clients: [metadata as never],
        enabledJWA: enabledAlgorithms(true),
        features: { externalSigningSupport: { enabled: true, ack: 'experimental-01' }, jwtUserinfo: { enabled: true } },
      },
      findApplication: async () => ({ credential: { secretSm3: '' } }) as never,
      now: Date.now,
      keySets: { of: async () => [], isFresh: () => true },
      onLogoutNotice: async () => undefined,
      onSessionEnd: async () => undefined,
      acrFor: (_application, acr) => acr,
    })
    const client = await provider.Client.find('x')
    assert.ok(client)
    const token = new provider.IdToken({ sub: 'y' }, { client, ctx: undefined as never })
    token.set('at_hash', 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y')
    // Known answer: test/support/gm.json, jws.atHash.
    assert.equal(decodeJwt(await token.issue({ use: 'idtoken' }))['at_hash'], 'kmAmKWez_tFC1DKMAy3gcA')
  })

  it('leaves standard keys usable as they are', async () => {
    const { keys } = (await (await fetch(`${server.url}/jwks`)).json()) as { keys: JWK[] }
    const es256 = keys.find(({ alg }) => alg === 'ES256')
    assert.ok(es256)
    assert.equal(createPublicKey({ key: { ...es256 }, format: 'jwk' }).asymmetricKeyType, 'ec')
  })
})
