/**
 * Forged and misplaced tokens at every endpoint that takes one: hints, assertions, proofs, access and refresh tokens
 * (facts/security §2: 19, 21, 54 and 55).
 */
import { strict as assert } from 'node:assert'
import { createHash, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, importJWK, SignJWT, type CryptoKey, type JWK } from 'jose'
import * as oidc from 'openid-client'
import { highApplication, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn } from '../support/citizen.ts'
import { forgeriesOf } from '../support/forgeries.ts'
import { relyingParty, type RelyingParty, type Tokens } from '../support/relying-party.ts'

describe('a forged token', () => {
  let server: TestServer
  let high: Awaited<ReturnType<typeof highApplication>>
  let second: RelyingParty
  let browser: Browser
  let tokens: Tokens
  let userinfo: string
  let key: JWK

  before(async () => {
    high = await highApplication()
    server = await startServer({ applications: [...testApplications(), high.application] })
    second = relyingParty(server.url, 'second')
    ;({ browser, tokens } = await signedIn(server, second, await personOf('yan')))
    userinfo = await (await second.userinfo(tokens.access_token)).text()
    const { keys } = (await (await fetch(`${server.url}/jwks`)).json()) as { keys: JWK[] }
    key = keys.find(({ alg }) => alg === 'ES256') as JWK
  })
  after(() => server.close())

  describe('as an id_token_hint', () => {
    const end = (hint: string) => browser.get(`/session/end?${new URLSearchParams({ id_token_hint: hint })}`)
    const silent = async (hint: string) =>
      (await browser.get(second.request({ prompt: 'none', id_token_hint: hint }).path)).location ?? ''

    it('is told apart from the true one (so the refusals below mean something)', async () => {
      assert.match((await end(tokens.id_token)).text, /第二个应用/)
      assert.match(await silent(tokens.id_token), /[?&]code=/)
    })

    it('opens neither the way out nor a silent way in', async () => {
      const forgeries = Object.entries(forgeriesOf(tokens.id_token, key))
      assert.ok(forgeries.length >= 40)
      for (const [what, forged] of forgeries) {
        const page = await end(forged)
        assert.equal(page.status, 400, what)
        assert.doesNotMatch(page.text, /第二个应用/, what)
        assert.match(await silent(forged), /error=invalid_request/, what)
      }
    })

    it('is refused where it is the true one of another application, or another kind of token', async () => {
      const first = relyingParty(server.url, 'first')
      const other = await signedIn(server, first, await personOf('xian'))
      assert.doesNotMatch(await silent(other.tokens.id_token), /[?&]code=/)
      for (const token of [tokens.access_token, tokens.refresh_token]) {
        assert.equal((await end(token)).status, 400)
        assert.doesNotMatch(await silent(token), /[?&]code=/)
      }
    })
  })

  describe('as an access or refresh token', () => {
    it('is worth nothing, and neither is a true token of another kind', async () => {
      assert.equal((await second.userinfo(tokens.access_token)).status, 200)
      const foreign = [
        tokens.id_token,
        tokens.refresh_token,
        userinfo,
        ...Object.values(forgeriesOf(tokens.id_token, key)),
      ]
      for (const token of foreign.filter((each) => /^[!-~]+$/.test(each))) {
        assert.equal((await second.userinfo(token)).status, 401)
        if (token !== tokens.refresh_token) assert.equal((await second.refresh(token)).status, 400)
      }
      for (const token of [tokens.access_token, userinfo]) assert.equal((await second.refresh(token)).status, 400)
    })

    it('is no token of another application either', async () => {
      const first = relyingParty(server.url, 'first')
      assert.equal((await first.refresh(tokens.refresh_token)).status, 400)
      assert.equal((await second.userinfo(tokens.access_token)).status, 200, 'and that harms nobody')
    })
  })

  describe('as a client assertion', () => {
    const assertion = async (claims: object = {}) =>
      new SignJWT({ iss: 'high', sub: 'high', aud: server.url, jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'high-1' })
        .setIssuedAt()
        .setExpirationTime('60s')
        .sign(await importJWK(high.privateJwk, 'ES256'))
    const push = (given: string) =>
      fetch(`${server.url}/par`, {
        method: 'POST',
        body: new URLSearchParams({
          client_id: 'high',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: given,
          response_type: 'code',
          redirect_uri: 'http://localhost:4003/callback',
          scope: 'openid',
          code_challenge: 'x'.repeat(43),
          code_challenge_method: 'S256',
        }),
      })

    it('authenticates nobody', async () => {
      assert.equal((await push(await assertion())).status, 201)
      const { d: _, ...publicJwk } = high.privateJwk
      for (const [what, forged] of Object.entries(forgeriesOf(await assertion(), publicJwk)))
        assert.match(String((await push(forged)).status), /^40[01]$/, what)
      for (const token of [tokens.id_token, userinfo]) assert.match(String((await push(token)).status), /^40[01]$/)
    })
  })

  describe('as a DPoP proof', () => {
    let bound: string
    let pair: { privateKey: CryptoKey; publicKey: CryptoKey }

    before(async () => {
      const config = await oidc.discovery(
        new URL(server.url),
        'high',
        { id_token_signed_response_alg: 'ES256' },
        oidc.PrivateKeyJwt({ key: (await importJWK(high.privateJwk, 'ES256')) as CryptoKey, kid: 'high-1' }),
        { execute: [oidc.allowInsecureRequests] },
      )
      pair = (await oidc.randomDPoPKeyPair('ES256', { extractable: true })) as typeof pair
      const DPoP = oidc.getDPoPHandle(config, pair)
      const verifier = oidc.randomPKCECodeVerifier()
      const parameters = {
        redirect_uri: 'http://localhost:4003/callback',
        scope: 'openid',
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }
      const url = await oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
      const visitor = openBrowser(server.url)
      const person = await personOf('ayiguli')
      let page = await provePhone(server, visitor, await visitor.get(url.href), person.phone)
      page = await giveDocument(visitor, page, person)
      if (page.location === undefined) page = await visitor.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
      const checks = { pkceCodeVerifier: verifier, idTokenExpected: true }
      const answer = await oidc.authorizationCodeGrant(config, new URL(page.location ?? ''), checks, undefined, {
        DPoP,
      })
      bound = answer.access_token
    })

    const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

    const proof = async (
      claims: object = {},
      header: object = {},
      signer: CryptoKey = pair.privateKey,
    ): Promise<string> =>
      new SignJWT({
        htm: 'GET',
        htu: `${server.url}/userinfo`,
        jti: randomUUID(),
        iat: Math.floor(Date.now() / 1000),
        ath: sha256(bound),
        ...claims,
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(pair.publicKey), ...header })
        .sign(signer)

    const ask = async (dpop: string | undefined, scheme = 'DPoP') =>
      fetch(`${server.url}/userinfo`, {
        headers: { authorization: `${scheme} ${bound}`, ...(dpop === undefined ? {} : { dpop }) },
      })

    const refused = async (dpop: string | undefined, what: string) =>
      assert.match(String((await ask(dpop)).status), /^40[01]$/, what)

    it('is told apart from the true one', async () => assert.equal((await ask(await proof())).status, 200))

    it('is refused for each field that does not fit', async () => {
      const now = Math.floor(Date.now() / 1000)
      const other = await generateKeyPair('ES256', { extractable: true })
      const wrong: Readonly<Record<string, Promise<string> | string>> = {
        'another method': proof({ htm: 'POST' }),
        'a method in small letters': proof({ htm: 'get' }),
        'no method': proof({ htm: undefined }),
        'another address': proof({ htu: `${server.url}/token` }),
        'another host': proof({ htu: 'https://evil.example/userinfo' }),
        'no address': proof({ htu: undefined }),
        'another access token': proof({ ath: sha256('x') }),
        'no access token': proof({ ath: undefined }),
        'no jti': proof({ jti: undefined }),
        'no time': proof({ iat: undefined }),
        'an old time': proof({ iat: now - 3_600 }),
        'a time to come': proof({ iat: now + 3_600 }),
        'another type': proof({}, { typ: 'JWT' }),
        'no type': proof({}, { typ: undefined }),
        'another key in the header': proof({}, { jwk: await exportJWK(other.publicKey) }),
        'another key altogether': proof({}, { jwk: await exportJWK(other.publicKey) }, other.privateKey as CryptoKey),
        'another signer': proof({}, {}, other.privateKey as CryptoKey),
        'the private key in the header': proof({}, { jwk: await exportJWK(pair.privateKey) }),
        'no key in the header': proof({}, { jwk: undefined }),
      }
      for (const [what, forged] of Object.entries(wrong)) await refused(await forged, what)
      const publicJwk = await exportJWK(pair.publicKey)
      for (const [what, forged] of Object.entries(forgeriesOf(await proof(), publicJwk))) await refused(forged, what)
      await refused(undefined, 'none')
      assert.notEqual((await ask(await proof(), 'Bearer')).status, 200)
    })

    it('is good once among 16 at the same time', async () => {
      const once = await proof()
      const answers = await Promise.all(Array.from({ length: 16 }, () => ask(once)))
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
      await refused(once, 'the same again')
    })
  })
})
