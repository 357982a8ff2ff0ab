/**
 * A client of the profile `standard` that verifies SM2: the authorization code flow with PKCE over `fetch` and our
 * `jose`, which is all an application in Node needs. The README points application teams here.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { DemoClient, SignedInCitizen, Started } from './client.ts'
import { createIssuer, type ClientSettings } from './issuer.ts'

export interface StandardSettings extends ClientSettings {
  readonly secret: string
  readonly algorithm: string
}

const random = () => randomBytes(32).toString('base64url')

export function createStandardClient(settings: StandardSettings): DemoClient {
  const { clientId, secret, redirectUri, scope, algorithm } = settings
  const issuer = createIssuer(settings, algorithm)

  const redeem = async (code: string, verifier: string): Promise<{ id_token: string; access_token: string }> => {
    const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier }
    const answer = await fetch((await issuer.metadata()).token_endpoint, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams(form),
    })
    if (!answer.ok) throw new Error(`the token endpoint answered ${answer.status}`)
    return (await answer.json()) as { id_token: string; access_token: string }
  }

  return {
    endedSession: issuer.endedSession,
    logoutUrl: issuer.logoutUrl,

    async start(): Promise<Started> {
      const [state, nonce, verifier] = [random(), random(), random()]
      const url = new URL((await issuer.metadata()).authorization_endpoint)
      url.search = new URLSearchParams({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }).toString()
      return { url: url.href, state, nonce, verifier }
    },

    async finish(callback, started): Promise<SignedInCitizen> {
      const tokens = await redeem(issuer.codeIn(callback, started), started.verifier)
      const userinfo = await fetch((await issuer.metadata()).userinfo_endpoint, {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      })
      return { algorithm, ...(await issuer.citizen(tokens.id_token, await userinfo.text(), started)) }
    },
  }
}
