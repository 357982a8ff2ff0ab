/**
 * A client of the profile `high` by SM2 alone, over `fetch` and our `jose`: it authenticates by private_key_jwt
 * (RFC 7523), pushes its request (RFC 9126), signs it (RFC 9101) and proves its key (RFC 9449). For application teams to
 * copy where no stock library knows SM2.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import {
  createRemoteJWKSet,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
  type JWK,
  type JWTPayload,
} from 'jose'
import type { DemoClient, SignedInCitizen, Started } from './client.ts'

const alg = 'SGD_SM3_SM2'

export interface SmHighSettings {
  readonly issuer: string
  readonly clientId: string
  readonly privateJwk: JWK & { readonly kid: string }
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string
  readonly scope: string
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')
const random = (): string => randomBytes(32).toString('base64url')

interface Metadata {
  readonly authorization_endpoint: string
  readonly pushed_authorization_request_endpoint: string
  readonly token_endpoint: string
  readonly userinfo_endpoint: string
  readonly end_session_endpoint: string
  readonly sm_jwks_uri: string
}

export function createSmHighClient(settings: SmHighSettings): DemoClient {
  const { issuer, clientId, privateJwk, redirectUri } = settings
  const prover = generateKeyPair(alg)
  let known: Promise<Metadata> | undefined
  let keys: ReturnType<typeof createRemoteJWKSet> | undefined

  const metadata = (): Promise<Metadata> => {
    known ??= fetch(`${issuer}/.well-known/openid-configuration`).then((answer) => answer.json() as Promise<Metadata>)
    known.catch(() => (known = undefined))
    return known
  }

  /** A JWT of this application to the issuer, good for a minute and once. */
  const signed = async (claims: JWTPayload): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg, kid: privateJwk.kid })
      .setIssuer(clientId)
      .setAudience(issuer)
      .setJti(randomUUID())
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime('60s')
      .sign(await importJWK(privateJwk, alg))

  const proof = async (method: string, address: string, accessToken?: string): Promise<string> => {
    const { privateKey, publicKey } = await prover
    const ath = accessToken === undefined ? {} : { ath: sha256(accessToken) }
    return new SignJWT({ htm: method, htu: address, ...ath })
      .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk: await exportJWK(publicKey) })
      .setJti(randomUUID())
      .setIssuedAt()
      .sign(privateKey)
  }

  const post = async (address: string, form: Readonly<Record<string, string>>): Promise<Record<string, string>> => {
    const assertion = await signed({ sub: clientId })
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const answer = await fetch(address, {
      method: 'POST',
      headers: { dpop: await proof('POST', address) },
      body: new URLSearchParams({
        client_id: clientId,
        client_assertion_type: type,
        client_assertion: assertion,
        ...form,
      }),
    })
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}`)
    return (await answer.json()) as Record<string, string>
  }

  const verified = async (token: string, typ?: string): Promise<JWTPayload> => {
    keys ??= createRemoteJWKSet(new URL((await metadata()).sm_jwks_uri))
    const options = { issuer, audience: clientId, algorithms: [alg], ...(typ === undefined ? {} : { typ }) }
    return (await jwtVerify(token, keys, options)).payload
  }

  return {
    async start(): Promise<Started> {
      const [state, nonce, verifier] = [random(), random(), random()]
      const request = await signed({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: settings.scope,
        state,
        nonce,
        code_challenge: sha256(verifier),
        code_challenge_method: 'S256',
      })
      const { authorization_endpoint: authorization, pushed_authorization_request_endpoint: par } = await metadata()
      const { request_uri: requestUri = '' } = await post(par, { request })
      const url = `${authorization}?${new URLSearchParams({ client_id: clientId, request_uri: requestUri })}`
      return { url, state, nonce, verifier }
    },

    async finish(callback, started): Promise<SignedInCitizen> {
      const answer = callback.searchParams
      if (answer.get('state') !== started.state) throw new Error('the answer belongs to another request')
      if (answer.get('iss') !== issuer) throw new Error('the answer comes from another issuer')
      const code = answer.get('code')
      if (!code) throw new Error(answer.get('error') ?? 'no code')
      const { token_endpoint: token, userinfo_endpoint: userinfo } = await metadata()
      const form = {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: started.verifier,
      }
      const { id_token: idToken = '', access_token: accessToken = '' } = await post(token, form)
      const claims = await verified(idToken)
      if (claims['nonce'] !== started.nonce) throw new Error('the ID token belongs to another request')
      const told = await fetch(userinfo, {
        headers: { authorization: `DPoP ${accessToken}`, dpop: await proof('GET', userinfo, accessToken) },
      })
      const about = await verified(await told.text())
      if (about.sub !== claims.sub) throw new Error('userinfo speaks of somebody else')
      return { idToken, algorithm: String(decodeProtectedHeader(idToken).alg), claims, userinfo: about }
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
      url.searchParams.set('post_logout_redirect_uri', settings.postLogoutRedirectUri)
      return url.href
    },
  }
}
