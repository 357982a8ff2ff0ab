/** Tokens that claim what a true one does and were signed by nobody, by somebody else, or for something else (ASVS 9.1). */
import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { JWK } from 'jose'
import { es256Key, publicJwk as withoutKid, smKey } from './keyed-party.ts'

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

type Part = Readonly<Record<string, unknown>>

/**
 * @param token a true token with an ES256 or SM2 signature
 * @param publicJwk the key it verifies with
 * @returns forgeries by what is wrong with each
 */
export function forgeriesOf(token: string, publicJwk: JWK): Readonly<Record<string, string>> {
  const [head = '', body = '', signature = ''] = token.split('.')
  const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Part
  const [header, payload] = [parse(head), parse(body)]
  const sm = publicJwk.crv === 'sm2p256v1'
  const [attacker, otherCurve] = sm ? [smKey('x'), es256Key('x')] : [es256Key('x'), smKey('x')]
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const own = withoutKid(attacker)
  const spki = spkiOf(publicJwk)

  const signed = (given: unknown, key: Pick<typeof attacker, 'sign'> = attacker) => {
    const input = `${encode(given)}.${body}`
    return `${input}.${key.sign(input).toString('base64url')}`
  }
  const hmac = (alg: string, hash: string, secret: string | Buffer) => {
    const input = `${encode({ ...header, alg })}.${body}`
    return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
  }
  const changed = (claims: Part) => `${head}.${encode({ ...payload, ...claims })}.${signature}`
  const bytes = Buffer.from(signature, 'base64url')
  const flipped = Buffer.from(bytes)
  flipped[10] = (flipped[10] ?? 0) ^ 1
  const withSignature = (given: Buffer | string) =>
    `${head}.${body}.${Buffer.from(given as Buffer).toString('base64url')}`
  const relabelled = (more: Part) => `${encode({ ...header, ...more })}.${body}.${signature}`

  return {
    'alg none': `${encode({ ...header, alg: 'none' })}.${body}.`,
    'alg None': `${encode({ ...header, alg: 'None' })}.${body}.`,
    'alg nOnE with a signature': `${encode({ ...header, alg: 'nOnE' })}.${body}.${signature}`,
    'no alg': `${encode({ typ: 'JWT' })}.${body}.${signature}`,
    'an empty signature': `${head}.${body}.`,
    'no signature': `${head}.${body}`,
    'a signature of zeros': withSignature(Buffer.alloc(64)),
    'a signature of ones': withSignature(Buffer.alloc(64, 255)),
    'half a signature': withSignature(bytes.subarray(0, 32)),
    'a longer signature': withSignature(Buffer.concat([bytes, Buffer.of(0)])),
    'r and s exchanged': withSignature(Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)])),
    'a flipped bit': withSignature(flipped),
    'HS256 with the public key as PEM': hmac('HS256', 'sha256', pem(spki)),
    'HS256 with the public key as DER': hmac('HS256', 'sha256', spki),
    'HS256 with the public key as JWK': hmac('HS256', 'sha256', JSON.stringify(publicJwk)),
    'HS256 with nothing': hmac('HS256', 'sha256', ''),
    'SGD_SM3_HMAC with the public key': hmac('SGD_SM3_HMAC', 'sm3', spki),
    'SGD_SM3_HMAC with the public key as JWK': hmac('SGD_SM3_HMAC', 'sm3', JSON.stringify(publicJwk)),
    'another key under the same kid': signed(header),
    'another key without a kid': signed({ alg: attacker.alg }),
    'its own key in the header': signed({ alg: attacker.alg, jwk: own }),
    'its own key in the header, under our kid': signed({ ...header, jwk: own }),
    'a jku': signed({ ...header, kid: 'evil', jku: 'https://evil.example/jwks' }),
    'an x5u': signed({ ...header, kid: 'evil', x5u: 'https://evil.example/cert' }),
    'an x5c': signed({ ...header, x5c: [spkiOf(own).toString('base64')] }),
    'a kid that is a path': signed({ ...header, kid: '../../../dev/null' }),
    'a kid that is a query': signed({ ...header, kid: `' OR 1=1--` }),
    'a kid of the prototype': signed({ ...header, kid: '__proto__' }),
    'an RSA key': signed(
      { ...header, alg: 'RS256' },
      { sign: (input) => sign('sha256', Buffer.from(input), rsa.privateKey) },
    ),
    'a key of the other curve': signed({ ...header, alg: otherCurve.alg }, otherCurve),
    'a key of the other curve under our name': signed(header, otherCurve),
    'the name of RS256': relabelled({ alg: 'RS256' }),
    'the name of the other curve': relabelled({ alg: otherCurve.alg }),
    'the name SM2, which nobody asked for': relabelled({ alg: 'SM2' }),
    'the name SM3withSM2, which nobody asked for': relabelled({ alg: 'SM3withSM2' }),
    'the name in small letters': relabelled({ alg: String(header['alg']).toLowerCase() }),
    'the name of ES384': relabelled({ alg: 'ES384' }),
    'the name of EdDSA': relabelled({ alg: 'EdDSA' }),
    'an unknown critical extension': signed({ ...header, crit: ['evil'], evil: true }),
    'unencoded payload': signed({ ...header, crit: ['b64'], b64: false }),
    'another subject': changed({ sub: 'somebody-else' }),
    'another audience': changed({ aud: 'first' }),
    'another issuer': changed({ iss: 'https://evil.example' }),
    'a longer life': changed({ exp: 4_102_444_800 }),
    'alg twice': `${encode(`{"alg":"none",${JSON.stringify(header).slice(1)}`)}.${body}.${signature}`,
    'five parts': `${head}.${body}.${signature}.${body}.${signature}`,
    'a JSON serialization': JSON.stringify({ payload: body, protected: head, signature }),
    'a space inside': `${head}. ${body}.${signature}`,
    'no token at all': 'x',
  }
}

/** SubjectPublicKeyInfo (RFC 5480) of a point on either curve. */
function spkiOf({ crv, x = '', y = '' }: JWK): Buffer {
  if (crv === 'P-256') return createPublicKey({ key: { kty: 'EC', crv, x, y }, format: 'jwk' }).export(der)
  return Buffer.concat([smSpki, Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
}

const der = { type: 'spki', format: 'der' } as const
const smSpki = Buffer.from('3059301306072a8648ce3d020106082a811ccf5501822d03420004', 'hex')
const pem = (spki: Buffer): string =>
  `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PUBLIC KEY-----\n`
