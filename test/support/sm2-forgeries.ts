/** ID tokens of SGD_SM3_SM2 that are not what they claim, and why a verifier ought to refuse each (RFC 8725; ASVS 9.1). */
import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { exportJWK, generateKeyPair, sm2SignatureToDer, sm2Sign, type JWK } from 'jose'

type Part = Readonly<Record<string, unknown>>

const encode = (part: Part | string): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

export interface ReadToken {
  readonly header: Part
  readonly claims: Part
}

export function readToken(token: string): ReadToken {
  const [header, claims] = token.split('.', 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  return { header, claims }
}

export interface TokenSigner {
  readonly publicJwk: JWK & { readonly kid: string }
  sign(header: Part | string, claims: Part | string): string
  /** The same token, changed here and there and signed anew with this key. */
  again(token: string, claims: Part, header?: Part): string
}

export async function tokenSigner(kid: string): Promise<TokenSigner> {
  const { privateKey, publicKey } = await generateKeyPair('SGD_SM3_SM2')
  const signer: TokenSigner = {
    publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'SGD_SM3_SM2', use: 'sig' },
    sign(header, claims) {
      const input = `${encode(header)}.${encode(claims)}`
      return `${input}.${sm2Sign(privateKey, Buffer.from(input)).toString('base64url')}`
    },
    again(token, claims, header = {}) {
      const { header: own, claims: said } = readToken(token)
      return signer.sign({ ...own, kid, ...header }, { ...said, ...claims })
    },
  }
  return signer
}

export interface Forgery {
  readonly what: string
  /** What the verifier says. */
  readonly refusal: RegExp
  make(): string
}

/**
 * @param token a true token
 * @param trusted signs with a key of the issuer's set
 * @param stranger signs with a key that is in no set
 */
export function sm2Forgeries(token: string, trusted: TokenSigner, stranger: TokenSigner): readonly Forgery[] {
  const [head = '', body = '', signature = ''] = token.split('.')
  const { header, claims } = readToken(token)
  const bytes = Buffer.from(signature, 'base64url')
  const now = Math.floor(Date.now() / 1000)
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

  const withSignature = (given: Buffer) => `${head}.${body}.${given.toString('base64url')}`
  const flipped = (index: number, bit: number) => {
    const changed = Buffer.from(bytes)
    changed[index] = (changed[index] ?? 0) ^ bit
    return withSignature(changed)
  }
  const renamed = (alg: unknown) => `${encode({ ...header, alg } as Part)}.${body}.${signature}`
  const signed = (alg: string, make: (input: Buffer) => Buffer) => {
    const input = `${encode({ ...header, alg })}.${body}`
    return `${input}.${make(Buffer.from(input)).toString('base64url')}`
  }
  const ecdsa = (input: Buffer) => sign('sha256', input, { key: p256, dsaEncoding: 'ieee-p1363' })
  const hmac = (input: Buffer) => createHmac('sha256', JSON.stringify(trusted.publicJwk)).update(input).digest()
  const says = (more: Part) => trusted.again(token, more)
  const heads = (more: Part) => trusted.again(token, {}, more)
  const trustedHead = { ...header, kid: trusted.publicJwk.kid }

  const byRefusal: readonly (readonly [RegExp, Readonly<Record<string, () => string>>])[] = [
    [
      /a signature that does not verify/,
      {
        'another subject': () => `${head}.${encode({ ...claims, sub: 'somebody-else' })}.${signature}`,
        'a header that says more': () => `${encode({ ...header, typ: 'JWT' })}.${body}.${signature}`,
        'the first bit of r flipped': () => flipped(0, 0x80),
        'the last bit of r flipped': () => flipped(31, 1),
        'the first bit of s flipped': () => flipped(32, 0x80),
        'the last bit of s flipped': () => flipped(63, 1),
        'r and s exchanged': () => withSignature(Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)])),
        'r of zero': () => withSignature(Buffer.concat([Buffer.alloc(32), bytes.subarray(32)])),
        's of zero': () => withSignature(Buffer.concat([bytes.subarray(0, 32), Buffer.alloc(32)])),
        'a signature of zeros': () => withSignature(Buffer.alloc(64)),
        'a signature beyond the order': () => withSignature(Buffer.alloc(64, 0xff)),
        'the signature of another token': () => `${head}.${body}.${says({}).split('.')[2]}`,
        'another key under the same kid': () => stranger.again(token, {}, { kid: header['kid'] }),
        'an ECDSA signature': () => signed('SGD_SM3_SM2', ecdsa),
      },
    ],
    [
      /not a signed JWT/,
      {
        'alg none': () => `${encode({ ...header, alg: 'none' })}.${body}.`,
        'alg none and a signature': () => renamed('none'),
        'no alg': () => renamed(undefined),
        'an alg that is a list': () => renamed(['SGD_SM3_SM2']),
        'no signature': () => `${head}.${body}`,
        'an empty signature': () => `${head}.${body}.`,
        'half a signature': () => withSignature(bytes.subarray(0, 32)),
        'a longer signature': () => withSignature(Buffer.concat([bytes, Buffer.of(0)])),
        'a signature in DER': () => withSignature(sm2SignatureToDer(bytes)),
        'a second spelling of the signature': () => respelled(token),
        'a padded signature': () => `${token}==`,
        'a space inside': () => `${head}. ${body}.${signature}`,
        'a line end behind': () => `${token}\n`,
        'four parts': () => `${token}.${signature}`,
        'a JSON serialization': () => JSON.stringify({ payload: body, protected: head, signature }),
        'a kid that is a number': () => heads({ kid: 1 }),
        'alg twice': () => trusted.sign(`{"alg":"none",${JSON.stringify(trustedHead).slice(1)}`, claims),
        'a header that is a list': () => trusted.sign('[]', claims),
        'an expiry that is a text': () => says({ exp: String(now + 600) }),
        'no token at all': () => 'x',
      },
    ],
    [
      /another algorithm/,
      {
        'the name of ES256': () => renamed('ES256'),
        'the name in small letters': () => renamed('sgd_sm3_sm2'),
        'an ES256 signature': () => signed('ES256', ecdsa),
        'HS256 with the public key': () => signed('HS256', (input) => Buffer.concat([hmac(input), hmac(input)])),
        'the name of ES256, rightly signed with SM2': () => heads({ alg: 'ES256' }),
      },
    ],
    [/no kid/, { 'no kid': () => heads({ kid: undefined }) }],
    // Which it is depends on how much of a header a library reads before anybody asks it to.
    [
      /does not verify|not a signed JWT/,
      {
        'its own key in the header': () => stranger.again(token, {}, { kid: header['kid'], jwk: stranger.publicJwk }),
        'its own key at an address': () =>
          stranger.again(token, {}, { kid: header['kid'], jku: 'https://evil.example/jwks' }),
      },
    ],
    [
      /an unknown extension|not a signed JWT/,
      {
        'a critical extension': () => heads({ crit: ['evil'], evil: true }),
        'an unencoded payload': () => heads({ crit: ['b64'], b64: false }),
      },
    ],
    [
      /another type/,
      { 'a logout token': () => heads({ typ: 'logout+jwt' }), 'an access token': () => heads({ typ: 'at+jwt' }) },
    ],
    [/no JSON object/, { 'claims that are a text': () => trusted.sign(trustedHead, '"x"') }],
    [
      /another issuer/,
      { 'another issuer': () => says({ iss: 'https://evil.example' }), 'no issuer': () => says({ iss: undefined }) },
    ],
    [
      /another audience/,
      {
        'another audience': () => says({ aud: 'second' }),
        'more than one audience': () => says({ aud: [claims['aud'], 'second'] }),
        'no audience': () => says({ aud: undefined }),
      },
    ],
    [/no subject/, { 'no subject': () => says({ sub: undefined }) }],
    [
      /an expired token/,
      {
        'an expired token': () => says({ iat: now - 700, exp: now - 100 }),
        'no expiry': () => says({ exp: undefined }),
      },
    ],
    [
      /from the future/,
      { 'a time to come': () => says({ iat: now + 100 }), 'no time': () => says({ iat: undefined }) },
    ],
    [
      /invalid_nonce/,
      { 'another nonce': () => says({ nonce: 'x'.repeat(43) }), 'no nonce': () => says({ nonce: undefined }) },
    ],
    [
      /the access token of another answer/,
      {
        'the hash of another access token': () => says({ at_hash: 'kmAmKWez_tFC1DKMAy3gcA' }),
        'a hash of another kind': () =>
          says({ at_hash: createHash('sha256').update('x').digest('base64url').slice(0, 22) }),
      },
    ],
  ]
  return byRefusal.flatMap(([refusal, tokens]) =>
    Object.entries(tokens).map(([what, make]) => ({ what, refusal, make })),
  )
}

/** The last letter of 64 bytes carries four bits that say nothing. */
function respelled(token: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return token.slice(0, -1) + letters[letters.indexOf(token.at(-1) ?? '') + 1]
}
