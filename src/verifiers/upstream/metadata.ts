/**
 * What an OpenID provider says of itself (OpenID Connect Discovery 1.0) and its keys. It is asked once an hour; one that
 * calls itself by another name than the settings do, or that leads from https to plain http, is not believed.
 */
import { createRemoteJWKSet } from 'jose'
import { z } from 'zod'
import type { OidcSettings } from '#src/config/upstream.ts'
import { askOutside, jsonOf } from '#src/peers/outside-http.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'

const address = z.url({ protocol: /^https?$/ })
const schema = z.object({
  issuer: z.string(),
  authorization_endpoint: address,
  token_endpoint: address,
  userinfo_endpoint: address.optional(),
  jwks_uri: address,
  authorization_response_iss_parameter_supported: z.boolean().default(false),
})

export type Metadata = z.infer<typeof schema>

export interface Provider {
  /** @throws PeerFailure */
  metadata(): Promise<Metadata>
  keys(): Promise<ReturnType<typeof createRemoteJWKSet>>
}

const freshMs = 3_600_000

export function providerOf({ issuer, jwksUri, timeout }: OidcSettings, now: () => number = Date.now): Provider {
  const timeoutMs = timeout * 1000
  let known: { readonly metadata: Metadata; readonly at: number } | undefined
  let keys: { readonly uri: string; readonly set: ReturnType<typeof createRemoteJWKSet> } | undefined

  const read = async (): Promise<Metadata> => {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const answer = await askOutside({ method: 'GET', url, headers: { accept: 'application/json' }, timeoutMs })
    if (answer.status !== 200) throw new PeerFailure(`status ${answer.status}`)
    const { data } = schema.safeParse(jsonOf(answer))
    if (!data) throw new PeerFailure('malformed')
    // Discovery §4.3: one that calls itself otherwise is another party.
    if (data.issuer !== issuer) throw new PeerFailure('another-issuer')
    const addresses = [data.authorization_endpoint, data.token_endpoint, data.userinfo_endpoint, data.jwks_uri]
    const isOpen =
      issuer.startsWith('https:') && addresses.some((one) => one !== undefined && !one.startsWith('https:'))
    if (isOpen) throw new PeerFailure('not-https')
    return data
  }

  const metadata = async (): Promise<Metadata> => {
    if (!known || now() - known.at > freshMs) known = { metadata: await read(), at: now() }
    return known.metadata
  }

  return {
    metadata,
    async keys() {
      const uri = jwksUri ?? (await metadata()).jwks_uri
      if (keys?.uri !== uri) keys = { uri, set: createRemoteJWKSet(new URL(uri), { timeoutDuration: timeoutMs }) }
      return keys.set
    },
  }
}
