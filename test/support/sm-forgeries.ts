/** SM tokens that claim what a true one does and must be refused, each with the key it is held against and the reason. */
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { exportJWK, exportSPKI, generateKeyPair, generateSecret, hmacSm3, SGD_SM3_HMAC, SGD_SM3_SM2 } from 'jose'
import { sm2Sign, sm2SignatureToDer } from 'jose'
import type { JWK, JWTVerifyOptions, Sm2Key } from 'jose'
import { n, toBytes } from '#src/jose/sm2-curve.ts'

/** The code of upstream's error, or the name of the class where the fault is the caller's key. */
export type Refusal =
  | 'ERR_JOSE_ALG_NOT_ALLOWED'
  | 'ERR_JOSE_NOT_SUPPORTED'
  | 'ERR_JWK_INVALID'
  | 'ERR_JWS_INVALID'
  | 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'
  | 'ERR_JWT_INVALID'
  | 'ERR_JWT_CLAIM_VALIDATION_FAILED'
  | 'TypeError'

export interface Forgery {
  readonly token: string
  readonly key: unknown
  readonly options?: JWTVerifyOptions
  readonly because: Refusal
}

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
const pair = async () => (await generateKeyPair(SGD_SM3_SM2, { extractable: true })) as unknown as Pair
interface Pair {
  readonly privateKey: Sm2Key
  readonly publicKey: Sm2Key
}

const claims = { iss: 'https://id.example.gov.cn', sub: 'somebody' }
const body = encode(claims)
const alg = SGD_SM3_SM2
const forged = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'
const unknown = 'ERR_JOSE_NOT_SUPPORTED'
const malformed = 'ERR_JWS_INVALID'

/** @returns a true token with its key, and forgeries by what is wrong with each */
export async function smForgeries(): Promise<{
  readonly truth: Omit<Forgery, 'because'>
  readonly forgeries: Readonly<Record<string, Forgery>>
}> {
  const [own, attacker] = [await pair(), await pair()]
  const key = own.publicKey
  const signed = (header: unknown, by = own.privateKey): string => {
    const input = `${encode(header)}.${body}`
    return `${input}.${base64url(sm2Sign(by, Buffer.from(input)))}`
  }
  const truth = { token: signed({ alg, typ: 'JWT' }), key }
  const forgeries = {
    ...(await byAlgorithm(signed, own, truth.token)),
    ...(await byKey(signed, own, attacker)),
    ...byHeader(signed, key, attacker, await exportJWK(attacker.publicKey)),
    ...bySignature(signed({ alg }), key),
    ...bySpelling(truth.token, key),
    ...(await byMac(own)),
  }
  return { truth, forgeries }
}

type Sign = (header: unknown, by?: Sm2Key) => string
type Forgeries = Record<string, Forgery>

async function byAlgorithm(signed: Sign, own: Pair, token: string): Promise<Forgeries> {
  const key = own.publicKey
  const [, , signature] = token.split('.')
  const unsigned = (name: unknown, rest = ''): Forgery => ({
    token: `${encode({ alg: name })}.${body}.${rest}`,
    key,
    because: unknown,
  })
  const named = (name: unknown, because: Refusal = unknown): Forgery => ({ token: signed({ alg: name }), key, because })
  return {
    'alg none': unsigned('none'),
    'alg None': unsigned('None'),
    'alg nOnE with a true signature': unsigned('nOnE', signature),
    'no alg': { ...named(undefined), because: malformed },
    'an empty alg': named('', malformed),
    'an alg that is a list': named([alg], malformed),
    'an alg with a space behind': named(`${alg} `),
    'the name in lower case': named('sgd_sm3_sm2'),
    'the alias SM2, unasked': named('SM2'),
    'the alias SM2SM3, unasked': named('SM2SM3'),
    'the alias SM3withSM2, unasked': named('SM3withSM2'),
    'the alias GmSM2, unasked': named('GmSM2'),
    'an alias where another is asked for': {
      ...named('GmSM2', 'ERR_JOSE_ALG_NOT_ALLOWED'),
      options: { algorithms: ['SM2', alg] },
    },
    'an alias in lower case, asked for': { ...named('sm2'), options: { algorithms: ['sm2'] } },
    'the standard name where only an alias is asked for': {
      ...named(alg, 'ERR_JOSE_ALG_NOT_ALLOWED'),
      options: { algorithms: ['SM2'] },
    },
    'the name of SM9': named('SGD_SM3_SM9'),
    'the name of SM2 encryption': named('SGD_SM2_3'),
    'the name of ES256': named('ES256', 'TypeError'),
    'the name of EdDSA': named('EdDSA', 'TypeError'),
    'a name of the prototype': named('__proto__'),
    'SM2 where ES256 is asked for': { ...named(alg, 'ERR_JOSE_ALG_NOT_ALLOWED'), options: { algorithms: ['ES256'] } },
  }
}

async function byKey(signed: Sign, own: Pair, attacker: Pair): Promise<Forgeries> {
  const token = signed({ alg })
  const jwk = await exportJWK(own.publicKey)
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y } = p256.publicKey.export({ format: 'jwk' })
  const input = `${encode({ alg })}.${body}`
  const ecdsa = sign('sha256', Buffer.from(input), { key: p256.privateKey, dsaEncoding: 'ieee-p1363' })
  const held = (key: unknown, because: Refusal): Forgery => ({ token, key, because })
  return {
    'another key': { token: signed({ alg }, attacker.privateKey), key: own.publicKey, because: forged },
    'ECDSA on P-256': { token: `${input}.${base64url(ecdsa)}`, key: own.publicKey, because: forged },
    'a P-256 key': held({ kty: 'EC', crv: 'P-256', x, y }, 'TypeError'),
    'a P-256 point on the curve SM2': held({ ...jwk, x, y }, 'ERR_JWK_INVALID'),
    'a point off the curve': held({ ...jwk, y: jwk.x }, 'ERR_JWK_INVALID'),
    'a point at infinity': held(
      { ...jwk, x: base64url(Buffer.alloc(32)), y: base64url(Buffer.alloc(32)) },
      'ERR_JWK_INVALID',
    ),
    'an x of p or more': held({ ...jwk, x: base64url(Buffer.alloc(32, 255)) }, 'ERR_JWK_INVALID'),
    'the curve called SM2, unasked': held({ ...jwk, crv: 'SM2' }, 'TypeError'),
    'a key for encryption': held({ ...jwk, use: 'enc' }, 'TypeError'),
    'a key of another alg': held({ ...jwk, alg: 'SGD_SM2_3' }, 'TypeError'),
    'a key that may only sign': held({ ...jwk, key_ops: ['sign'] }, 'TypeError'),
    'a private key': held(own.privateKey, 'TypeError'),
    'a secret for a key': held(new Uint8Array(32).fill(1), 'TypeError'),
  }
}

function byHeader(signed: Sign, key: Sm2Key, attacker: Pair, jwk: JWK): Forgeries {
  const foreign = (header: object): Forgery => ({
    token: signed({ alg, ...header }, attacker.privateKey),
    key,
    because: forged,
  })
  const own = (header: unknown, because: Refusal = malformed): Forgery => ({ token: signed(header), key, because })
  const certificate = Buffer.from(`30820100${'00'.repeat(256)}`, 'hex').toString('base64')
  return {
    'its own key in jwk': foreign({ jwk }),
    'its own key in jwk, under our kid': foreign({ jwk, kid: 'ours' }),
    'a jku': foreign({ jku: 'https://evil.example/jwks' }),
    'an x5u': foreign({ x5u: 'https://evil.example/certificate' }),
    'an x5c': foreign({ x5c: [certificate] }),
    'a kid that is a path': foreign({ kid: '../../../dev/null' }),
    'alg twice': own(`{"alg":"none","alg":"${alg}"}`),
    'alg twice, once escaped': own(`{"\\u0061lg":"HS256","alg":"${alg}"}`),
    'kid twice': own(`{"kid":"a","alg":"${alg}","kid":"b"}`),
    'a member twice deep inside': own(`{"alg":"${alg}","jwk":{"x":[{"a":1,"a":2}]}}`),
    'an unknown critical extension': own({ alg, crit: ['evil'], evil: true }, unknown),
    'a crit of nothing': own({ alg, crit: [] }),
    'a crit that is no list': own({ alg, crit: 'b64', b64: true }),
    'a crit that is not there': own({ alg, crit: ['b64'] }),
    'b64 that is no boolean': own({ alg, crit: ['b64'], b64: 0 }),
    'an unencoded payload': own({ alg, crit: ['b64'], b64: false }, 'ERR_JWT_INVALID'),
    'another typ than asked for': {
      ...own({ alg, typ: 'logout+jwt' }, 'ERR_JWT_CLAIM_VALIDATION_FAILED'),
      options: { typ: 'at+jwt' },
    },
    'no typ where one is asked for': { ...own({ alg }, 'ERR_JWT_CLAIM_VALIDATION_FAILED'), options: { typ: 'at+jwt' } },
    'a header of 17 KiB': own({ alg, pad: 'x'.repeat(17 * 1_024) }),
    'a header of 256 KiB': own({ alg, pad: 'x'.repeat(256 * 1_024) }),
    'a header of 4 MiB': own({ alg, pad: 'x'.repeat(4 * 1_024 * 1_024) }),
    'a header of a million levels': own(`{"alg":"${alg}","deep":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`),
    'a header of 1,000 members, one twice': own(
      `{"alg":"${alg}",${Array.from({ length: 1_000 }, (_, at) => `"${at}":""`).join()},"0":""}`,
    ),
    'a header that is a list': own('[]'),
    'a header that is no JSON': own('{"alg"'),
    'a header of bytes that are no text': own(Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1')),
  }
}

function bySignature(token: string, key: Sm2Key): Forgeries {
  const at = token.lastIndexOf('.')
  const raw = Buffer.from(token.slice(at + 1), 'base64url')
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)]
  const der = sm2SignatureToDer(raw)
  const content = der.subarray(2)
  const withBytes = (...bytes: readonly Uint8Array[]): Forgery => ({
    token: `${token.slice(0, at + 1)}${base64url(Buffer.concat(bytes))}`,
    key,
    because: forged,
  })
  const asDer = (...bytes: readonly Uint8Array[]): Forgery => ({
    ...withBytes(...bytes),
    options: { sm2Signature: 'der' } as JWTVerifyOptions,
  })
  const complement = toBytes(n - BigInt(`0x${r.toString('hex')}`))
  return {
    'an empty signature': withBytes(),
    'r = 0': withBytes(toBytes(0n), s),
    's = 0': withBytes(r, toBytes(0n)),
    'r = n': withBytes(toBytes(n), s),
    's = n': withBytes(r, toBytes(n)),
    'r = n + 1': withBytes(toBytes(n + 1n), s),
    's = n + 1': withBytes(r, toBytes(n + 1n)),
    'r + s = n': withBytes(r, complement),
    zeros: withBytes(Buffer.alloc(64)),
    ones: withBytes(Buffer.alloc(64, 255)),
    'r and s exchanged': withBytes(s, r),
    'a byte behind': withBytes(raw, Buffer.of(0)),
    'a byte before': withBytes(Buffer.of(0), raw),
    'half a signature': withBytes(r),
    'a signature in hex': withBytes(Buffer.from(raw.toString('hex'))),
    'DER where r‖s is due': withBytes(der),
    'r‖s where DER is due': asDer(raw),
    'DER with a byte behind': asDer(der, Buffer.of(0)),
    'DER with a byte inside the sequence': asDer(Buffer.of(0x30, content.length + 1), content, Buffer.of(0)),
    'BER: a long-form length': asDer(Buffer.of(0x30, 0x81, content.length), content),
    'BER: an indefinite length': asDer(Buffer.of(0x30, 0x80), content, Buffer.of(0, 0)),
    'BER: a padded integer': asDer(
      Buffer.of(0x30, content.length + 2 + 0, 0x02, (content[1] ?? 0) + 2, 0, 0),
      content.subarray(2),
    ),
    'DER: no integers': asDer(Buffer.of(0x30, 0)),
    'DER: r = 0': asDer(Buffer.from('3006020100020101', 'hex')),
    'DER: negative integers': asDer(Buffer.from('3006020181020181', 'hex')),
  }
}

function bySpelling(token: string, key: Sm2Key): Forgeries {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const spelt = (text: string, because: Refusal = malformed): Forgery => ({ token: text, key, because })
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const unused = (text: string): string =>
    text.slice(0, -1) + alphabet[(alphabet.indexOf(text.at(-1) as string) ^ 1) % 64]
  return {
    'another subject': spelt(`${header}.${encode({ ...claims, sub: 'else' })}.${signature}`, forged),
    'padding behind the signature': spelt(`${token}=`),
    'a new line behind the signature': spelt(`${token}\n`),
    'a space before the payload': spelt(`${header}. ${payload}.${signature}`),
    'unused bits in the signature': spelt(`${header}.${payload}.${unused(signature)}`),
    'the signature in base64': spelt(`${header}.${payload}.+/${signature.slice(2)}`),
    'two parts': spelt(`${header}.${payload}`),
    'five parts': spelt(`${token}.${payload}.${signature}`),
    'nothing at all': spelt(''),
  }
}

async function byMac(own: Pair): Promise<Forgeries> {
  const jwk = await exportJWK(own.publicKey)
  const pem = await exportSPKI(own.publicKey)
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  const point = Buffer.concat([jwk.x, jwk.y].map((part) => Buffer.from(part ?? '', 'base64url')))
  const maced = (name: string, secret: string | Uint8Array): string => {
    const input = `${encode({ alg: name })}.${body}`
    return `${input}.${base64url(name === 'HS256' ? createHmac('sha256', secret).update(input).digest() : hmacSm3(secret, input))}`
  }
  const secret = await generateSecret(SGD_SM3_HMAC)
  const forgeries: Forgeries = {}
  for (const [what, bytes] of Object.entries({ PEM: pem, DER: der, JWK: JSON.stringify(jwk), 'bare point': point })) {
    forgeries[`SGD_SM3_HMAC with the public key as ${what}`] = {
      token: maced(SGD_SM3_HMAC, bytes),
      key: own.publicKey,
      because: 'TypeError',
    }
    forgeries[`HS256 with the public key as ${what}`] = { token: maced('HS256', bytes), key: jwk, because: 'TypeError' }
    forgeries[`SM2 that is a MAC with the public key as ${what}`] = {
      token: maced(alg, bytes),
      key: own.publicKey,
      because: forged,
    }
  }
  const [header, , mac = ''] = maced(SGD_SM3_HMAC, secret).split('.')
  const held = (token: string, key: unknown, because: Refusal = forged): Forgery => ({ token, key, because })
  return {
    ...forgeries,
    'SGD_SM3_HMAC with the public key as PEM, held against that PEM': held(
      maced(SGD_SM3_HMAC, pem),
      Buffer.from(pem),
      'TypeError',
    ),
    'SGD_SM3_HMAC with the public key as DER, held against that DER': held(maced(SGD_SM3_HMAC, der), der, 'TypeError'),
    'a MAC of another secret': held(maced(SGD_SM3_HMAC, new Uint8Array(32)), secret),
    'a MAC of a secret of 31 bytes': held(maced(SGD_SM3_HMAC, secret.slice(1)), secret.slice(1), 'TypeError'),
    'a MAC of nothing': held(maced(SGD_SM3_HMAC, ''), '', 'TypeError'),
    'a MAC with another payload': held(`${header}.${encode({ sub: 'else' })}.${mac}`, secret),
    'half a MAC': held(`${header}.${body}.${base64url(Buffer.from(mac, 'base64url').subarray(0, 16))}`, secret),
    'an empty MAC': held(`${header}.${body}.`, secret),
    'a MAC of SHA-256 under the SM name': held(
      maced('HS256', secret).replace(encode({ alg: 'HS256' }), encode({ alg: SGD_SM3_HMAC })),
      secret,
    ),
    'the alias HSM3, unasked': held(maced('HSM3', secret), secret, unknown),
    'SM2 held against a secret': held(maced(alg, secret), secret, 'TypeError'),
  }
}
