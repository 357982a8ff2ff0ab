/**
 * An application with openid-client as its maker ships it. Reads one JSON command a line and answers each with one line:
 * its settings, then `start` (gives the address to send the browser to), `finish` with the callback address, and
 * `refresh`. It shares no code with the server under test.
 */
import { createInterface } from 'node:readline'
import { importJWK } from 'jose'
import * as oidc from 'openid-client'

const authentications = {
  basic: async ({ secret }) => oidc.ClientSecretBasic(secret),
  post: async ({ secret }) => oidc.ClientSecretPost(secret),
  key: async ({ privateJwk }) => oidc.PrivateKeyJwt({ key: await importJWK(privateJwk), kid: privateJwk.kid }),
  none: async () => oidc.None(),
}

async function createClient(settings) {
  const { issuer, clientId, authentication, algorithm, redirectUri, scope } = settings
  const metadata = { id_token_signed_response_alg: algorithm, userinfo_signed_response_alg: algorithm }
  const config = await oidc.discovery(
    new URL(issuer),
    clientId,
    metadata,
    await authentications[authentication](settings),
    { execute: [oidc.allowInsecureRequests] },
  )
  // Verify each signature, also of tokens that came over the direct connection.
  oidc.enableNonRepudiationChecks(config)
  const more = settings.dpop ? { DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256')) } : {}
  let kept
  let tokens

  return {
    async start() {
      kept = { state: oidc.randomState() }
      const parameters = { redirect_uri: redirectUri, scope, state: kept.state }
      if (settings.nonce) parameters.nonce = kept.nonce = oidc.randomNonce()
      if (settings.pkce) {
        kept.verifier = oidc.randomPKCECodeVerifier()
        parameters.code_challenge = await oidc.calculatePKCECodeChallenge(kept.verifier)
        parameters.code_challenge_method = 'S256'
      }
      const url = settings.par
        ? await oidc.buildAuthorizationUrlWithPAR(config, parameters, more)
        : oidc.buildAuthorizationUrl(config, parameters)
      return { url: url.href }
    },
    async finish({ callback }) {
      const checks = { expectedState: kept.state, expectedNonce: kept.nonce, pkceCodeVerifier: kept.verifier }
      tokens = await oidc.authorizationCodeGrant(
        config,
        new URL(callback),
        { ...checks, idTokenExpected: true },
        undefined,
        more,
      )
      const claims = tokens.claims()
      const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub, more)
      const header = JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url').toString())
      return { algorithm: header.alg, type: tokens.token_type, claims, userinfo }
    },
    async refresh() {
      const before = tokens
      tokens = await oidc.refreshTokenGrant(config, before.refresh_token, undefined, more)
      const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, before.claims().sub, more)
      return { changed: tokens.access_token !== before.access_token, sub: userinfo.sub }
    },
  }
}

let client
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line)
  try {
    if (command === 'settings') client = await createClient(rest)
    const answer = command === 'settings' ? {} : await client[command](rest)
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  } catch (error) {
    const { message, code, cause, error: answered, error_description: description } = error
    process.stdout.write(
      `${JSON.stringify({ failed: [code, message, cause?.message, answered, description].filter(Boolean).join(' ') })}\n`,
    )
  }
}
