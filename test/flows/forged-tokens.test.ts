/**
 * Forged and misplaced tokens at every endpoint that takes one: hints, assertions, proofs, access and refresh tokens
 * (facts/security §2: 19, 21, 54 and 55).
 */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import type { JWK } from 'jose'
import { soon, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { personOf, signedIn, walk } from '../support/citizen.ts'
import { forgeriesOf } from '../support/forgeries.ts'
import {
  es256Key,
  keyedApplication,
  jws,
  keyedParty,
  publicJwk,
  smKey,
  type KeyedParty,
  type PartyKey,
} from '../support/keyed-party.ts'
import { exception, smOnly, standardAlg } from '../support/policy.ts'
import { relyingParty, type RelyingParty, type Tokens } from '../support/relying-party.ts'

describe('a forged token', () => {
  let server: TestServer
  /** What is attacked has an ES256 signature, or SM2's. */
  const keys = { SGD_SM3_SM2: smKey('sm-1'), ES256: es256Key('es-1') }
  const algs = smOnly ? (['SGD_SM3_SM2'] as const) : (['SGD_SM3_SM2', 'ES256'] as const)
  const parties = {} as Record<keyof typeof keys, KeyedParty>
  let second: RelyingParty
  let browser: Browser
  let tokens: Tokens
  let userinfo: string
  let key: JWK

  before(async () => {
    const keyed = algs.map((alg) =>
      keyedApplication({
        id: `keyed-${alg.slice(0, 2).toLowerCase()}`,
        algorithm: alg,
        ...(alg === 'ES256' ? exception(soon()) : {}),
        credential: { jwks: { keys: [keys[alg].jwk] } },
      }),
    )
    server = await startServer({ applications: [...testApplications(), ...keyed] })
    for (const [at, alg] of algs.entries()) {
      const proofKey = alg === 'ES256' ? es256Key('proof') : smKey('proof')
      parties[alg] = keyedParty(server.url, () => keys[alg], proofKey, keyed[at]?.id)
    }
    second = relyingParty(server.url, 'second')
    ;({ browser, tokens } = await signedIn(server, second, await personOf('yan')))
    userinfo = await (await second.userinfo(tokens.access_token)).text()
    const published = (await (await fetch(`${server.url}/jwks`)).json()) as { keys: JWK[] }
    key = published.keys.find(({ alg }) => alg === standardAlg) as JWK
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

  for (const alg of algs) {
    describe(`as a client assertion (${alg})`, () => {
      const push = (given: string) =>
        parties[alg].post('/par', {
          client_assertion: given,
          response_type: 'code',
          redirect_uri: 'http://localhost:4005/callback',
          scope: 'openid',
          code_challenge: 'x'.repeat(43),
          code_challenge_method: 'S256',
        })

      it('authenticates nobody', async () => {
        const { assertion } = parties[alg]
        assert.equal((await push(assertion())).status, 201)
        for (const [what, forged] of Object.entries(forgeriesOf(assertion(), keys[alg].jwk)))
          assert.match(String((await push(forged)).status), /^40[01]$/, what)
        for (const token of [tokens.id_token, userinfo]) assert.match(String((await push(token)).status), /^40[01]$/)
      })
    })

    describe(`as a request object (${alg})`, () => {
      it('asks for nothing', async () => {
        let token = ''
        const status = async (request: () => string) => (await parties[alg].push({}, { request })).answer.status
        assert.equal(
          (await parties[alg].push({}, { request: (claims) => (token = jws(keys[alg], claims)) })).answer.status,
          201,
        )
        for (const [what, forged] of Object.entries(forgeriesOf(token, keys[alg].jwk)))
          assert.match(String(await status(() => forged)), /^40[01]$/, what)
      })
    })

    describe(`as a DPoP proof (${alg})`, () => {
      let bound: string
      const fresh = () => (alg === 'ES256' ? es256Key('other') : smKey('other'))

      before(async () => {
        server.clock.advance(61_000)
        const pushed = await parties[alg].push()
        const callback = await walk(server, openBrowser(server.url), pushed.path, await personOf('ayiguli'))
        const code = new URL(callback).searchParams.get('code') ?? ''
        bound = (await parties[alg].tokens(code, pushed)).access_token
      })

      const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

      const proof = (claims = {}, header = {}, key: PartyKey | undefined = undefined): string =>
        parties[alg].proof('GET', '/userinfo', { accessToken: bound, claims, header, ...(key ? { key } : {}) })

      const ask = async (dpop: string | undefined, scheme = 'DPoP') =>
        fetch(`${server.url}/userinfo`, {
          headers: { authorization: `${scheme} ${bound}`, ...(dpop === undefined ? {} : { dpop }) },
        })

      const refused = async (dpop: string | undefined, what: string) =>
        assert.match(String((await ask(dpop)).status), /^40[01]$/, what)

      it('is told apart from the true one', async () => assert.equal((await ask(proof())).status, 200))

      it('is refused for each field that does not fit', async () => {
        const now = Math.floor(Date.now() / 1000)
        const other = fresh()
        const wrong: Readonly<Record<string, string>> = {
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
          'another key in the header': proof({}, { jwk: publicJwk(other) }),
          'another key altogether': proof({}, { jwk: publicJwk(other) }, other),
          'another signer': proof({}, {}, other),
          'the private key in the header': proof({}, { jwk: { ...publicJwk(other), d: other.d } }, other),
          'no key in the header': proof({}, { jwk: undefined }),
        }
        for (const [what, forged] of Object.entries(wrong)) await refused(forged, what)
        const own = parties[alg].proofJwk
        for (const [what, forged] of Object.entries(forgeriesOf(proof(), own))) await refused(forged, what)
        await refused(undefined, 'none')
        assert.notEqual((await ask(proof(), 'Bearer')).status, 200)
      })

      it('is good once among 16 at the same time', async () => {
        const once = proof()
        const answers = await Promise.all(Array.from({ length: 16 }, () => ask(once)))
        assert.equal(answers.filter(({ status }) => status === 200).length, 1)
        await refused(once, 'the same again')
      })
    })
  }
})
