/**
 * A client of the profile `high` (FAPI 2.0: PAR, private_key_jwt, DPoP) made with the stock library openid-client: what
 * an application team writes that knows nothing of us.
 */
import { createRemoteJWKSet, decodeProtectedHeader, importJWK, jwtVerify, type CryptoKey, type JWK } from 'jose'
import * as oidc from 'openid-client'
import type { DemoClient, SignedInCitizen, Started } from './client.ts'
import type { ClientSettings } from './issuer.ts'

export interface HighSettings extends ClientSettings {
  readonly privateJwk: JWK & { readonly kid: string }
  readonly algorithm: string
}

export function createHighClient(settings: HighSettings): DemoClient {
  const { issuer, clientId, algorithm, redirectUri, scope } = settings
  let known: Promise<{ config: oidc.Configuration; dpop: oidc.DPoPHandle }> | undefined

  const client = () => {
    known ??= (async () => {
      const key = (await importJWK(settings.privateJwk, 'ES256')) as CryptoKey
      const config = await oidc.discovery(
        new URL(issuer),
        clientId,
        {
          id_token_signed_response_alg: algorithm,
          userinfo_signed_response_alg: algorithm,
          use_mtls_endpoint_aliases: false,
        },
        oidc.PrivateKeyJwt({ key, kid: settings.privateJwk.kid }),
        // Plain http is for a demo city on localhost only.
        issuer.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {},
      )
      oidc.enableNonRepudiationChecks(config)
      return { config, dpop: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256')) }
    })()
    known.catch(() => (known = undefined))
    return known
  }

  return {
    async start(): Promise<Started> {
      const { config, dpop } = await client()
      const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()]
      const parameters = {
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }
      const url = await oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP: dpop })
      return { url: url.href, state, nonce, verifier }
    },

    async finish(callback, started): Promise<SignedInCitizen> {
      const { config, dpop } = await client()
      const checks = {
        expectedState: started.state,
        expectedNonce: started.nonce,
        pkceCodeVerifier: started.verifier,
        idTokenExpected: true,
      }
      const tokens = await oidc.authorizationCodeGrant(config, callback, checks, undefined, { DPoP: dpop })
      const claims = tokens.claims()
      if (!claims || tokens.id_token === undefined) throw new Error('no ID token')
      const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP: dpop })
      const { alg } = decodeProtectedHeader(tokens.id_token)
      return { idToken: tokens.id_token, algorithm: String(alg), claims: { ...claims }, userinfo: { ...userinfo } }
    },

    async endedSession(logoutToken) {
      const { config } = await client()
      const keys = createRemoteJWKSet(new URL(String(config.serverMetadata().jwks_uri)))
      const options = { issuer, audience: clientId, algorithms: [algorithm], typ: 'logout+jwt' }
      return String((await jwtVerify(logoutToken, keys, options)).payload['sid'])
    },

    async logoutUrl(idToken) {
      const { config } = await client()
      const { postLogoutRedirectUri } = settings
      return oidc.buildEndSessionUrl(config, {
        id_token_hint: idToken,
        post_logout_redirect_uri: postLogoutRedirectUri,
      }).href
    },
  }
}
