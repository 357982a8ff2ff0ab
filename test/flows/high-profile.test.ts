/** The profile `high` (FAPI 2.0) with the stock library openid-client, and what it refuses. */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { generateKeyPair, exportJWK, importJWK, SignJWT, type CryptoKey } from 'jose'
import * as oidc from 'openid-client'
import { createHighClient } from '#src/demo/high-client.ts'
import { highApplication, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone } from '../support/citizen.ts'
import { describeStock } from '../support/policy.ts'

describeStock('the profile high', () => {
  let server: TestServer
  let high: Awaited<ReturnType<typeof highApplication>>
  before(async () => {
    high = await highApplication()
    server = await startServer({ applications: [...testApplications(), high.application] })
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(3 * 3_600_000))

  const client = () =>
    createHighClient({
      issuer: server.url,
      clientId: 'high',
      privateJwk: high.privateJwk,
      redirectUri: 'http://localhost:4003/callback',
      postLogoutRedirectUri: 'http://localhost:4003/signed-out',
      scope: 'openid profile id_number',
      algorithm: 'ES256',
    })

  const path = (url: string) => url.slice(server.url.length)

  it('signs in with PAR, private_key_jwt and DPoP, and gives the ID number with its own tick', async () => {
    const party = client()
    const person = await personOf('yan')
    const started = await party.start()
    assert.match(started.url, /request_uri=/)
    const browser = openBrowser(server.url)
    let page = await provePhone(server, browser, await browser.get(path(started.url)), person.phone)
    page = await giveDocument(browser, page, person)
    assert.match(page.text, /我同意把证件号码提供给丙局/)
    page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree', id_number: 'on' })
    const citizen = await party.finish(new URL(page.location ?? ''), started)
    assert.equal(citizen.userinfo['id_number'], person.number)
    assert.equal(citizen.userinfo['name'], person.name)
    assert.equal(citizen.claims['id_number'], undefined)
  })

  it('keeps the ID number back without its tick, although the rest was agreed to', async () => {
    const party = client()
    const person = await personOf('xian')
    const started = await party.start()
    const browser = openBrowser(server.url)
    let page = await provePhone(server, browser, await browser.get(path(started.url)), person.phone)
    page = await giveDocument(browser, page, person)
    page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
    const citizen = await party.finish(new URL(page.location ?? ''), started)
    assert.equal(citizen.userinfo['id_number'], undefined)
    assert.equal(citizen.userinfo['name'], person.name)
  })

  it('takes no request that was not pushed', async () => {
    const query = new URLSearchParams({
      client_id: 'high',
      response_type: 'code',
      redirect_uri: 'http://localhost:4003/callback',
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    })
    const page = await openBrowser(server.url).get(`/auth?${query}`)
    assert.match(page.location ?? String(page.status), /error=invalid_request|400/)
  })

  const assertion = async (claims: Record<string, unknown>, key = high.privateJwk) =>
    new SignJWT({ iss: 'high', sub: 'high', aud: server.url, jti: crypto.randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'high-1' })
      .setIssuedAt()
      .setExpirationTime('60s')
      .sign(await importJWK(key, 'ES256'))

  const push = (clientAssertion: string) =>
    fetch(`${server.url}/par`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: 'high',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: clientAssertion,
        response_type: 'code',
        redirect_uri: 'http://localhost:4003/callback',
        scope: 'openid',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      }),
    })

  it('takes an assertion once among 16 parallel requests', async () => {
    const once = await assertion({})
    const answers = await Promise.all(Array.from({ length: 16 }, () => push(once)))
    assert.equal(answers.filter(({ status }) => status === 201).length, 1)
    for (const { status } of answers) assert.ok(status === 201 || (status >= 400 && status < 500), String(status))
  })

  it('refuses assertions for another audience, by a foreign key, or without a jti', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const foreign = { ...(await exportJWK(privateKey)), kid: 'high-1' }
    const wrong = [
      await assertion({ aud: [server.url] }),
      await assertion({ aud: `${server.url}/par` }),
      await assertion({ aud: 'https://evil.example' }),
      await assertion({}, foreign),
      await assertion({ jti: undefined }),
      await assertion({ iss: 'first' }),
    ]
    for (const [index, token] of wrong.entries()) {
      const answer = await push(token)
      assert.ok(answer.status === 401 || answer.status === 400, `assertion ${index} answered ${answer.status}`)
    }
  })

  it('binds the access token to the DPoP key: as a bearer, or with a proof by another key, it is worth nothing', async () => {
    const key = (await importJWK(high.privateJwk, 'ES256')) as CryptoKey
    const config = await oidc.discovery(
      new URL(server.url),
      'high',
      { id_token_signed_response_alg: 'ES256' },
      oidc.PrivateKeyJwt({ key, kid: 'high-1' }),
      { execute: [oidc.allowInsecureRequests] },
    )
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'))
    const verifier = oidc.randomPKCECodeVerifier()
    const parameters = {
      redirect_uri: 'http://localhost:4003/callback',
      scope: 'openid profile',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }
    const url = await oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
    const browser = openBrowser(server.url)
    const person = await personOf('yan')
    const page = await provePhone(server, browser, await browser.get(path(url.href)), person.phone)
    const checks = { pkceCodeVerifier: verifier, idTokenExpected: true }
    const tokens = await oidc.authorizationCodeGrant(config, new URL(page.location ?? ''), checks, undefined, { DPoP })
    assert.equal(tokens.token_type, 'dpop')

    const userinfo = (headers: Record<string, string>) => fetch(`${server.url}/userinfo`, { headers })
    assert.equal((await userinfo({ authorization: `Bearer ${tokens.access_token}` })).status, 401)
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const ath = createHash('sha256').update(tokens.access_token).digest('base64url')
    const foreign = await new SignJWT({ htm: 'GET', htu: `${server.url}/userinfo`, jti: 'once', ath })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(publicKey) })
      .setIssuedAt()
      .sign(privateKey)
    const refused = await userinfo({ authorization: `DPoP ${tokens.access_token}`, dpop: foreign })
    assert.equal(refused.status, 401)
  })
})
