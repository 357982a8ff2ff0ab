/**
 * Where SM2 keys stand beside standard ones. RFC 7517 §5 lets a reader skip a key whose `kty` it does not know; of one
 * with `kty` EC and a curve it does not know, Nimbus (Spring Security), go-jose and joserfc (Authlib) refuse the whole
 * set, and their applications could sign nobody in. So the JWKS names SM2 keys in a member of its own, `sm_keys`, which
 * every reader must ignore that does not know it (same clause), and they form a set of their own at `sm_jwks_uri`.
 */
import type { JWK } from 'jose'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'

const path = '/jwks/sm'

/** The metadata member that names the set (RFC 8414 §2: further members are allowed). */
export const smKeysMember = (issuer: string) => ({ sm_jwks_uri: `${issuer}${path}` })

/**
 * Serves the set as the engine serves its own: public, and open to scripts.
 * @param beside whether the JWKS holds standard keys, so that it names these in `sm_keys`
 */
export function publishSmKeys(provider: Provider, keys: readonly JWK[], beside: boolean): void {
  provider.use(async (ctx, next) => {
    if (ctx.path === path && ['GET', 'HEAD'].includes(ctx.method)) {
      ctx.set('access-control-allow-origin', '*')
      ctx.body = { keys }
      ctx.type = 'application/jwk-set+json; charset=utf-8'
      return
    }
    await next()
    if (!beside || (ctx as KoaContextWithOIDC).oidc?.route !== 'jwks' || typeof ctx.body !== 'object') return
    const { type } = ctx.response
    ctx.body = { ...ctx.body, sm_keys: keys }
    ctx.type = `${type}; charset=utf-8`
  })
}
