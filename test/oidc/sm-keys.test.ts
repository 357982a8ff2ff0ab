import { strict as assert } from 'node:assert'
import { loadKeys } from '#src/crypto/key-store.ts'
import { parseApplication } from '#src/oidc/application.ts'
import { startServer, testApplications, type TestServer } from '../support/app.ts'

interface Keys {
  readonly keys: readonly { readonly alg: string; readonly d?: string }[]
}

describe('the set of SM2 keys', () => {
  let server: TestServer | undefined
  afterEach(() => server?.close())

  const keysAt = async (path: string) => {
    const answer = await fetch(`${server?.url}${path}`)
    assert.equal(answer.status, 200)
    assert.match(answer.headers.get('content-type') ?? '', /jwk-set\+json/)
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    const { keys } = (await answer.json()) as Keys
    return keys.map(({ alg, d }) => `${alg}${d === undefined ? '' : ' private'}`)
  }

  it('stands apart from the keys that stock libraries read, which refuse a set with a curve they do not know', async () => {
    server = await startServer()
    assert.deepEqual(await keysAt('/jwks/sm'), ['SGD_SM3_SM2', 'SGD_SM2_3'])
    assert.deepEqual(await keysAt('/jwks'), ['ES256', 'RS256'])
  })

  it('is named in the JWKS all the same, in a member that others ignore (RFC 7517 §5)', async () => {
    server = await startServer()
    const { sm_keys: smKeys } = (await (await fetch(`${server.url}/jwks`)).json()) as { sm_keys: object[] }
    assert.deepEqual(smKeys, ((await (await fetch(`${server.url}/jwks/sm`)).json()) as { keys: object[] }).keys)
    const [{ kty, crv, alg } = { kty: '', crv: '', alg: '' }] = smKeys as { kty: string; crv: string; alg: string }[]
    assert.deepEqual([kty, crv, alg], ['EC', 'sm2p256v1', 'SGD_SM3_SM2'])
  })

  it('is the only set there is where nothing but SM algorithms is allowed', async () => {
    server = await startServer({
      settings: (config) => (config['crypto'] = { policy: 'sm-only' }),
      applications: testApplications().slice(0, 1),
    })
    assert.deepEqual(await keysAt('/jwks/sm'), ['SGD_SM3_SM2', 'SGD_SM2_3'])
    assert.deepEqual(await keysAt('/jwks'), ['SGD_SM3_SM2', 'SGD_SM2_3'])
  })

  it('answers a GET and nothing else', async () => {
    server = await startServer()
    assert.equal((await fetch(`${server.url}/jwks/sm`, { method: 'POST' })).status, 404)
    assert.equal((await fetch(`${server.url}/jwks/sm`, { method: 'HEAD' })).status, 200)
  })

  it('serves no application that needs more, and that was stored before the policy changed', async () => {
    const [first, second] = testApplications()
    server = await startServer({
      settings: (config) => (config['crypto'] = { policy: 'sm-only' }),
      applications: first ? [first] : [],
    })
    const before = parseApplication(second, { smOnly: false, production: false, now: Date.now() })
    const [id, body] = [before.id, JSON.stringify(before)]
    const { rows } = await loadKeys(server.config)
    const mac = (await rows(`application|${id}|${body}`)).toString('base64url')
    await server.app.storage.applications.put({ id, body, mac, updatedAt: 1 })
    server.clock.advance(10_000)
    assert.equal((await server.app.applications.get(id))?.id, id)
    const asked = async (client: string) =>
      (await fetch(`${server?.url}/auth?${new URLSearchParams({ client_id: client })}`, { redirect: 'manual' })).text()
    assert.match(await asked(id), /invalid_client/)
    assert.doesNotMatch(await asked('first'), /invalid_client/)
  })
})
