/**
 * Yihao's own pages as an application of itself, so that signing in to them is the sign-in everybody knows. Its code is
 * never redeemed: what the pages need is the session.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Config } from '#src/config.ts'
import { acrOf, type Level } from '#src/identity/assurance.ts'
import type { Application } from '#src/oidc/application.ts'

export const selfId = 'yihao'
/** Where a sign-in ends that was asked for before adding a passkey. */
export const passkeysCallback = '/me/passkeys/callback'

export function selfApplication({ issuer, city }: Pick<Config, 'issuer' | 'city'>): Application {
  return {
    id: selfId,
    name: { zh: '我的账号', en: 'My account' },
    owner: city.office,
    profile: 'standard',
    channel: 'web',
    sector: 'self.invalid',
    level: 1,
    algorithm: 'SGD_SM3_SM2',
    userinfo: 'signed',
    signedRequests: false,
    signedResponses: false,
    apis: [],
    redirectUris: [`${issuer}/me/callback`, `${issuer}${passkeysCallback}`],
    postLogoutRedirectUris: [`${issuer}/`],
    // The SM3 of a secret that nobody was told.
    credential: { secretSm3: randomBytes(32).toString('hex') },
    grants: [],
    suspended: false,
    demo: false,
  }
}

/**
 * The request that ends at our pages, by a sign-in of that level.
 * @param anew also whoever is signed in has to sign in again
 */
export function selfRequest(issuer: string, level: Level = 1, callback = '/me/callback', anew = false): string {
  const parameters = {
    client_id: selfId,
    response_type: 'code',
    scope: 'openid',
    redirect_uri: `${issuer}${callback}`,
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    acr_values: acrOf(level),
    ...(anew ? { prompt: 'login' } : {}),
  }
  return `/auth?${new URLSearchParams(parameters)}`
}
