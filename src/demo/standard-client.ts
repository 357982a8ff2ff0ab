/**
 * A client of the profile `standard` that verifies SM2: the authorization code flow with PKCE over `fetch` and our
 * `jose`, which is all an application in Node needs. The README points application teams here.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose'
import type { DemoClient, SignedInCitizen, Started } from './client.ts'

export interface StandardSettings {
  readonly issuer: string
  readonly clientId: string
  readonly secret: string
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string
  readonly scope: string
  readonly algorithm: string
}

interface Discovery {
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly userinfo_endpoint: string
  readonly end_session_endpoint: string
  readonly jwks_uri: string
  readonly sm_jwks_uri: string
}

const random = () => randomBytes(32).toString('base64url')

export function createStandardClient(settings: StandardSettings): DemoClient {
  const { issuer, clientId, redirectUri, algorithm } = settings
  let known: Promise<Discovery> | undefined

  const discovery = (): Promise<Discovery> => {
    known ??= fetch(`${issuer}/.well-known/openid-configuration`).then((answer) => answer.json() as Promise<Discovery>)
    known.catch(() => (known = undefined))
    return known
  }

  let keys: ReturnType<typeof createRemoteJWKSet> | undefined
  const verified = async (token: string, typ?: string): Promise<JWTPayload> => {
    const { jwks_uri, sm_jwks_uri } = await discovery()
    keys ??= createRemoteJWKSet(new URL(algorithm === 'SGD_SM3_SM2' ? sm_jwks_uri : jwks_uri))
    const options = { issuer, audience: clientId, algorithms: [algorithm], ...(typ === undefined ? {} : { typ }) }
    return (await jwtVerify(token, keys, options)).payload
  }

  const redeem = async (code: string, verifier: string): Promise<{ id_token: string; access_token: string }> => {
    const answer = await fetch((await discovery()).token_endpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${settings.secret}`)}` },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
      }),
    })
    if (!answer.ok) throw new Error(`the token endpoint answered ${answer.status}`)
    return (await answer.json()) as { id_token: string; access_token: string }
  }

  return {
    async start(): Promise<Started> {
      const [state, nonce, verifier] = [random(), random(), random()]
      const url = new URL((await discovery()).authorization_endpoint)
      url.search = new URLSearchParams({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: settings.scope,
        state,
        nonce,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }).toString()
      return { url: url.href, state, nonce, verifier }
    },

    async finish(callback, started): Promise<SignedInCitizen> {
      const answer = callback.searchParams
      if (answer.get('state') !== started.state) throw new Error('the answer belongs to another request')
      if (answer.get('iss') !== issuer) throw new Error('the answer comes from another issuer')
      const code = answer.get('code')
      if (!code) throw new Error(answer.get('error') ?? 'no code')
      const tokens = await redeem(code, started.verifier)
      const claims = await verified(tokens.id_token)
      if (claims['nonce'] !== started.nonce) throw new Error('the ID token belongs to another request')
      const userinfo = await fetch((await discovery()).userinfo_endpoint, {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      })
      const about = await verified(await userinfo.text())
      if (about.sub !== claims.sub) throw new Error('userinfo speaks of somebody else')
      const header = decodeProtectedHeader(tokens.id_token)
      return { idToken: tokens.id_token, algorithm: String(header.alg), claims, userinfo: about }
    },

    async endedSession(logoutToken) {
      const { sid, events } = await verified(logoutToken, 'logout+jwt')
      const ended = events as Readonly<Record<string, unknown>> | undefined
      if (!ended?.['http://schemas.openid.net/event/backchannel-logout']) throw new Error('not a logout token')
      return String(sid)
    },

    async logoutUrl(idToken) {
      const url = new URL((await discovery()).end_session_endpoint)
      url.searchParams.set('id_token_hint', idToken)
      url.searchParams.set('post_logout_redirect_uri', settings.postLogoutRedirectUri)
      return url.href
    },
  }
}
