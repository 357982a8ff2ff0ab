/** The engine's features: what is on, and whom each serves. */
import type { Client, Configuration } from 'oidc-provider'
import type { Pages } from '#src/http/pages.ts'
import { resourceIndicators } from './apis.ts'
import { applicationOf } from './clients.ts'
import { refuseUngrantedClaims } from './grants.ts'
import { logoutPages } from './logout.ts'
import { profileOf } from './profile.ts'

interface Parts {
  readonly pages: Pages
  /** Seconds an access token is valid. */
  readonly accessToken: number
  readonly now: () => number
}

export const isFapi = (client: Client | undefined): boolean => {
  const application = applicationOf(client)
  return application !== undefined && profileOf(application).fapi
}

/** An application may ask about its own tokens only, and end no other's. */
const ownToken = (_ctx: unknown, client: Client, token: { readonly clientId?: string }) =>
  token.clientId === client.clientId

export function features({ pages, accessToken, now }: Parts): Configuration['features'] {
  return {
    devInteractions: { enabled: false },
    claimsParameter: {
      enabled: true,
      assertClaimsParameter: (_ctx, claims, client) => refuseUngrantedClaims(client, claims, now()),
    },
    resourceIndicators: resourceIndicators(accessToken),
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: { enabled: true },
    jwtResponseModes: { enabled: true },
    encryption: { enabled: true },
    dPoP: { enabled: true },
    fapi: {
      enabled: true,
      profile: (_ctx, client) => (isFapi(client) ? '2.0' : undefined),
    },
    introspection: { enabled: true, allowedPolicy: ownToken },
    jwtIntrospection: { enabled: true },
    revocation: { enabled: true, allowedPolicy: ownToken },
    jwtUserinfo: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: logoutPages(pages),
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },
  }
}
