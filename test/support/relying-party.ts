/** An application of the tests: makes requests, redeems codes, and asks userinfo, each step on its own. */
import { randomBytes } from 'node:crypto'
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from 'jose'
import { challengeOf, secrets } from './app.ts'
import { standardAlg } from './policy.ts'

export interface Request {
  readonly path: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly id_token: string
  readonly scope: string
  readonly expires_in: number
}

export interface RelyingParty {
  readonly id: string
  request(parameters?: Readonly<Record<string, string | undefined>>): Request
  token(parameters: Readonly<Record<string, string>>, authorization?: string): Promise<Response>
  /** Redeems the code of a callback address. */
  redeem(location: string, request: Request): Promise<Response>
  tokens(location: string, request: Request): Promise<Tokens>
  verify(token: string): Promise<JWTPayload>
  userinfo(accessToken: string): Promise<Response>
  claims(accessToken: string): Promise<JWTPayload>
  refresh(refreshToken: string, parameters?: Readonly<Record<string, string>>): Promise<Response>
}

const settings = {
  first: { port: 4001, scope: 'openid profile phone', algorithm: 'SGD_SM3_SM2', keys: '/jwks/sm' },
  second: { port: 4002, scope: 'openid', algorithm: standardAlg, keys: '/jwks' },
} as const

export function relyingParty(issuer: string, id: 'first' | 'second'): RelyingParty {
  const { port, scope, algorithm } = settings[id]
  const redirectUri = `http://localhost:${port}/callback`
  const keys = createRemoteJWKSet(new URL(`${issuer}${settings[id].keys}`))
  const basic = `Basic ${btoa(`${id}:${secrets[id]}`)}`

  const token = (parameters: Readonly<Record<string, string>>, authorization = basic) =>
    fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization },
      body: new URLSearchParams(parameters),
    })

  const party: RelyingParty = {
    id,
    token,
    request(parameters = {}) {
      const [state, nonce, verifier] = [0, 1, 2].map(() => randomBytes(32).toString('base64url')) as [
        string,
        string,
        string,
      ]
      const all = {
        client_id: id,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: challengeOf(verifier),
        code_challenge_method: 'S256',
        ...parameters,
      }
      const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined)
      return { path: `/auth?${new URLSearchParams(given)}`, state, nonce, verifier }
    },
    redeem(location, { verifier }) {
      const code = new URL(location).searchParams.get('code') ?? ''
      return token({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier })
    },
    async tokens(location, request) {
      const answer = await party.redeem(location, request)
      if (!answer.ok) throw new Error(`the token endpoint answered ${answer.status} ${await answer.text()}`)
      return (await answer.json()) as Tokens
    },
    async verify(jwt) {
      return (await jwtVerify(jwt, keys, { issuer, audience: id, algorithms: [algorithm] })).payload
    },
    userinfo: (accessToken) => fetch(`${issuer}/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } }),
    async claims(accessToken) {
      const answer = await party.userinfo(accessToken)
      if (!answer.ok) throw new Error(`userinfo answered ${answer.status}`)
      return party.verify(await answer.text())
    },
    refresh: (refreshToken, parameters = {}) =>
      token({ grant_type: 'refresh_token', refresh_token: refreshToken, ...parameters }),
  }
  return party
}
