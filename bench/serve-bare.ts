/** The floor of `tokens`: the bare engine on a plain Map, one ES256 key. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider, type Adapter, type AdapterPayload } from 'oidc-provider'

const store = new Map<string, AdapterPayload>()
const grants = new Map<string, Set<string>>()

class MapAdapter implements Adapter {
  readonly #name: string
  constructor(name: string) {
    this.#name = name
  }
  async upsert(id: string, payload: AdapterPayload) {
    store.set(`${this.#name}:${id}`, payload)
    if (payload.grantId)
      grants.set(payload.grantId, (grants.get(payload.grantId) ?? new Set()).add(`${this.#name}:${id}`))
  }
  async find(id: string) {
    return store.get(`${this.#name}:${id}`)
  }
  async findByUid() {
    return undefined
  }
  async findByUserCode() {
    return undefined
  }
  async consume(id: string) {
    const payload = store.get(`${this.#name}:${id}`)
    if (payload) payload.consumed = Math.floor(Date.now() / 1000)
  }
  async destroy(id: string) {
    store.delete(`${this.#name}:${id}`)
  }
  async revokeByGrantId(grantId: string) {
    for (const key of grants.get(grantId) ?? []) store.delete(key)
  }
}

const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const server = createServer()
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
const url = `http://localhost:${(server.address() as AddressInfo).port}`
const secret = 'x'.repeat(43)
const provider = new Provider(url, {
  adapter: MapAdapter,
  clients: [
    {
      client_id: 'bare',
      client_secret: secret,
      redirect_uris: ['http://localhost/cb'],
      grant_types: ['authorization_code', 'refresh_token'],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' } as never] },
  features: { introspection: { enabled: true }, devInteractions: { enabled: false } },
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  rotateRefreshToken: true,
  routes: { introspection: '/introspect' },
  ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 3600, Grant: 3600 },
  cookies: { keys: ['x'] },
})
server.on('request', provider.callback())

const client = await provider.Client.find('bare')
const common = { accountId: 'account', client, scope: 'openid', gty: 'authorization_code' } as never as object
const refreshTokens: string[] = []
let accessToken = ''
for (let n = 0; n < Number(process.argv[2]); n += 1) {
  const grant = new provider.Grant({ accountId: 'account', clientId: 'bare' })
  grant.addOIDCScope('openid')
  const grantId = await grant.save()
  refreshTokens.push(await new provider.RefreshToken({ ...common, grantId } as never).save())
  accessToken = await new provider.AccessToken({ ...common, grantId } as never).save()
}
process.on('message', () => process.send?.(process.cpuUsage()))
process.send?.({ url, authorization: `Basic ${btoa(`bare:${secret}`)}`, refreshTokens, accessToken })
