/**
 * An application of the profile `high` with keys of its own, which shares no code with the server: its signatures are
 * made and checked by sm-crypto (SM2) or OpenSSL (ES256). It authenticates by private_key_jwt, signs its requests
 * (RFC 9101), pushes them (RFC 9126) and proves its key (RFC 9449).
 */
import { strict as assert } from 'node:assert'
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import smCrypto from 'sm-crypto'
import { sm2, sm4 } from 'sm-crypto-v2'
import type { ApplicationInput } from '#src/oidc/application.ts'
import { challengeOf } from './app.ts'

type Json = Readonly<Record<string, unknown>>

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part = ''): Json => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Json
const hex = (part = ''): string => Buffer.from(part, 'base64url').toString('hex')
const base64url = (text: string): string => Buffer.from(text, 'hex').toString('base64url')

export interface PartyKey {
  readonly alg: 'SGD_SM3_SM2' | 'ES256'
  readonly jwk: {
    readonly kty: 'EC'
    readonly crv: string
    readonly x: string
    readonly y: string
    readonly kid: string
  }
  /** The private member `d`, base64url. */
  readonly d: string
  /** 64 bytes r‖s. */
  sign(input: string): Buffer
}

/** A fresh key, or the one of `d`. */
export function smKey(kid: string, d?: string): PartyKey {
  const { privateKey, publicKey } =
    d === undefined
      ? smCrypto.sm2.generateKeyPairHex(randomBytes(40).toString('hex'), 16)
      : { privateKey: hex(d), publicKey: smCrypto.sm2.getPublicKeyFromPrivateKey(hex(d)) }
  const [x, y] = [publicKey.slice(2, 66), publicKey.slice(66)].map(base64url) as [string, string]
  const privateHex = privateKey.padStart(64, '0')
  return {
    alg: 'SGD_SM3_SM2',
    jwk: { kty: 'EC', crv: 'sm2p256v1', x, y, kid },
    d: base64url(privateHex),
    sign(input) {
      const bytes = new Uint8Array(Buffer.from(input))
      return Buffer.from(smCrypto.sm2.doSignature(bytes, privateHex, { hash: true }), 'hex')
    },
  }
}

export function es256Key(kid: string): PartyKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '', d = '' } = privateKey.export({ format: 'jwk' })
  return {
    alg: 'ES256',
    jwk: { kty: 'EC', crv: 'P-256', x, y, kid },
    d,
    sign: (input) => sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}

/** The same key in the hands of a library that calls the algorithm otherwise and spells signatures in DER. */
export const speaking = (key: PartyKey, alg: string, crv: string): PartyKey => ({
  ...key,
  alg: alg as PartyKey['alg'],
  jwk: { ...key.jwk, crv },
  sign: (input) => derOf(key.sign(input)),
})

/** SEQUENCE of two INTEGERs (GM/T 0009-2012 §7.3), written by hand. */
export function derOf(raw: Buffer): Buffer {
  const integer = (part: Buffer): Buffer => {
    const digits = part.subarray(part.findIndex((byte) => byte !== 0))
    const body = (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits
    return Buffer.concat([Buffer.of(0x02, body.length), body])
  }
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.of(0x30, body.length), body])
}

/** The 64 bytes r‖s of such a signature. */
export function rawOf(der: Buffer): Buffer {
  const length = der[3] ?? 0
  const number = (at: number, size: number): Buffer => {
    const digits = der.subarray(at, at + size)
    return Buffer.concat([Buffer.alloc(32), digits]).subarray(-32)
  }
  assert.deepEqual([der[0], der[1], der[2], der[4 + length]], [0x30, der.length - 2, 0x02, 0x02])
  return Buffer.concat([number(4, length), number(6 + length, der[5 + length] ?? 0)])
}

/** A compact JWS; the header may be changed. */
export function jws(key: PartyKey, payload: Json, header: Json = {}): string {
  const input = `${encode({ alg: key.alg, kid: key.jwk.kid, ...header })}.${encode(payload)}`
  return `${input}.${key.sign(input).toString('base64url')}`
}

/** Verifies by sm-crypto against the keys of a set, and gives header and payload. */
export function openSmJws(
  token: string,
  keys: readonly Json[],
  spoken?: { readonly alg: string },
): { readonly header: Json; readonly payload: Json } {
  const [head = '', body = '', spelt = ''] = token.split('.')
  const header = decode(head)
  assert.equal(header['alg'], spoken?.alg ?? 'SGD_SM3_SM2')
  const bytesOf = Buffer.from(spelt, 'base64url')
  const signature = (spoken ? rawOf(bytesOf) : bytesOf).toString('base64url')
  const jwk = keys.find(({ kid }) => kid === header['kid'])
  assert.ok(jwk, 'the key is not published')
  const point = `04${hex(jwk['x'] as string)}${hex(jwk['y'] as string)}`
  const bytes = new Uint8Array(Buffer.from(`${head}.${body}`))
  assert.ok(smCrypto.sm2.doVerifySignature(bytes, hex(signature), point, { hash: true }), 'the signature is wrong')
  return { header, payload: decode(body) }
}

export const keyedApplication = (changes: Partial<ApplicationInput> = {}): ApplicationInput => ({
  id: 'sm',
  name: { zh: '国密应用', en: 'SM application' },
  owner: { zh: '丁局', en: 'Bureau D' },
  profile: 'high',
  sector: 'sm.example.gov.cn',
  level: 2,
  algorithm: 'SGD_SM3_SM2',
  redirectUris: ['http://localhost:4005/callback'],
  postLogoutRedirectUris: ['http://localhost:4005/signed-out'],
  credential: { none: true },
  grants: [],
  demo: true,
  ...changes,
})

export interface PartyTokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly id_token: string
}

export interface KeyedParty {
  readonly proofJwk: ReturnType<typeof publicJwk>
  /** The server's published SM2 keys. */
  keys(): Promise<readonly Json[]>
  /** Pushes a signed request and gives the path that the citizen's browser opens, and the PKCE verifier. */
  push(parameters?: Json, changes?: PushChanges): Promise<Pushed>
  token(parameters: Readonly<Record<string, string>>): Promise<Response>
  tokens(code: string, pushed: Pushed): Promise<PartyTokens>
  userinfo(accessToken: string): Promise<Response>
  introspect(token: string, accept: string): Promise<Response>
  assertion(claims?: Json, header?: Json): string
  /** A DPoP proof, or what is wrong with one. */
  proof(
    method: string,
    path: string,
    changes?: {
      readonly accessToken?: string
      readonly claims?: Json
      readonly header?: Json
      readonly key?: PartyKey
    },
  ): string
  /** A POST with the application's assertion. */
  post(path: string, form: Readonly<Record<string, string>>, headers?: Record<string, string>): Promise<Response>
}

/** The JWK of a proof's header: without a kid. */
export const publicJwk = ({ jwk: { kid: _, ...jwk } }: PartyKey) => jwk

export interface Pushed {
  readonly path: string
  readonly verifier: string
  readonly answer: Response
}

export interface PushChanges {
  /** In place of the signed request. */
  readonly request?: (claims: Json) => string
  readonly unsigned?: boolean
}

const redirectUri = 'http://localhost:4005/callback'

export function keyedParty(
  issuer: string,
  key: () => PartyKey,
  proofKey: PartyKey = smKey('proof'),
  id = 'sm',
): KeyedParty {
  const seconds = () => Math.floor(Date.now() / 1000)
  const assertion = (claims: Json = {}, header: Json = {}) =>
    jws(
      key(),
      { iss: id, sub: id, aud: issuer, jti: randomUUID(), iat: seconds(), exp: seconds() + 60, ...claims },
      header,
    )
  const proof: KeyedParty['proof'] = (method, path, { accessToken, claims, header, key: signer = proofKey } = {}) => {
    const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url')
    const said = { jti: randomUUID(), htm: method, htu: `${issuer}${path}`, iat: seconds(), ath, ...claims }
    return jws(signer, said, { typ: 'dpop+jwt', jwk: publicJwk(proofKey), kid: undefined, ...header })
  }

  const post: KeyedParty['post'] = (path, form, headers = {}) =>
    fetch(`${issuer}${path}`, {
      method: 'POST',
      headers,
      body: new URLSearchParams({
        client_id: id,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion(),
        ...form,
      }),
    })

  const party: KeyedParty = {
    post,
    assertion,
    proof,
    proofJwk: publicJwk(proofKey),
    async keys() {
      return ((await (await fetch(`${issuer}/jwks/sm`)).json()) as { keys: Json[] }).keys
    },
    async push(parameters = {}, { request = (claims: Json) => jws(key(), claims), unsigned = false } = {}) {
      const verifier = randomBytes(32).toString('base64url')
      const asked = {
        client_id: id,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'openid',
        state: randomUUID(),
        nonce: randomUUID(),
        code_challenge: challengeOf(verifier),
        code_challenge_method: 'S256',
        ...parameters,
      }
      const times = { iss: id, aud: issuer, jti: randomUUID(), iat: seconds(), nbf: seconds(), exp: seconds() + 60 }
      const form = unsigned ? (asked as Record<string, string>) : { request: request({ ...asked, ...times }) }
      const answer = await post('/par', form, { dpop: proof('POST', '/par') })
      const { request_uri: uri = '' } = (await answer.clone().json()) as { request_uri?: string }
      return { path: `/auth?${new URLSearchParams({ client_id: id, request_uri: uri })}`, verifier, answer }
    },
    token: (parameters) => post('/token', parameters, { dpop: proof('POST', '/token') }),
    async tokens(code, { verifier }) {
      const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier }
      const answer = await party.token(form)
      if (!answer.ok) throw new Error(`the token endpoint answered ${answer.status} ${await answer.text()}`)
      return (await answer.json()) as PartyTokens
    },
    userinfo: (accessToken) =>
      fetch(`${issuer}/userinfo`, {
        headers: { authorization: `DPoP ${accessToken}`, dpop: proof('GET', '/userinfo', { accessToken }) },
      }),
    introspect: (token, accept) => post('/introspect', { token }, { accept }),
  }
  return party
}

/** Opens a JWE of `SGD_SM2_3` and `SGD_SM4_GCM` with sm-crypto-v2, and gives its header and content. */
export function openSmJwe(token: string, key: PartyKey): { readonly header: Json; readonly content: string } {
  const [head = '', encryptedKey, iv, text, tag] = token.split('.')
  const header = decode(head)
  assert.deepEqual([header['alg'], header['enc'], header['kid']], ['SGD_SM2_3', 'SGD_SM4_GCM', key.jwk.kid])
  const cek = sm2.doDecrypt(hex(encryptedKey), hex(key.d), 1, { asn1: true, output: 'array' })
  const content = sm4.decrypt(hex(text), Buffer.from(cek).toString('hex'), {
    mode: 'gcm',
    iv: hex(iv),
    associatedData: Buffer.from(head).toString('hex'),
    tag: hex(tag),
    output: 'string',
  } as never) as unknown as string
  return { header, content }
}

/** Encrypts to an SM2 key (`SGD_SM2_3`, `SGD_SM4_GCM`) with sm-crypto-v2; the header may be changed. */
export function smJwe(content: string, to: Json, header: Json = {}): string {
  const head = encode({ alg: 'SGD_SM2_3', enc: 'SGD_SM4_GCM', kid: to['kid'], cty: 'JWT', ...header })
  const [cek, iv] = [randomBytes(16), randomBytes(12)]
  const point = `04${hex(to['x'] as string)}${hex(to['y'] as string)}`
  const encryptedKey = sm2.doEncrypt(new Uint8Array(cek), point, 1, { asn1: true })
  const { output, tag = '' } = sm4.encrypt(new Uint8Array(Buffer.from(content)), cek.toString('hex'), {
    mode: 'gcm',
    iv: iv.toString('hex'),
    associatedData: Buffer.from(head).toString('hex'),
    outputTag: true,
  } as never) as unknown as { output: string; tag?: string }
  return [head, base64url(encryptedKey), iv.toString('base64url'), base64url(output), base64url(tag)].join('.')
}
