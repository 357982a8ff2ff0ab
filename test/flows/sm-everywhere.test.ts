/**
 * SM2 on every signature path, in both directions, with nothing but SM algorithms allowed (`crypto.policy: sm-only`) and
 * a client that shares no code with the server (`support/keyed-party`).
 */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, importPKCS8, importX509, SignJWT } from 'jose'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { personOf, walk } from '../support/citizen.ts'
import { certificates, SIGNER, type Party } from '../support/certificates.ts'
import {
  derOf,
  openSmJwe,
  openSmJws,
  jws,
  keyedApplication,
  smJwe,
  smKey,
  speaking,
  keyedParty,
  type Pushed,
  type PartyKey,
  type KeyedParty,
} from '../support/keyed-party.ts'
import { needsOpenssl } from '../support/openssl.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const api = 'https://api.sm.example.gov.cn/'

const granted = (): NonNullable<ApplicationInput['grants']> => [
  {
    claim: 'name',
    basis: 'duty',
    law: { zh: '《示例法》第一条', en: 'Example Act, Article 1' },
    purpose: { zh: '办理示例事项', en: 'To run the example service' },
    retention: { zh: '办结即删除', en: 'Deleted on completion' },
    approver: '示例市数据局',
    review: new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10),
  },
]

describe('an application that knows nothing but SM2', () => {
  const key = smKey('sm-1')
  const encryptionKey = smKey('sm-enc')
  const directory = temporaryDirectories()
  let server: TestServer
  let receiver: Server
  let host: string
  const logoutTokens: string[] = []
  let published: readonly PartyKey[] = []
  let party: KeyedParty

  before(async () => {
    receiver = createServer((request, response) => {
      if (request.method === 'GET') return void response.end(JSON.stringify({ keys: published.map(({ jwk }) => jwk) }))
      let body = ''
      request.on('data', (part: Buffer) => (body += part.toString()))
      request.on('end', () => {
        logoutTokens.push(new URLSearchParams(body).get('logout_token') ?? '')
        response.end()
      })
    })
    await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done))
    host = `localhost:${(receiver.address() as AddressInfo).port}`
    const keys = { credential: { jwks: { keys: [key.jwk] } } }
    server = await startServer({
      applications: [
        keyedApplication({
          ...keys,
          apis: [{ resource: api, scopes: ['records.read', 'records.write'] }],
          backchannelLogoutUri: `http://${host}/logout`,
          grants: granted(),
        }),
        keyedApplication({ ...keys, id: 'sm-strict', signedRequests: true, signedResponses: true }),
        keyedApplication({
          id: 'sm-sealed',
          credential: { jwks: { keys: [key.jwk, { ...encryptionKey.jwk, use: 'enc', alg: 'SGD_SM2_3' }] } },
          encryption: {
            alg: 'SGD_SM2_3',
            enc: 'SGD_SM4_GCM',
            of: ['userinfo', 'id_token', 'introspection', 'authorization'],
          },
          grants: granted(),
        }),
        keyedApplication({ id: 'sm-remote', credential: { jwksUri: `http://${host}/keys` } }),
      ],
      settings: (config) => {
        config['crypto'] = { policy: 'sm-only' }
        config['outbox'] = { internalHosts: [host], timeout: 2, giveUpAfter: 60 }
      },
    })
    party = keyedParty(server.url, () => key)
  })
  after(async () => {
    await server.close()
    receiver.close()
  })

  beforeEach(() => server.clock.advance(61_000))

  const errorOf = async (pushed: Pushed) => ((await pushed.answer.json()) as { error?: string }).error

  /** The citizen's part: from the pushed request to the application's callback. */
  const pass = async (pushed: Pushed, browser: Browser = openBrowser(server.url)): Promise<URL> =>
    new URL(await walk(server, browser, pushed.path, await personOf('yan')))

  async function signedIn(parameters: Record<string, string> = {}) {
    const pushed = await party.push(parameters)
    const browser = openBrowser(server.url)
    const code = (await pass(pushed, browser)).searchParams.get('code') ?? ''
    return { browser, tokens: await party.tokens(code, pushed) }
  }

  it('authenticates, pushes a signed request, proves its key and gets an ID token, all by SM2', async () => {
    const { tokens } = await signedIn()
    const { header, payload } = openSmJws(tokens.id_token, await party.keys())
    assert.equal(header['alg'], 'SGD_SM3_SM2')
    assert.deepEqual([payload['iss'], payload['aud'], payload['acr']], [server.url, 'sm', 'urn:yihao:loa:2'])
  })

  it('is told the name by a userinfo answer that SM2 signs', async () => {
    const { tokens } = await signedIn({ scope: 'openid profile' })
    const answer = await party.userinfo(tokens.access_token)
    assert.match(answer.headers.get('content-type') ?? '', /^application\/jwt/)
    assert.equal(openSmJws(await answer.text(), await party.keys()).payload['name'], (await personOf('yan')).name)
  })

  it('asks what its token is worth and gets a signed answer (RFC 9701), or a plain one', async () => {
    const { tokens } = await signedIn()
    const signed = await party.introspect(tokens.access_token, 'application/token-introspection+jwt')
    assert.match(signed.headers.get('content-type') ?? '', /^application\/token-introspection\+jwt/)
    const { header, payload } = openSmJws(await signed.text(), await party.keys())
    assert.equal(header['typ'], 'token-introspection+jwt')
    assert.equal((payload['token_introspection'] as { active: boolean }).active, true)
    const plain = await party.introspect(tokens.access_token, 'application/json')
    assert.equal(((await plain.json()) as { active: boolean }).active, true)
  })

  it('takes its code from a signed answer (JARM), and an error as well', async () => {
    const pushed = await party.push({ response_mode: 'jwt' })
    const callback = await pass(pushed)
    assert.deepEqual([...callback.searchParams.keys()], ['response'])
    const { payload } = openSmJws(callback.searchParams.get('response') ?? '', await party.keys())
    assert.deepEqual([payload['iss'], payload['aud']], [server.url, 'sm'])
    assert.ok((await party.tokens(String(payload['code']), pushed)).id_token)
    const refused = await party.push({ response_mode: 'query.jwt', prompt: 'none' })
    const { location } = await openBrowser(server.url).get(refused.path)
    const answer = new URL(location ?? '').searchParams.get('response') ?? ''
    assert.equal(openSmJws(answer, await party.keys()).payload['error'], 'login_required')
  })

  it('calls an API with an access token that SM2 signs (RFC 9068), which holds no claim of the citizen', async () => {
    const { tokens } = await signedIn({ scope: 'openid profile records.read', resource: api })
    const answer = await party.token({
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      resource: api,
    })
    assert.equal(answer.status, 200, await answer.clone().text())
    const { access_token: accessToken } = (await answer.json()) as { access_token: string }
    const { header, payload } = openSmJws(accessToken, await party.keys())
    assert.equal(header['typ'], 'at+jwt')
    assert.deepEqual(
      [payload['aud'], payload['client_id'], payload['scope'], payload['acr']],
      [api, 'sm', 'records.read', 'urn:yihao:loa:2'],
    )
    assert.ok((payload['cnf'] as { jkt?: string }).jkt, 'it is bound to the key of the proof')
    assert.equal(payload['sub'], openSmJws(tokens.id_token, await party.keys()).payload['sub'])
    for (const claim of ['name', 'phone_number', 'id_number']) assert.equal(payload[claim], undefined)
    assert.equal((await party.userinfo(accessToken)).status, 401, 'it is for the API alone')
  })

  it('may call the APIs of its file and no other', async () => {
    for (const resource of ['https://api.other.example.gov.cn/', `${api}x`, 'https://api.sm.example.gov.cn']) {
      const { answer } = await party.push({ resource })
      assert.equal(((await answer.json()) as { error: string }).error, 'invalid_target', resource)
    }
  })

  it('calls an API that its file got later, without a page that asks the citizen nothing', async () => {
    const seed = (apis: ApplicationInput['apis']) =>
      server.app.applications.seed([
        keyedApplication({ id: 'sm-later', apis, credential: { jwks: { keys: [key.jwk] } }, grants: granted() }),
      ])
    await seed([])
    const later = keyedParty(server.url, () => key, smKey('proof'), 'sm-later')
    const browser = openBrowser(server.url)
    await pass(await later.push({ scope: 'openid profile' }), browser)
    await seed([{ resource: api, scopes: ['records.read'] }])
    const pushed = await later.push({ scope: 'openid profile records.read', resource: api })
    const { location } = await browser.get(pushed.path)
    const tokens = await later.tokens(new URL(location ?? '').searchParams.get('code') ?? '', pushed)
    const { payload } = openSmJws(await (await later.userinfo(tokens.access_token)).text(), await later.keys())
    assert.equal(payload['name'], (await personOf('yan')).name)
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, resource: api }
    const { access_token: accessToken } = (await (await later.token(refresh)).json()) as { access_token: string }
    assert.equal(openSmJws(accessToken, await later.keys()).payload['scope'], 'records.read')
    // What the operator takes away again ends for what is out as well.
    await seed([{ resource: api, scopes: ['records.write'] }])
    const left = (await (await later.token(refresh)).json()) as { access_token: string }
    assert.equal(openSmJws(left.access_token, await later.keys()).payload['scope'] ?? '', '')
    await seed([])
    assert.equal(((await (await later.token(refresh)).json()) as { error: string }).error, 'invalid_target')
  })

  it('is told of a sign-out by a logout token that SM2 signs', async () => {
    const { browser } = await signedIn()
    const page = await browser.get('/session/end')
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    await browser.post('/session/end/confirm', { xsrf, logout: 'yes' })
    for (let tries = 0; logoutTokens.length === 0; tries += 1) {
      assert.ok(tries < 100, 'no logout token came')
      await new Promise((done) => setTimeout(done, 50))
    }
    const { header, payload } = openSmJws(logoutTokens.at(-1) ?? '', await party.keys())
    assert.equal(header['typ'], 'logout+jwt')
    assert.ok('http://schemas.openid.net/event/backchannel-logout' in (payload['events'] as object))
  })

  it('is spoken to in the dialect of its library, where its settings say so', async () => {
    const dialect = { alg: 'SM3withSM2', crv: 'SM2', signature: 'der' } as const
    const spoken = speaking(smKey('spoken'), dialect.alg, dialect.crv)
    const { jwk } = spoken
    await server.app.applications.seed([
      keyedApplication({
        id: 'sm-dialect',
        dialect,
        credential: { jwks: { keys: [jwk] } },
        postLogoutRedirectUris: ['http://localhost:4005/signed-out'],
      }),
      keyedApplication({ id: 'sm-plain', credential: { jwks: { keys: [{ ...jwk, crv: 'sm2p256v1' }] } } }),
    ])
    const party = keyedParty(server.url, () => spoken, smKey('proof'), 'sm-dialect')
    const pushed = await party.push({ response_mode: 'jwt' })
    assert.equal(pushed.answer.status, 201, await pushed.answer.clone().text())
    const browser = openBrowser(server.url)
    const callback = await pass(pushed, browser)
    const keys = await party.keys()
    const { payload } = openSmJws(callback.searchParams.get('response') ?? '', keys, dialect)
    const tokens = await party.tokens(String(payload['code']), pushed)
    assert.equal(openSmJws(tokens.id_token, keys, dialect).payload['aud'], 'sm-dialect')
    assert.equal(
      openSmJws(await (await party.userinfo(tokens.access_token)).text(), keys, dialect).payload['aud'],
      'sm-dialect',
    )
    const hint = new URLSearchParams({ id_token_hint: tokens.id_token })
    assert.match((await browser.get(`/session/end?${hint}`)).text, /国密应用/)
    // The same key and the same signatures, of an application whose settings do not name them.
    const plain = keyedParty(server.url, () => spoken, smKey('proof'), 'sm-plain')
    assert.equal(await errorOf(await plain.push()), 'invalid_client')
    // And its own application by the standard name, which its library does not use.
    const standard = { ...smKey('spoken', spoken.d), sign: spoken.sign }
    assert.equal(
      await errorOf(await keyedParty(server.url, () => standard, smKey('proof'), 'sm-dialect').push()),
      'invalid_client',
    )
  })

  it('signs nothing with a key that its set says to be for encryption, in whatever dialect', async () => {
    const bare = { jwks: { keys: [key.jwk, { ...encryptionKey.jwk, alg: 'SGD_SM2_3' }] } }
    const marked = { jwks: { keys: [key.jwk, { ...encryptionKey.jwk, use: 'enc' }] } }
    const spelt = (one: PartyKey) => ({ ...one, sign: (input: string) => derOf(one.sign(input)) })
    const status = async (one: PartyKey) =>
      (await keyedParty(server.url, () => one, smKey('proof'), 'sm-two').push()).answer.status
    for (const credential of [bare, marked]) {
      await server.app.applications.seed([keyedApplication({ id: 'sm-two', credential })])
      assert.deepEqual([await status(key), await status(encryptionKey)], [201, 401])
      await server.app.applications.seed([
        keyedApplication({ id: 'sm-two', credential, dialect: { signature: 'der' } }),
      ])
      assert.deepEqual([await status(spelt(key)), await status(spelt(encryptionKey))], [201, 401])
    }
  })

  it('is understood as its settings say now, whatever its dialect was before', async () => {
    const raw = smKey('changed')
    const der = { ...raw, sign: (input: string) => derOf(raw.sign(input)) }
    const outcomes = async () => {
      const push = async (spoken: PartyKey) =>
        (await keyedParty(server.url, () => spoken, smKey('proof'), 'sm-changed').push()).answer.status
      return [await push(raw), await push(der)]
    }
    const seed = (dialect?: ApplicationInput['dialect']) =>
      server.app.applications.seed([
        keyedApplication({
          id: 'sm-changed',
          ...(dialect ? { dialect } : {}),
          credential: { jwks: { keys: [raw.jwk] } },
        }),
      ])
    await seed({ signature: 'der' })
    assert.deepEqual(await outcomes(), [401, 201])
    await seed()
    assert.deepEqual(await outcomes(), [201, 401])
  })

  it('gets what is signed for it encrypted to its own key, and only it can read that', async () => {
    const sealed = keyedParty(server.url, () => key, smKey('proof'), 'sm-sealed')
    const keys = await sealed.keys()
    const opened = (token: string) => openSmJws(openSmJwe(token, encryptionKey).content, keys).payload
    const pushed = await sealed.push({ scope: 'openid profile', response_mode: 'jwt' })
    const callback = await pass(pushed)
    const answer = opened(callback.searchParams.get('response') ?? '')
    const tokens = await sealed.tokens(String(answer['code']), pushed)
    assert.equal(opened(tokens.id_token)['aud'], 'sm-sealed')
    const userinfo = await sealed.userinfo(tokens.access_token)
    assert.match(userinfo.headers.get('content-type') ?? '', /^application\/jwt/)
    assert.equal(opened(await userinfo.text())['name'], (await personOf('yan')).name)
    const asked = await sealed.introspect(tokens.access_token, 'application/token-introspection+jwt')
    assert.equal((opened(await asked.text())['token_introspection'] as { active: boolean }).active, true)
    assert.throws(() => openSmJwe(tokens.id_token, { ...smKey('sm-enc') }))
  })

  it('encrypts its signed request to our key, which is published for that', async () => {
    const ours = (await party.keys()).find(({ use }) => use === 'enc')
    assert.ok(ours)
    assert.equal(ours['alg'], 'SGD_SM2_3')
    const encrypted = (header: object = {}, to = ours) => ({
      request: (claims: Readonly<Record<string, unknown>>) => smJwe(jws(key, claims), to, { ...header }),
    })
    const pushed = await party.push({}, encrypted())
    assert.equal(pushed.answer.status, 201, await pushed.answer.clone().text())
    const code = (await pass(pushed)).searchParams.get('code') ?? ''
    assert.ok((await party.tokens(code, pushed)).id_token)
    const stranger = { ...smKey('x').jwk, kid: ours['kid'] }
    const none = (claims: Readonly<Record<string, unknown>>) => smJwe(JSON.stringify(claims), ours)
    const wrong = [
      encrypted({}, stranger),
      encrypted({ alg: 'dir' }),
      encrypted({ enc: 'A256GCM' }),
      encrypted({ alg: 'RSA-OAEP-256' }),
      encrypted({ kid: 'nobody' }),
      encrypted({ zip: 'DEF' }),
      { request: none },
    ]
    for (const [index, changes] of wrong.entries())
      assert.equal(await errorOf(await party.push({}, changes)), 'invalid_request_object', `request ${index}`)
  })

  it('changes its keys by itself at its own address, and a key that it withdrew signs nothing more', async () => {
    const [older, newer] = [smKey('older'), smKey('newer')]
    published = [older, newer]
    const [before, after] = [older, newer].map((one) => keyedParty(server.url, () => one, smKey('proof'), 'sm-remote'))
    const outcome = async (one: KeyedParty | undefined) => one && errorOf(await one.push())
    assert.deepEqual([await outcome(before), await outcome(after)], [undefined, undefined])
    published = [newer]
    server.clock.advance(61_000)
    assert.deepEqual([await outcome(before), await outcome(after)], ['invalid_client', undefined])
  })

  it('is known by a certificate, and by no key without one, with that of somebody else, or past its end', async function () {
    needsOpenssl(this)
    const issue = certificates(directory())
    const root = issue({ days: 900 })
    const [leaf, stranger] = [issue({ by: root, days: 30, extensions: SIGNER }), issue({ extensions: SIGNER })]
    const jwk = await exportJWK(await importX509(leaf.pem, 'SGD_SM3_SM2'))
    const { d = '' } = await exportJWK(
      await importPKCS8(readFileSync(leaf.key, 'utf8').trim(), 'SGD_SM3_SM2', { extractable: true }),
    )
    const holder = smKey('certified', d)
    const certifiedBy = (id: string, x5c?: readonly string[]) =>
      keyedApplication({
        id,
        trust: { roots: [root.pem] },
        credential: { jwks: { keys: [{ ...jwk, kty: 'EC', kid: 'certified', ...(x5c ? { x5c } : {}) }] } },
      })
    const chains = {
      holder: [leaf.text],
      bare: undefined,
      foreign: [stranger.text],
      unrooted: [stranger.text, leaf.text],
    }
    await server.app.applications.seed(Object.entries(chains).map(([id, x5c]) => certifiedBy(id, x5c)))
    const push = async (id: string) =>
      (await keyedParty(server.url, () => holder, smKey('proof'), id).push()).answer.status
    assert.equal(await push('holder'), 201)
    for (const id of ['bare', 'foreign', 'unrooted']) assert.equal(await push(id), 401, id)
    server.clock.advance(31 * 86_400_000)
    assert.equal(await push('holder'), 401, 'the certificate has ended')
  })

  it('is known at its own address by its own certificate, and not by another that the same authority gave', async function () {
    needsOpenssl(this)
    const issue = certificates(directory())
    const root = issue({})
    const certified = async (by: Party, name: string) => {
      const leaf = issue({ by, name, extensions: SIGNER })
      const privateKey = await importPKCS8(readFileSync(leaf.key, 'utf8').trim(), 'SGD_SM3_SM2', { extractable: true })
      const key = smKey('certified', (await exportJWK(privateKey)).d)
      return { ...key, jwk: { ...key.jwk, x5c: [leaf.text] } }
    }
    const seed = (trust: NonNullable<ApplicationInput['trust']>) =>
      server.app.applications.seed([
        keyedApplication({ id: 'sm-certified', trust, credential: { jwksUri: `http://${host}/keys` } }),
      ])
    const push = async (key: PartyKey) => {
      published = [key]
      server.clock.advance(61_000)
      return (await keyedParty(server.url, () => key, smKey('proof'), 'sm-certified').push()).answer.status
    }
    await assert.rejects(seed({ roots: [root.pem] }), /trust\.subject/)
    await seed({ roots: [root.pem], subject: 'C=XX, CN=our office' })
    assert.equal(await push(await certified(root, 'our office')), 201)
    for (const name of ['another office', 'our office, CN=our office', 'x, CN=our office'])
      assert.equal(await push(await certified(root, name)), 401, name)
    // Nothing but SM2 is computed with here, to trust somebody as well.
    const foreign = issue({ kind: 'ec' })
    await seed({ roots: [foreign.pem], subject: 'C=XX, CN=our office' })
    assert.equal(await push(await certified(foreign, 'our office')), 401)
  })

  describe('is refused', () => {
    it('where a request is signed by another key, for another audience, past its time, or said to be unsigned', async () => {
      const other = smKey('sm-1')
      const encoded = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
      const requests: ((claims: Readonly<Record<string, unknown>>) => string)[] = [
        (claims) => jws(other, claims),
        (claims) => jws(key, { ...claims, aud: 'https://evil.example' }),
        (claims) => jws(key, { ...claims, iss: 'first' }),
        (claims) => jws(key, { ...claims, exp: 1 }),
        (claims) => jws(key, { ...claims, client_id: 'first' }),
        (claims) => `${encoded({ alg: 'none' })}.${encoded(claims)}.`,
        (claims) => jws(key, claims, { alg: 'SM2' }),
        (claims) => jws(key, claims, { alg: 'ES256' }),
        (claims) => `${jws(key, claims).slice(0, -4)}AAAA`,
      ]
      for (const [index, request] of requests.entries()) {
        const error = await errorOf(await party.push({}, { request }))
        assert.match(error ?? '', /^invalid_request(_object)?$/, `request ${index}`)
      }
    })

    it('where its settings say that it signs its requests and takes signed answers, and one is not', async () => {
      const strict = keyedParty(server.url, () => key, smKey('proof'), 'sm-strict')
      assert.equal(await errorOf(await strict.push({}, { unsigned: true })), 'invalid_request')
      assert.ok(await errorOf(await strict.push({ response_mode: 'query' })))
      assert.equal(await errorOf(await strict.push({ response_mode: 'jwt' })), undefined)
    })

    it('with a proof or a request by a NIST curve, which this deployment does not take', async () => {
      const { privateKey, publicKey } = await generateKeyPair('ES256')
      const sign = (claims: Record<string, unknown>, header: object) =>
        new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header }).sign(privateKey)
      const iat = Math.floor(Date.now() / 1000)
      const proof = await sign(
        { jti: 'a', htm: 'POST', htu: `${server.url}/token`, iat },
        { typ: 'dpop+jwt', jwk: await exportJWK(publicKey) },
      )
      const answer = await party.post('/token', { grant_type: 'refresh_token', refresh_token: 'x' }, { dpop: proof })
      assert.equal(((await answer.json()) as { error: string }).error, 'invalid_dpop_proof')
      const assertion = await sign({ iss: 'sm', sub: 'sm', aud: server.url, jti: 'b', exp: iat + 60 }, { kid: 'sm-1' })
      const par = await party.post('/par', { client_assertion: assertion })
      assert.equal(((await par.json()) as { error: string }).error, 'invalid_client')
    })
  })
})
