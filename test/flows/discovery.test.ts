import { strict as assert } from 'node:assert'
import { startServer, type TestServer } from '../support/app.ts'
import { smOnly } from '../support/policy.ts'

describe('discovery and keys', () => {
  let server: TestServer
  let metadata: Record<string, unknown>
  before(async () => {
    server = await startServer()
    metadata = (await (await fetch(`${server.url}/.well-known/openid-configuration`)).json()) as typeof metadata
  })
  after(() => server.close())

  it('names SGD_SM3_SM2 first among what signs, and what of theirs it verifies', () => {
    const made = smOnly ? ['SGD_SM3_SM2'] : ['SGD_SM3_SM2', 'ES256', 'RS256']
    for (const what of ['id_token', 'userinfo', 'introspection', 'authorization'])
      assert.deepEqual(metadata[`${what}_signing_alg_values_supported`], made, what)
    const verified = smOnly ? made : [...made, 'PS256', 'EdDSA', 'Ed25519']
    for (const what of ['token_endpoint_auth', 'request_object', 'dpop'])
      assert.deepEqual(metadata[`${what}_signing_alg_values_supported`], verified, what)
  })

  it('encrypts to applications by SM2, or by what stock libraries have, and takes what is encrypted to its SM2 key', () => {
    const [algs, encs] = smOnly
      ? [['SGD_SM2_3'], ['SGD_SM4_GCM']]
      : [
          ['SGD_SM2_3', 'ECDH-ES', 'RSA-OAEP-256'],
          ['SGD_SM4_GCM', 'A256GCM'],
        ]
    for (const what of ['id_token', 'userinfo', 'introspection', 'authorization']) {
      assert.deepEqual(metadata[`${what}_encryption_alg_values_supported`], algs, what)
      assert.deepEqual(metadata[`${what}_encryption_enc_values_supported`], encs, what)
    }
    assert.deepEqual(metadata['request_object_encryption_alg_values_supported'], ['SGD_SM2_3'])
    assert.deepEqual(metadata['request_object_encryption_enc_values_supported'], ['SGD_SM4_GCM'])
  })

  it('lists only what works: code, S256, pairwise, issuer in answers, four ways to authenticate', () => {
    assert.equal(metadata['issuer'], server.url)
    assert.deepEqual(metadata['response_types_supported'], ['code'])
    assert.deepEqual(metadata['code_challenge_methods_supported'], ['S256'])
    assert.deepEqual(metadata['subject_types_supported'], ['pairwise'])
    assert.equal(metadata['authorization_response_iss_parameter_supported'], true)
    assert.deepEqual(metadata['grant_types_supported'], ['authorization_code', 'refresh_token'])
    assert.deepEqual(
      new Set(metadata['token_endpoint_auth_methods_supported'] as string[]),
      new Set(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']),
    )
    assert.deepEqual(
      metadata['acr_values_supported'],
      [1, 2, 3, 4].map((level) => `urn:yihao:loa:${level}`),
    )
    assert.equal(metadata['backchannel_logout_supported'], true)
    assert.equal(metadata['registration_endpoint'], undefined)
    assert.deepEqual(metadata['response_modes_supported'], ['query', 'jwt', 'query.jwt'])
    assert.equal(metadata['request_uri_parameter_supported'], false)
  })

  it('publishes SM2 keys, by their GM/T 0125 names, apart from those that stock libraries read, and nothing private', async () => {
    const keysAt = async (member: string) =>
      ((await (await fetch(String(metadata[member]))).json()) as { keys: Record<string, unknown>[] }).keys
    const [standard, sm] = [await keysAt('jwks_uri'), await keysAt('sm_jwks_uri')]
    const keys = [...standard, ...sm]
    const kinds = (of: typeof keys) => of.map(({ kty, crv, alg }) => [kty, crv, alg])
    const sm2 = [
      ['EC', 'sm2p256v1', 'SGD_SM3_SM2'],
      ['EC', 'sm2p256v1', 'SGD_SM2_3'],
    ]
    assert.deepEqual(kinds(sm), sm2)
    const stock = [
      ['EC', 'P-256', 'ES256'],
      ['RSA', undefined, 'RS256'],
    ]
    assert.deepEqual(kinds(standard), smOnly ? sm2 : stock)
    for (const key of keys) {
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(key[member], undefined)
    }
  })

  it('believes no Host and no forwarded header', async () => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
    const { request } = await import('node:http')
    const text = await new Promise<string>((done, fail) => {
      const sent = request(`${server.url}/.well-known/openid-configuration`, { headers }, (answer) => {
        let body = ''
        answer.on('data', (part: Buffer) => (body += part.toString()))
        answer.on('end', () => done(body))
      })
      sent.on('error', fail)
      sent.end()
    })
    assert.doesNotMatch(text, /evil/)
    assert.deepEqual(JSON.parse(text), metadata)
  })

  it('sends the security headers with every answer', async () => {
    for (const path of ['/', '/auth', '/jwks', '/nowhere', '/static/yihao.css']) {
      const { headers } = await fetch(`${server.url}${path}`)
      assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, path)
      assert.doesNotMatch(headers.get('content-security-policy') ?? '', /unsafe/, path)
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
      assert.equal(headers.get('referrer-policy'), 'same-origin', path)
      assert.equal(headers.get('x-powered-by'), null, path)
    }
  })
})
