/**
 * Metadata says what works and nothing else (RFC 8414 §2): the engine lists response modes that no application of ours
 * may use.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'

/** How an answer may come back: in the query, plain or signed (JARM §2.3). */
export const responseModes = ['query', 'jwt', 'query.jwt'] as const

export function sayWhatWorks(provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    if ((ctx as KoaContextWithOIDC).oidc?.route !== 'discovery' || typeof ctx.body !== 'object') return
    ctx.body = { ...ctx.body, response_modes_supported: responseModes }
  })
}
