import assert from 'node:assert/strict'
import { generateKeyPair, jwtVerify, SGD_SM3_SM2, SignJWT } from 'jose'
import type { GenerateKeyPairResult, JWTPayload, JWTVerifyOptions } from 'jose'
import gm from '../support/gm.json' with { type: 'json' }

const now = 1_800_000_000
const at = new Date(now * 1000)
const claims: JWTPayload = { iss: 'https://a.example', sub: 's', aud: ['x', 'y'], iat: now - 60, exp: now + 60 }

/** What a check says: 'ok', or the error's class, message and claim. */
async function outcome(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
    return 'ok'
  } catch (error) {
    const { name, code, message, claim, reason } = error as Record<string, string>
    return [name, code, message, claim, reason].join(' | ')
  }
}

describe('A JWT signed with SGD_SM3_SM2', () => {
  const keys: Record<string, GenerateKeyPairResult> = {}
  before(async () => {
    for (const alg of ['ES256', SGD_SM3_SM2]) keys[alg] = await generateKeyPair(alg)
  })
  const pair = (alg: string): GenerateKeyPairResult => keys[alg] as GenerateKeyPairResult

  it('carries the claims its builder was given', async () => {
    const jwt = await new SignJWT({ nonce: '随机' })
      .setProtectedHeader({ alg: SGD_SM3_SM2, typ: 'JWT', kid: 'a' })
      .setIssuer('https://a.example')
      .setSubject('s')
      .setAudience('x')
      .setJti('j')
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(new Date((now + 60) * 1000))
      .sign(pair(SGD_SM3_SM2).privateKey)
    const { payload, protectedHeader } = await jwtVerify(jwt, pair(SGD_SM3_SM2).publicKey, { currentDate: at })
    const { iss, sub } = claims
    assert.deepEqual(payload, { nonce: '随机', iss, sub, aud: 'x', jti: 'j', iat: now, nbf: now, exp: now + 60 })
    assert.deepEqual(protectedHeader, { alg: SGD_SM3_SM2, typ: 'JWT', kid: 'a' })
  })

  it('may be signed twice by one builder', async () => {
    const builder = new SignJWT(claims).setProtectedHeader({ alg: SGD_SM3_SM2 })
    const { privateKey, publicKey } = pair(SGD_SM3_SM2)
    for (const jwt of [await builder.sign(privateKey), await builder.setSubject('t').sign(privateKey)])
      assert.equal((await jwtVerify(jwt, publicKey, { currentDate: at })).payload.iss, claims.iss)
  })

  it('verifies as the known vector and gives the key a function found', async () => {
    const { payload } = await jwtVerify(gm.jws.compact, gm.jws.jwk)
    assert.deepEqual(payload, { iss: 'https://id.example.gov.cn', sub: 'test' })
    const { publicKey, privateKey } = pair(SGD_SM3_SM2)
    const jwt = await new SignJWT({}).setProtectedHeader({ alg: SGD_SM3_SM2 }).sign(privateKey)
    assert.equal((await jwtVerify(jwt, async () => publicKey)).key, publicKey)
    await assert.rejects(
      jwtVerify(jwt, () => Promise.reject(new Error('my own'))),
      /my own/,
    )
  })

  const cases: [what: string, claims: object, options: JWTVerifyOptions, header?: object][] = [
    ['everything in order', claims, { issuer: 'https://a.example', audience: 'x', subject: 's', maxTokenAge: 61 }],
    ['nothing asked', {}, {}],
    ['expired', { ...claims, exp: now }, {}],
    ['expired, within the tolerance', { ...claims, exp: now - 4 }, { clockTolerance: 5 }],
    ['expired, at the tolerance', { ...claims, exp: now - 5 }, { clockTolerance: '5 s' }],
    ['an exp that is no number', { ...claims, exp: '1' }, {}],
    ['not yet valid', { ...claims, nbf: now + 1 }, {}],
    ['not yet valid, within the tolerance', { ...claims, nbf: now + 5 }, { clockTolerance: 5 }],
    ['an nbf that is no number', { ...claims, nbf: null }, {}],
    ['another audience', claims, { audience: ['z'] }],
    ['no audience', { iss: 'i' }, { audience: 'x' }],
    ['another issuer', claims, { issuer: ['https://b.example'] }],
    ['another subject', claims, { subject: 't' }],
    ['too old', claims, { maxTokenAge: 59 }],
    ['from the future', { ...claims, iat: now + 10 }, { maxTokenAge: '1 minute' }],
    ['of unknown age', { iss: 'i' }, { maxTokenAge: 59 }],
    ['a required claim missing', claims, { requiredClaims: ['acr', 'sub'] }],
    ['required claims there', claims, { requiredClaims: ['aud', 'sub'] }],
    ['the typ asked for', claims, { typ: 'at+jwt' }, { typ: 'application/AT+JWT' }],
    ['another typ', claims, { typ: 'at+jwt' }, { typ: 'JWT' }],
    ['no typ', claims, { typ: 'at+jwt' }],
    ['a typ that is no text', claims, { typ: 'at+jwt' }, { typ: 1 }],
    ['a mistaken option', claims, { maxTokenAge: 'soon' }],
    ['an algorithm not allowed', claims, { algorithms: ['RS256'] }],
    ['an unknown critical header', claims, {}, { crit: ['a'], a: 1 }],
  ]
  for (const [what, given, options, header] of cases)
    it(`is judged as an ES256 one is: ${what}`, async () => {
      const judged = async (alg: string): Promise<string> => {
        const { privateKey, publicKey } = pair(alg)
        const signing = { crit: { a: true } }
        const jwt = await new SignJWT(given as JWTPayload)
          .setProtectedHeader({ alg, ...header })
          .sign(privateKey, signing)
        return outcome(() => jwtVerify(jwt, publicKey, { currentDate: at, ...options }))
      }
      const [sm2, es256] = [await judged(SGD_SM3_SM2), await judged('ES256')]
      assert.equal(sm2, es256)
      const good = /in order|nothing|within|there|the typ asked/.test(what)
      assert.equal(sm2 === 'ok', good, sm2)
    })

  it('is refused by its builder for the faults an ES256 one is', async () => {
    const builders: ((jwt: SignJWT, alg: string) => SignJWT)[] = [
      (jwt) => jwt,
      (jwt, alg) => jwt.setProtectedHeader({ alg, crit: ['b64'], b64: false } as never),
      (jwt, alg) => jwt.setProtectedHeader({ alg, crit: ['other'], other: 1 }),
      (jwt, alg) => jwt.setProtectedHeader({ alg }).setProtectedHeader({ alg }),
      (jwt, alg) => jwt.setProtectedHeader({ alg }).setExpirationTime('never'),
      (jwt, alg) => jwt.setProtectedHeader({ alg }).setIssuer(1 as never),
    ]
    for (const build of builders) {
      const judged = (alg: string): Promise<string> =>
        outcome(async () => build(new SignJWT({}), alg).sign(pair(alg).privateKey))
      assert.equal(await judged(SGD_SM3_SM2), await judged('ES256'))
      assert.notEqual(await judged(SGD_SM3_SM2), 'ok')
    }
  })

  it('whose payload is no JSON object is refused as such', async () => {
    const { CompactSign } = await import('jose')
    for (const text of ['[]', 'text', '"text"', '\u0000']) {
      const judged = async (alg: string): Promise<string> => {
        const jwt = new CompactSign(Buffer.from(text)).setProtectedHeader({ alg }).sign(pair(alg).privateKey)
        return outcome(async () => jwtVerify(await jwt, pair(alg).publicKey))
      }
      assert.equal(await judged(SGD_SM3_SM2), await judged('ES256'))
      assert.match(await judged(SGD_SM3_SM2), /JWTInvalid/)
    }
  })
})
