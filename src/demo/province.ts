/**
 * A simulator of the province's identity platform: an OpenID provider of its own hand, which signs with SM2 and owes
 * nothing to our engine. Its levels are 1 匿名, 2 实名, 3 实人; its documents 1, 3, 4, 5 (facts of such platforms).
 */
import { createHash, randomBytes } from 'node:crypto'
import express, { type Router } from 'express'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, sm3, type JWTPayload } from 'jose'
import { z } from 'zod'
import type { DocumentKind } from '#src/identity/id-number.ts'
import { castMember, readPopulation, type CastMember } from './cast.ts'
import { isBack, peoplePage } from './people-page.ts'

interface Settings {
  /** Of the city's server. */
  readonly issuer: string
  /** Its own name: where the router is mounted. */
  readonly url: string
  readonly secret: string
}

const name = { zh: '示例省统一身份认证平台', en: 'Example Province identity platform' }
const about = { zh: '示例省的账号，认证级别可选。', en: 'Your account of the province, at a level of your choice.' }
const clientId = 'yihao'

export const provincialKinds: Readonly<Partial<Record<DocumentKind, string>>> = {
  'resident-id-card': '1',
  'hk-macao-travel-permit': '3',
  'taiwan-travel-permit': '4',
  'foreigner-permanent-resident-card': '5',
}

export const levelField = `<p><label for="level">认证级别 Level</label><br><select id="level" name="level">
  <option value="3">3 实人</option><option value="2">2 实名</option><option value="1">1 匿名</option></select></p>`

const requestSchema = z.object({
  response_type: z.literal('code'),
  client_id: z.literal(clientId),
  redirect_uri: z.string(),
  scope: z.string().regex(/\bopenid\b/),
  state: z.string().min(1),
  nonce: z.string().min(1),
  code_challenge: z.string().length(43),
  code_challenge_method: z.literal('S256'),
})
const chosenSchema = requestSchema.extend({
  person: z.string(),
  level: z.enum(['1', '2', '3']),
  choice: z.enum(['go', 'cancel']),
})
const exchangeSchema = z.object({
  grant_type: z.literal('authorization_code'),
  code: z.string(),
  redirect_uri: z.string(),
  code_verifier: z.string(),
})

type Chosen = z.infer<typeof chosenSchema>

const accountOf = ({ name: called, kind, number, phone }: CastMember) => ({
  user: { name: called, paperstype: provincialKinds[kind] ?? '0', papersnumber: number, mobile: phone ?? '' },
})

export function createProvince({ issuer, url, secret }: Settings): Router {
  const codes = new Map<string, Chosen>()
  const people = new Map<string, string>()
  const key = generateKeyPair('SGD_SM3_SM2').then(async ({ privateKey, publicKey }) => {
    const jwk = await exportJWK(publicKey)
    const kid = await calculateJwkThumbprint(jwk)
    return { privateKey, kid, jwk: { ...jwk, kid, alg: 'SGD_SM3_SM2', use: 'sig' } }
  })
  const signed = async (claims: JWTPayload): Promise<string> => {
    const { privateKey, kid } = await key
    const header = { alg: 'SGD_SM3_SM2', kid }
    const jwt = new SignJWT(claims).setProtectedHeader(header).setIssuer(url).setAudience(clientId).setIssuedAt()
    return jwt.setExpirationTime('5m').sign(privateKey)
  }
  const subjectOf = (person: string): string => sm3(`province ${person}`).toString('hex').slice(0, 32)
  const given = express.urlencoded({ extended: false })
  const router = express.Router()

  router.get('/.well-known/openid-configuration', (_request, response) => {
    response.json({
      issuer: url,
      authorization_endpoint: `${url}/auth`,
      token_endpoint: `${url}/token`,
      userinfo_endpoint: `${url}/userinfo`,
      jwks_uri: `${url}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['SGD_SM3_SM2'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    })
  })

  router.get('/jwks', async (_request, response) => void response.json({ keys: [(await key).jwk] }))

  router.get('/auth', async (request, response) => {
    const asked = requestSchema.safeParse(request.query).data
    if (!asked || !isBack(asked.redirect_uri, issuer)) return void response.sendStatus(400)
    const { people: all } = await readPopulation()
    const choice = { name, about, action: 'auth', hidden: asked, people: all, fields: levelField }
    response.type('html').send(peoplePage(choice))
  })

  router.post('/auth', given, (request, response) => {
    const chosen = chosenSchema.safeParse(request.body).data
    if (!chosen || !isBack(chosen.redirect_uri, issuer)) return void response.sendStatus(400)
    const back = new URL(chosen.redirect_uri)
    const code = randomBytes(24).toString('base64url')
    if (chosen.choice === 'go') codes.set(code, chosen)
    const answer = chosen.choice === 'go' ? { code } : { error: 'access_denied' }
    for (const [field, value] of Object.entries({ ...answer, state: chosen.state, iss: url }))
      back.searchParams.set(field, value)
    response.redirect(303, back.href)
  })

  router.post('/token', given, async (request, response) => {
    const due = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
    if (request.get('authorization') !== due) return void response.status(401).json({ error: 'invalid_client' })
    const form = exchangeSchema.safeParse(request.body).data
    const chosen = form && codes.get(form.code)
    if (form) codes.delete(form.code)
    const challenge = createHash('sha256')
      .update(form?.code_verifier ?? '')
      .digest('base64url')
    if (!chosen || challenge !== chosen.code_challenge || form.redirect_uri !== chosen.redirect_uri)
      return void response.status(400).json({ error: 'invalid_grant' })
    const accessToken = randomBytes(24).toString('base64url')
    people.set(accessToken, chosen.person)
    const { nonce, level: acr, person } = chosen
    const idToken = await signed({ sub: subjectOf(person), nonce, acr })
    response.json({ access_token: accessToken, token_type: 'Bearer', expires_in: 300, id_token: idToken })
  })

  router.get('/userinfo', async (request, response) => {
    const person = people.get((request.get('authorization') ?? '').replace(/^Bearer /, ''))
    if (person === undefined) return void response.status(401).json({ error: 'invalid_token' })
    const member = castMember(await readPopulation(), person)
    response.type('application/jwt').send(await signed({ sub: subjectOf(person), ...accountOf(member) }))
  })

  return router
}
