/**
 * Applications as the engine's clients. Answers engine traps 9 and 12: the sector is the application's own field and
 * never a host, and clients come from the store. `applicationOf` gives back the application a client instance is.
 */
import { randomBytes } from 'node:crypto'
import type { AdapterPayload, Client } from 'oidc-provider'
import { claimScopes, grantsInForce, type Application } from './application.ts'
import { responseModes } from './discovery.ts'
import { encryptionMetadata } from './encryption.ts'
import { profileOf } from './profile.ts'

/**
 * Stands where the engine wants a client secret; the real comparison is against the SM3 in the application (see
 * `sm.ts`). Random, so that it opens nothing if that comparison were ever bypassed.
 */
const unusableSecret = randomBytes(32).toString('base64url')

function authentication(application: Application): object {
  const { credential } = application
  if ('jwks' in credential) return { token_endpoint_auth_method: 'private_key_jwt', jwks: credential.jwks }
  if ('jwksUri' in credential) return { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: credential.jwksUri }
  if ('none' in credential) return { token_endpoint_auth_method: 'none' }
  const method = application.profile === 'legacy' ? 'client_secret_post' : 'client_secret_basic'
  return { token_endpoint_auth_method: method, client_secret: unusableSecret }
}

const isKeyed = ({ credential }: Application) => 'jwks' in credential || 'jwksUri' in credential

const signedByIt = (alg: string) => ({ token_endpoint_auth_signing_alg: alg, request_object_signing_alg: alg })

export function clientMetadata(application: Application, now: number): AdapterPayload {
  const algorithm = application.dialect?.alg ?? application.algorithm
  const { fapi, applicationType } = profileOf(application)
  const scopes = grantsInForce(application, now).map(({ claim }) => claimScopes[claim])
  return {
    client_id: application.id,
    client_name: application.name.zh,
    application_type: applicationType,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    response_modes: responseModes.filter((mode) => mode !== 'query' || !application.signedResponses),
    redirect_uris: application.redirectUris,
    post_logout_redirect_uris: application.postLogoutRedirectUris,
    scope: ['openid', ...scopes].join(' '),
    subject_type: 'pairwise',
    sector_identifier_uri: `https://${application.sector}/`,
    id_token_signed_response_alg: algorithm,
    introspection_signed_response_alg: algorithm,
    authorization_signed_response_alg: algorithm,
    ...(application.userinfo === 'signed' ? { userinfo_signed_response_alg: algorithm } : {}),
    ...encryptionMetadata(application.encryption),
    ...(application.signedRequests ? { require_signed_request_object: true } : {}),
    ...(application.backchannelLogoutUri
      ? { backchannel_logout_uri: application.backchannelLogoutUri, backchannel_logout_session_required: true }
      : {}),
    ...authentication(application),
    ...(application.dialect?.alg && isKeyed(application) ? signedByIt(application.dialect.alg) : {}),
    ...(fapi ? { require_pushed_authorization_requests: true, dpop_bound_access_tokens: true } : {}),
  } as AdapterPayload
}

const application = Symbol('application')

export type TaughtClient = Client & { [application]?: Application }

export function bindApplication(client: Client, record: Application): void {
  const taught = client as TaughtClient
  Object.defineProperty(taught, application, { value: record, enumerable: false, configurable: true })
}

/** The application behind a client; every client the engine holds went through `bindApplication`. */
export function applicationOf(client: Client | undefined): Application | undefined {
  return (client as TaughtClient | undefined)?.[application]
}
