/**
 * An application in Java, Spring Boot and BouncyCastle, signs in by the profile `standard` and verifies SM2 (README, «For an
 * application team»). What it must refuse reaches it the only way there is: in the answers of the server, altered.
 */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, sm3, type JWK } from 'jose'
import { startAlteringProxy, type AlteringProxy } from '../support/altering-proxy.ts'
import { secrets, startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { personOf, walk, type Person } from '../support/citizen.ts'
import { buildJavaClient, folder, freePort, startJavaClient, type JavaClient } from '../support/java-client.ts'
import { readToken, sm2Forgeries, tokenSigner, type TokenSigner } from '../support/sm2-forgeries.ts'

interface Answer {
  readonly id_token: string
  readonly access_token: string
}

interface Known {
  readonly idToken: Readonly<Record<string, unknown>>
  readonly userinfo: Readonly<Record<string, unknown>>
}

describe('an application in Java', () => {
  let proxy: AlteringProxy
  let server: TestServer
  let java: JavaClient
  let person: Person
  let citizen: Browser
  let trusted: TokenSigner
  let stranger: TokenSigner
  /** Keys that stand in the set of the issuer beside its own. */
  let added: JWK[]

  before(async function () {
    this.timeout(240_000)
    const missing = buildJavaClient()
    if (missing !== undefined) {
      if (process.env['CI'] === 'true') throw new Error(missing)
      console.log(`    skipped: ${missing}`)
      this.skip()
    }
    proxy = await startAlteringProxy()
    const port = await freePort()
    const [first] = testApplications()
    assert.ok(first)
    server = await startServer({
      settings: (config) => (config['issuer'] = proxy.url),
      applications: [{ ...first, redirectUris: [`http://localhost:${port}/login/oauth2/code/yihao`] }],
    })
    proxy.to(server.port)
    java = await startJavaClient({ port, issuer: proxy.url, clientId: 'first', secret: secrets.first })
    person = await personOf('yan')
    citizen = openBrowser(proxy.url)
    ;[trusted, stranger] = [await tokenSigner('trusted'), await tokenSigner('stranger')]
    added = [trusted.publicJwk]
  })
  after(async () => {
    proxy?.close()
    await java?.close()
    await server?.close()
  })

  const withAddedKeys = (set: string): string => JSON.stringify({ keys: [...JSON.parse(set).keys, ...added] })

  /**
   * Signs in, with what the server answers at the token endpoint or at userinfo altered.
   * @returns where the application leads at the end, and the address it sent the citizen to
   */
  const signIn = async (
    alterAnswer: (answer: Answer) => Partial<Answer> = () => ({}),
    alterUserinfo: (text: string) => string = (text) => text,
  ): Promise<Page & { readonly asked: URL }> => {
    proxy.alter = {
      '/jwks/sm': withAddedKeys,
      '/token': (body) => JSON.stringify({ ...JSON.parse(body), ...alterAnswer(JSON.parse(body)) }),
      '/userinfo': alterUserinfo,
    }
    const application = openBrowser(java.url)
    const { location } = await application.get('/me')
    assert.ok(location)
    const callback = await walk(server, citizen, location, person)
    return { ...(await application.get(callback)), asked: new URL(location) }
  }
  const accepts = async (...how: Parameters<typeof signIn>): Promise<Known> => {
    const { status, text } = await signIn(...how)
    assert.equal(status, 200, text)
    return JSON.parse(text) as Known
  }
  const refuses = async (refusal: RegExp, what: string, ...how: Parameters<typeof signIn>): Promise<void> => {
    const { status, text } = await signIn(...how)
    assert.equal(status, 401, `${what}: ${text}`)
    assert.match(text, refusal, `${what}: ${text}`)
  }
  const signedBy =
    (signer: TokenSigner, claims: object = {}) =>
    ({ id_token }: Answer) => ({ id_token: signer.again(id_token, { ...claims }) })

  it('signs in with PKCE and a nonce, and verifies an SM2 ID token and signed userinfo', async () => {
    let sent = ''
    let userinfo = ''
    const { status, text, asked } = await signIn(
      ({ id_token }) => ({ id_token: (sent = id_token) }),
      (answer) => (userinfo = answer),
    )
    assert.equal(status, 200, text)
    const known = JSON.parse(text) as Known
    assert.equal(asked.searchParams.get('code_challenge_method'), 'S256')
    const { header, claims } = readToken(sent)
    assert.equal(header['alg'], 'SGD_SM3_SM2')
    assert.equal(readToken(userinfo).header['alg'], 'SGD_SM3_SM2')
    assert.equal(claims['nonce'], asked.searchParams.get('nonce'))
    for (const claim of ['sub', 'iss', 'acr', 'nonce']) assert.equal(known.idToken[claim], claims[claim])
    assert.equal(known.userinfo['sub'], claims['sub'])
    assert.deepEqual([known.userinfo['name'], known.userinfo['phone_number']], [person.name, person.phone])
  })

  it('takes any key of the set, clocks that differ by less than a minute, and the SM3 of the access token', async () => {
    const now = Math.floor(Date.now() / 1000)
    await accepts(signedBy(trusted))
    await accepts(signedBy(trusted, { iat: now - 600, exp: now - 20 }))
    await accepts(signedBy(trusted, { iat: now + 20 }))
    const at_hash = (text: string) => sm3(Buffer.from(text)).subarray(0, 16).toString('base64url')
    await accepts((answer) => signedBy(trusted, { at_hash: at_hash(answer.access_token) })(answer))
  })

  it('refuses an ID token that is not what it claims, and says what is wrong', async () => {
    const forgeries = (token: string) => sm2Forgeries(token, trusted, stranger)
    for (const [index, { what, refusal }] of forgeries(trusted.sign({}, {})).entries())
      await refuses(refusal, what, ({ id_token }) => ({ id_token: forgeries(id_token)[index]?.make() ?? '' }))
  })

  it('refuses userinfo that is unsigned, signed by another, for another, or of somebody else', async () => {
    const wrong: Readonly<Record<string, readonly [RegExp, (text: string) => string]>> = {
      'plain JSON': [/not a signed JWT/, (text) => JSON.stringify(readToken(text).claims)],
      nothing: [/not a signed JWT/, () => ''],
      'another signer': [/does not verify/, (text) => stranger.again(text, {}, { kid: readToken(text).header['kid'] })],
      'another citizen': [/somebody else/, (text) => trusted.again(text, { sub: 'somebody-else' })],
      'another application': [/another audience/, (text) => trusted.again(text, { aud: 'second' })],
      'another issuer': [/another issuer/, (text) => trusted.again(text, { iss: 'https://evil.example' })],
    }
    for (const [what, [refusal, alter]] of Object.entries(wrong)) await refuses(refusal, what, undefined, alter)
    await accepts(undefined, (text) => trusted.again(text, {}))
  })

  describe('with the keys of the issuer', () => {
    const fetched = () => proxy.asked('/jwks/sm')

    it('asks for them once, and again for a key it does not know', async () => {
      await accepts()
      const before = fetched()
      await accepts()
      assert.equal(fetched(), before)
      const next = await tokenSigner('next')
      added = [trusted.publicJwk, next.publicJwk]
      await accepts(signedBy(next))
      await accepts(signedBy(next))
      assert.equal(fetched(), before + 1)
    })

    it('refuses a set with a key that is no point of the curve, and recovers', async () => {
      const bent = await tokenSigner('bent')
      const { x, y } = bent.publicJwk
      const sets: Readonly<Record<string, object>> = {
        'a point off the curve': { x: y, y: x },
        'a coordinate beyond the field': { x: Buffer.alloc(32, 0xff).toString('base64url') },
        'no y': { y: undefined },
        'a number for x': { x: 1 },
      }
      for (const [what, wrong] of Object.entries(sets)) {
        added = [{ ...bent.publicJwk, ...wrong } as JWK]
        await refuses(/the keys of the issuer cannot be had/, what, signedBy(bent))
      }
      added = [bent.publicJwk]
      await accepts(signedBy(bent))
    })

    // The last, since it asks for a key that nobody knows: the set rests after that.
    it('passes over keys of other kinds in the set, and asks once for what it does not find', async () => {
      const [later, ...others] = [await tokenSigner('later'), await tokenSigner('es'), await tokenSigner('rs')]
      const kinds = await Promise.all(['ES256', 'RS256'].map((alg) => generateKeyPair(alg)))
      const standard = await Promise.all(kinds.map(({ publicKey }) => exportJWK(publicKey)))
      added = [...standard.map((jwk, index) => ({ ...jwk, kid: others[index]?.publicJwk.kid })), later.publicJwk]
      await accepts(signedBy(later))
      const before = fetched()
      for (const other of others) await refuses(/an unknown key/, other.publicJwk.kid, signedBy(other))
      assert.equal(fetched(), before + 1)
      await accepts(signedBy(later))
    })
  })
})

describe('the recipe for Java in the README', () => {
  /** Without what indents it. */
  const lines = (text: string): string => text.replaceAll(/^ +/gm, '').trim()
  const readme = readFileSync(join(folder, '../../README.md'), 'utf8')

  const shown = [...readme.matchAll(/^ *```(\w+)\n(.*?)^ *```$/gms)]

  for (const [language, file] of [
    ['java', 'src/main/java/example/Sm2Login.java'],
    ['yaml', 'src/main/resources/application.yaml'],
    ['xml', 'pom.xml'],
  ] as const) {
    it(`is what runs here: ${language}`, () => {
      const blocks = shown.filter(([, name]) => name === language).map(([, , block = '']) => lines(block))
      const source = lines(readFileSync(join(folder, file), 'utf8'))
      assert.ok(blocks.length > 0)
      for (const block of blocks) assert.ok(source.includes(block), block)
    })
  }
})
