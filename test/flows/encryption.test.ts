/** Tokens encrypted to applications whose libraries are stock ones: opened here by upstream's jose, which knows no SM. */
import { strict as assert } from 'node:assert'
import * as stock from 'jose-upstream'
import { soon, startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { walk, personOf } from '../support/citizen.ts'
import { es256Key, keyedApplication, keyedParty } from '../support/keyed-party.ts'
import { describeStock, exception } from '../support/policy.ts'

describeStock('an application with standard encryption', () => {
  const key = es256Key('es-1')
  let server: TestServer
  after(() => server.close())

  for (const alg of ['ECDH-ES', 'RSA-OAEP-256'] as const)
    it(`reads with ${alg} and A256GCM what ES256 signed for it`, async () => {
      const { privateKey, publicKey } = await stock.generateKeyPair(alg)
      const encryptionKey = { ...(await stock.exportJWK(publicKey)), kid: 'enc-1', use: 'enc', alg }
      await server?.close()
      server = await startServer({
        applications: [
          keyedApplication({
            algorithm: 'ES256',
            ...exception(soon()),
            credential: { jwks: { keys: [key.jwk, encryptionKey as typeof encryptionKey & { kty: string }] } },
            encryption: { alg, enc: 'A256GCM', of: ['id_token', 'userinfo'] },
          }),
        ],
      })
      const party = keyedParty(server.url, () => key, es256Key('proof'))
      const pushed = await party.push()
      const callback = await walk(server, openBrowser(server.url), pushed.path, await personOf('yan'))
      const tokens = await party.tokens(new URL(callback).searchParams.get('code') ?? '', pushed)
      const keys = stock.createRemoteJWKSet(new URL(`${server.url}/jwks`))
      for (const token of [tokens.id_token, await (await party.userinfo(tokens.access_token)).text()]) {
        const { plaintext, protectedHeader } = await stock.compactDecrypt(token, privateKey)
        assert.deepEqual([protectedHeader.alg, protectedHeader.enc, protectedHeader.kid], [alg, 'A256GCM', 'enc-1'])
        const options = { issuer: server.url, audience: 'sm', algorithms: ['ES256'] }
        const { payload } = await stock.jwtVerify(Buffer.from(plaintext).toString(), keys, options)
        assert.ok(payload.sub)
      }
    })
})
