/**
 * A platform that speaks OpenID Connect: authorization code with PKCE (RFC 7636), state, nonce and issuer (RFC 9207), the
 * ID token and the userinfo answer checked whole.
 *
 * It is written by hand over our `jose`: openid-client verifies by WebCrypto alone, which knows no SM2, and takes no other
 * verifier; so half of it would have to be done again beside it.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { errors, jwtVerify, SignJWT, type JWTPayload } from 'jose'
import { z } from 'zod'
import type { OidcSettings } from '#src/config/upstream.ts'
import { signingKey } from '#src/peers/jwk-file.ts'
import { askOutside, bodyOf, jsonOf } from '#src/peers/outside-http.ts'
import { readSecret } from '#src/peers/secret-file.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'
import { providerOf, type Provider } from './metadata.ts'
import type { Platform, Told } from './platform.ts'

type Form = Readonly<Record<string, string>>
/** The headers and fields by which we say who we are at the token endpoint. */
type Authenticate = (now: number) => Promise<{ readonly headers: Form; readonly form: Form }>

const answerSchema = z.object({
  code: z.string().min(1).max(2_048).optional(),
  iss: z.string().optional(),
  error: z.string().optional(),
})
const tokensSchema = z.object({ access_token: z.string(), id_token: z.string(), token_type: z.string() })
const refusalSchema = z.object({ error: z.string() })

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Thrown inside this file: an answer of the platform that does not count. */
class Fault extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** RFC 6749 §4.1.2.1 and Core §3.1.2.6: known words only, since a browser carries them. */
const errorCode = (error: string): string =>
  /^[a-z_]{1,40}$/.test(error) ? error.replaceAll('_', '-') : 'unknown-error'

/** RFC 6749 §5.2: errors of a token request that no code of a citizen brings about. */
const ours: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client', 'unsupported_grant_type'])

/** What was wrong with a token. Where keys could not be had it is nobody's fault but the platform's. */
function faultOf(what: string, error: unknown): unknown {
  if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) return new PeerFailure('keys')
  if (error instanceof errors.JWTExpired) return new Fault(`${what}-expired`)
  if (error instanceof errors.JWTClaimValidationFailed) return new Fault(`${what}-${errorCode(error.claim)}`)
  if (error instanceof errors.JOSEAlgNotAllowed) return new Fault(`${what}-alg`)
  if (error instanceof errors.JWSSignatureVerificationFailed) return new Fault(`${what}-signature`)
  if (error instanceof errors.JWKSNoMatchingKey) return new Fault(`${what}-key`)
  // jose says so of a set that answered with another status than 200, too.
  if (error.code === 'ERR_JOSE_GENERIC') return new PeerFailure('keys')
  return new Fault(`${what}-malformed`)
}

function authenticationOf({ clientId, issuer, authentication }: OidcSettings): Authenticate {
  const file = resolve(authentication.keyFile)
  if (authentication.method === 'private_key_jwt') {
    const signing = signingKey(file, authentication.algorithm)
    // A key that does not fit is told where it is used; nothing waits for it before.
    signing.catch(() => undefined)
    return async (now) => {
      const { key, header } = await signing
      const seconds = Math.floor(now / 1000)
      const assertion = await new SignJWT({ sub: clientId })
        .setProtectedHeader(header)
        .setIssuer(clientId)
        .setAudience(issuer)
        .setJti(randomUUID())
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + 60)
        .sign(key)
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
      return { headers: {}, form: { client_id: clientId, client_assertion_type: type, client_assertion: assertion } }
    }
  }
  const secret = readSecret(file)
  if (authentication.method === 'client_secret_post')
    return async () => ({ headers: {}, form: { client_id: clientId, client_secret: secret } })
  // RFC 6749 §2.3.1: each half as a form would have it.
  const half = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
  const basic = Buffer.from(`${half(clientId)}:${half(secret)}`).toString('base64')
  return async () => ({ headers: { authorization: `Basic ${basic}` }, form: {} })
}

/** @throws AppError `key_invalid` */
export function createOidcPlatform(settings: OidcSettings, provider: Provider = providerOf(settings)): Platform {
  const { clientId, issuer, algorithms } = settings
  const timeoutMs = settings.timeout * 1000
  const authenticate = authenticationOf(settings)

  const verified = async (what: string, token: string, now: number, required: string[]): Promise<JWTPayload> => {
    const options = {
      ...{ issuer, audience: clientId, algorithms: [...algorithms], requiredClaims: required },
      ...{ clockTolerance: 30, currentDate: new Date(now) },
    }
    const keys = await provider.keys()
    const { payload } = await jwtVerify(token, keys, options).catch((error: unknown) => {
      throw faultOf(what, error)
    })
    return payload
  }

  const tokensFor = async (code: string, verifier: string, redirectUri: string, now: number) => {
    const { token_endpoint: url } = await provider.metadata()
    const { headers, form } = await authenticate(now)
    const { body, type } = bodyOf('form', {
      ...{ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier },
      ...form,
    })
    const sent = { ...headers, 'content-type': type, accept: 'application/json' }
    const answer = await askOutside({ method: 'POST', url, headers: sent, body, timeoutMs })
    if (answer.status === 400) {
      const { error } = refusalSchema.safeParse(jsonOf(answer)).data ?? {}
      // These are between the platform and us; anything else may be said of a code that is none.
      if (error === undefined || ours.has(error)) throw new PeerFailure('refused')
      throw new Fault(errorCode(error))
    }
    if (answer.status !== 200) throw new PeerFailure(`status ${answer.status}`)
    const tokens = tokensSchema.safeParse(jsonOf(answer)).data
    if (tokens?.token_type.toLowerCase() !== 'bearer') throw new PeerFailure('malformed')
    return tokens
  }

  const userinfo = async (accessToken: string, now: number): Promise<JWTPayload> => {
    const { userinfo_endpoint: url } = await provider.metadata()
    if (url === undefined) throw new PeerFailure('no-userinfo')
    const headers = { authorization: `Bearer ${accessToken}` }
    const answer = await askOutside({ method: 'GET', url, headers, timeoutMs })
    if (answer.status !== 200) throw new PeerFailure(`status ${answer.status}`)
    // Core §5.3.2: signed or plain, as was agreed, and nothing else.
    if (settings.userinfo === 'signed') {
      if (answer.type !== 'application/jwt') throw new Fault('userinfo-unsigned')
      return verified('userinfo', answer.text, now, ['sub'])
    }
    const claims = jsonOf(answer)
    if (typeof claims !== 'object' || claims === null) throw new PeerFailure('malformed')
    return claims as JWTPayload
  }

  /** @throws Fault, PeerFailure */
  const claimsOf = async (code: string, own: Form, nonce: string, now: number): Promise<unknown> => {
    const { verifier = '', redirectUri = '' } = own
    const tokens = await tokensFor(code, verifier, redirectUri, now)
    const idToken = await verified('id-token', tokens.id_token, now, ['sub', 'iat', 'exp'])
    if (idToken['nonce'] !== nonce) throw new Fault('id-token-nonce')
    // Core §3.1.3.7, 3–5: said to us alone, or at our request.
    const isShared = Array.isArray(idToken.aud) && idToken.aud.length > 1
    if ((isShared || idToken['azp'] !== undefined) && idToken['azp'] !== clientId) throw new Fault('id-token-azp')
    if (settings.userinfo === 'none') return idToken
    const told = await userinfo(tokens.access_token, now)
    if (told.sub !== idToken.sub) throw new Fault('userinfo-sub')
    return { ...told, ...idToken }
  }

  return {
    origins: [new URL(issuer).origin],

    async leave({ returnTo, locale }, nonce) {
      const { authorization_endpoint: endpoint } = await provider.metadata()
      const verifier = randomBytes(32).toString('base64url')
      const url = new URL(endpoint)
      const parameters = {
        ...{ response_type: 'code', client_id: clientId, redirect_uri: returnTo.url, scope: settings.scope },
        ...{ state: returnTo.state, nonce, code_challenge: sha256(verifier), code_challenge_method: 'S256' },
        ...(settings.acrValues === undefined ? {} : { acr_values: settings.acrValues }),
        ...(settings.responseMode === 'query' ? {} : { response_mode: settings.responseMode }),
        ui_locales: locale === 'zh' ? 'zh-CN' : 'en',
      }
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
      return { leaveTo: url.href, own: { verifier, redirectUri: returnTo.url } }
    },

    async ask({ now }, own, nonce, input): Promise<Told> {
      const answer = answerSchema.safeParse(input).data
      if (!answer) return { fault: 'malformed' }
      const { authorization_response_iss_parameter_supported: saysIssuer } = await provider.metadata()
      // RFC 9207 §2.4: an answer of another issuer is not looked at, its errors neither.
      if (answer.iss === undefined ? saysIssuer : answer.iss !== issuer) return { fault: 'iss' }
      if (answer.error !== undefined) return { fault: errorCode(answer.error), givenUp: true }
      if (answer.code === undefined) return { fault: 'malformed' }
      try {
        return { claims: await claimsOf(answer.code, own, nonce, now) }
      } catch (error) {
        if (error instanceof Fault) return { fault: error.code }
        throw error
      }
    },
  }
}
