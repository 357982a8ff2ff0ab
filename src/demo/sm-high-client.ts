/**
 * A client of the profile `high` by SM2 alone, over `fetch` and our `jose`: it authenticates by private_key_jwt
 * (RFC 7523), pushes its request (RFC 9126), signs it (RFC 9101) and proves its key (RFC 9449). For application teams to
 * copy where no stock library knows SM2.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK, type JWTPayload } from 'jose'
import type { DemoClient, SignedInCitizen, Started } from './client.ts'
import { createIssuer, type ClientSettings } from './issuer.ts'

const algorithm = 'SGD_SM3_SM2'

export interface SmHighSettings extends ClientSettings {
  readonly privateJwk: JWK & { readonly kid: string }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')
const random = (): string => randomBytes(32).toString('base64url')

export function createSmHighClient(settings: SmHighSettings): DemoClient {
  const { clientId, privateJwk, redirectUri, scope } = settings
  const issuer = createIssuer(settings, algorithm)
  const prover = generateKeyPair(algorithm)

  /** A JWT of this application to the issuer, good for a minute and once. */
  const signed = async (claims: JWTPayload): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, kid: privateJwk.kid })
      .setIssuer(clientId)
      .setAudience(settings.issuer)
      .setJti(randomUUID())
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime('60s')
      .sign(await importJWK(privateJwk, algorithm))

  const proof = async (method: string, address: string, accessToken?: string): Promise<string> => {
    const { privateKey, publicKey } = await prover
    const ath = accessToken === undefined ? {} : { ath: sha256(accessToken) }
    return new SignJWT({ htm: method, htu: address, ...ath })
      .setProtectedHeader({ alg: algorithm, typ: 'dpop+jwt', jwk: await exportJWK(publicKey) })
      .setJti(randomUUID())
      .setIssuedAt()
      .sign(privateKey)
  }

  const post = async (address: string, form: Readonly<Record<string, string>>): Promise<Record<string, string>> => {
    const assertion = await signed({ sub: clientId })
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const answer = await fetch(address, {
      method: 'POST',
      headers: { dpop: await proof('POST', address) },
      body: new URLSearchParams({
        client_id: clientId,
        client_assertion_type: type,
        client_assertion: assertion,
        ...form,
      }),
    })
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}`)
    return (await answer.json()) as Record<string, string>
  }

  return {
    endedSession: issuer.endedSession,
    logoutUrl: issuer.logoutUrl,

    async start(): Promise<Started> {
      const [state, nonce, verifier] = [random(), random(), random()]
      const request = await signed({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: sha256(verifier),
        code_challenge_method: 'S256',
      })
      const { authorization_endpoint: authorization, pushed_authorization_request_endpoint: par } =
        await issuer.metadata()
      const { request_uri: requestUri = '' } = await post(par, { request })
      const url = `${authorization}?${new URLSearchParams({ client_id: clientId, request_uri: requestUri })}`
      return { url, state, nonce, verifier }
    },

    async finish(callback, started): Promise<SignedInCitizen> {
      const code = issuer.codeIn(callback, started)
      const { token_endpoint: token, userinfo_endpoint: userinfo } = await issuer.metadata()
      const form = {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: started.verifier,
      }
      const { id_token: idToken = '', access_token: accessToken = '' } = await post(token, form)
      const told = await fetch(userinfo, {
        headers: { authorization: `DPoP ${accessToken}`, dpop: await proof('GET', userinfo, accessToken) },
      })
      return { algorithm, ...(await issuer.citizen(idToken, await told.text(), started)) }
    },
  }
}
