/**
 * Metadata says what works and nothing else (RFC 8414 §2): the engine lists response modes that no application of ours
 * may use.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { sm2Aliases } from './dialect.ts'

/** How an answer may come back: in the query, plain or signed (JARM §2.3). */
export const responseModes = ['query', 'jwt', 'query.jwt'] as const

/** Dialects are for the applications whose files name them. */
const isForAll = (alg: string): boolean => !sm2Aliases.has(alg)

export function sayWhatWorks(provider: Provider): void {
  provider.use(async (ctx, next) => {
    await next()
    if ((ctx as KoaContextWithOIDC).oidc?.route !== 'discovery' || typeof ctx.body !== 'object') return
    const said = Object.entries(ctx.body as object).map(([member, value]): [string, unknown] => [
      member,
      member.endsWith('_alg_values_supported') && Array.isArray(value) ? value.filter(isForAll) : value,
    ])
    ctx.body = { ...Object.fromEntries(said), response_modes_supported: responseModes }
  })
}
