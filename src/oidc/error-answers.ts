/**
 * What an application is told of an error besides its code: a documentation anchor (`error_uri`, RFC 6749 §5.2) and the
 * 编号, under which log and audit trail know more.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { visitOf } from '#src/http/visit.ts'

/** The errors that the documentation page explains; `test/oidc/error-answers.test.ts` meets each of them there. */
export const documentedErrors = [
  'invalid_request',
  'invalid_redirect_uri',
  'invalid_client',
  'invalid_grant',
  'invalid_scope',
  'invalid_token',
  'insufficient_scope',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'access_denied',
  'login_required',
  'consent_required',
  'interaction_required',
  'unmet_authentication_requirements',
  'invalid_request_uri',
  'invalid_request_object',
  'invalid_target',
  'invalid_client_metadata',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'temporarily_unavailable',
  'server_error',
] as const

export const errorsPath = '/docs/errors'

const anchorOf = (issuer: string, error: string): string => `${issuer}${errorsPath}#${error}`

/** Adds to JSON answers and to redirects with an error; pages say it in their own words. */
export function explainErrors(provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    const { oidc } = ctx as KoaContextWithOIDC
    if (!oidc) return
    // An answer that failed after the engine had prepared a redirect must not carry its code.
    if (ctx.status < 300 || ctx.status >= 400) ctx.remove('location')
    const body: unknown = ctx.body
    if (typeof body === 'object' && body !== null && 'error' in body && typeof body.error === 'string') {
      const { reference } = visitOf(ctx.req)
      ctx.body = { ...body, error_uri: anchorOf(provider.issuer, body.error), reference }
    }
    const location = ctx.response.get('location')
    if (!location || !URL.canParse(location)) return
    const target = new URL(location)
    const error = target.searchParams.get('error')
    if (error === null || target.origin === provider.issuer) return
    target.searchParams.set('error_uri', anchorOf(provider.issuer, error))
    target.searchParams.set('reference', visitOf(ctx.req).reference)
    ctx.set('location', target.href)
  })
}
