/**
 * APIs that an application calls for a citizen (RFC 8707): its access token for one is a JWT (RFC 9068) signed by the
 * algorithm the API takes, for that audience alone. It holds the subject, the level and the scopes, and no claim of the
 * citizen (DESIGN D7).
 */
import {
  errors,
  type AsymmetricSigningAlgorithm,
  type Configuration,
  type Grant,
  type KoaContextWithOIDC,
} from 'oidc-provider'
import type { Application } from './application.ts'
import { applicationOf } from './clients.ts'
import { acrFor } from './policy.ts'

const apiOf = (application: Application | undefined, resource: string) =>
  application?.apis.find((api) => api.resource === resource)

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>

export function resourceIndicators(accessTokenTTL: number): ResourceIndicators {
  return {
    enabled: true,
    getResourceServerInfo(_ctx, resource, client) {
      const api = apiOf(applicationOf(client), resource)
      if (!api) throw new errors.InvalidTarget('the application may not call this API')
      const scope = api.scopes.join(' ')
      // The engine's types do not know the name of GM/T 0125.
      return {
        scope,
        audience: resource,
        accessTokenTTL,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: api.algorithm as AsymmetricSigningAlgorithm } },
      }
    },
  }
}

/** The operator approved them in the application's file; a token holds those that its request asked for. */
export function grantApis(grant: Grant, application: Application): void {
  for (const { resource, scopes } of application.apis) grant.addResourceScope(resource, scopes.join(' '))
}

/** Does a grant hold every API of now, also one that the operator approved after the grant was made? */
export function holdsApis(grant: Grant, application: Application): boolean {
  return application.apis.every(({ resource, scopes }) => {
    const held = new Set(grant.getResourceScope(resource).split(' '))
    return scopes.every((scope) => held.has(scope))
  })
}

type JwtCustomizer = NonNullable<NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']>

/** RFC 9068 §2.2.1: how and how well the citizen was authenticated, of the session the token came from. */
export const addAuthentication: JwtCustomizer = async (ctx, token, jwt) => {
  const uid = 'sessionUid' in token ? token.sessionUid : undefined
  const session = uid === undefined ? undefined : await (ctx as KoaContextWithOIDC).oidc.provider.Session.findByUid(uid)
  if (!session) return
  const application = applicationOf(token.client)
  Object.assign(jwt.payload, {
    acr: acrFor(application, session.acr),
    amr: session.amr,
    auth_time: session.loginTs,
  })
}
