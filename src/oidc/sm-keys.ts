/**
 * SM2 keys stand in a set of their own, beside `jwks_uri`. RFC 7517 §5 lets a reader skip a key whose `kty` it does not
 * know; of one with `kty` EC and a curve it does not know, Nimbus (Spring Security), go-jose and joserfc (Authlib)
 * refuse the whole set, and their applications could sign nobody in. Whoever verifies SM2 knows where to look.
 */
import type { Provider } from 'oidc-provider'
import type { JWK } from 'jose'

const path = '/jwks/sm'

/** The metadata member that names the set (RFC 8414 §2: further members are allowed). */
export const smKeysMember = (issuer: string) => ({ sm_jwks_uri: `${issuer}${path}` })

/** Serves the set as the engine serves its own: public, and open to scripts. */
export function publishSmKeys(provider: Provider, keys: readonly JWK[]): void {
  provider.use(async (ctx, next) => {
    if (ctx.path !== path || !['GET', 'HEAD'].includes(ctx.method)) return next()
    ctx.set('access-control-allow-origin', '*')
    ctx.body = { keys }
    ctx.type = 'application/jwk-set+json; charset=utf-8'
  })
}
