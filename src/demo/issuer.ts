/**
 * What a client written by hand knows of the issuer: its metadata and keys, and how an answer, a token and a logout token
 * of it are checked. Both such clients of the demo city stand on it; copy it with them.
 */
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from 'jose'
import type { DemoClient, SignedInCitizen, Started } from './client.ts'

export interface ClientSettings {
  readonly issuer: string
  readonly clientId: string
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string
  readonly scope: string
}

export interface Metadata {
  readonly authorization_endpoint: string
  readonly pushed_authorization_request_endpoint: string
  readonly token_endpoint: string
  readonly userinfo_endpoint: string
  readonly end_session_endpoint: string
  readonly jwks_uri: string
  readonly sm_jwks_uri: string
}

export interface Issuer extends Pick<DemoClient, 'endedSession' | 'logoutUrl'> {
  metadata(): Promise<Metadata>
  /** The claims of a token of the issuer for this client. @throws Error where it is anything else */
  verified(token: string, typ?: string): Promise<JWTPayload>
  /** The code of an answer to this request. @throws Error where it is no such answer */
  codeIn(callback: URL, started: Started): string
  /** What an ID token and the userinfo answer say. @throws Error where they are not of this request and of one citizen */
  citizen(idToken: string, userinfo: string, started: Started): Promise<Omit<SignedInCitizen, 'algorithm'>>
}

export function createIssuer({ issuer, clientId, postLogoutRedirectUri }: ClientSettings, algorithm: string): Issuer {
  let known: Promise<Metadata> | undefined
  let keys: ReturnType<typeof createRemoteJWKSet> | undefined

  const metadata = (): Promise<Metadata> => {
    known ??= fetch(`${issuer}/.well-known/openid-configuration`).then((answer) => answer.json() as Promise<Metadata>)
    known.catch(() => (known = undefined))
    return known
  }

  const verified = async (token: string, typ?: string): Promise<JWTPayload> => {
    const { jwks_uri, sm_jwks_uri } = await metadata()
    keys ??= createRemoteJWKSet(new URL(algorithm === 'SGD_SM3_SM2' ? sm_jwks_uri : jwks_uri))
    const options = { issuer, audience: clientId, algorithms: [algorithm], ...(typ === undefined ? {} : { typ }) }
    return (await jwtVerify(token, keys, options)).payload
  }

  return {
    metadata,
    verified,

    codeIn({ searchParams: answer }, started) {
      if (answer.get('state') !== started.state) throw new Error('the answer belongs to another request')
      if (answer.get('iss') !== issuer) throw new Error('the answer comes from another issuer')
      const code = answer.get('code')
      if (!code) throw new Error(answer.get('error') ?? 'no code')
      return code
    },

    async citizen(idToken, answer, { nonce }) {
      const claims = await verified(idToken)
      if (claims['nonce'] !== nonce) throw new Error('the ID token belongs to another request')
      const userinfo = await verified(answer)
      if (userinfo.sub !== claims.sub) throw new Error('userinfo speaks of somebody else')
      return { idToken, claims, userinfo }
    },

    async endedSession(logoutToken) {
      const { sid, events } = await verified(logoutToken, 'logout+jwt')
      const ended = events as Readonly<Record<string, unknown>> | undefined
      if (!ended?.['http://schemas.openid.net/event/backchannel-logout']) throw new Error('not a logout token')
      return String(sid)
    },

    async logoutUrl(idToken) {
      const url = new URL((await metadata()).end_session_endpoint)
      url.searchParams.set('id_token_hint', idToken)
      url.searchParams.set('post_logout_redirect_uri', postLogoutRedirectUri)
      return url.href
    },
  }
}
