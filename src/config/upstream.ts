/** The settings of platforms above the city, the province's and the nation's (`verifiers.upstream.<name>`). */
import { z } from 'zod'
import { addressTemplate, bilingual, breaker, path, seconds, text } from './values.ts'

const web = z.url({ protocol: /^https?$/ })
const fieldName = z.string().regex(/^\w{1,64}$/)

/** Kinds of document as `identity/id-number.ts` names them; the compiler compares both lists. */
const documentKind = z.enum([
  'resident-id-card',
  'hk-macao-taiwan-residence-permit',
  'foreigner-permanent-resident-card',
  'hk-macao-travel-permit',
  'taiwan-travel-permit',
  'passport',
])

const common = {
  /** What citizens read in the list of methods, in the place of the locales' words. */
  label: bilingual,
  help: bilingual.optional(),
  /** Where the answer says who it was. Without `kind`, all are resident identity cards. */
  fields: z.strictObject({ kind: path.optional(), number: path, name: path, level: path }),
  /** Their codes of documents by ours; what is not listed is refused. */
  kinds: z.record(z.string(), documentKind).default({}),
  /** Their levels by ours; what is not listed is refused, and nothing below a real name belongs here. */
  levels: z.record(z.string(), z.literal([2, 3, 4])).refine((levels) => Object.keys(levels).length > 0, {
    error: 'names no level, so nobody could sign in; say which of theirs are real names',
  }),
  /** The most it proves. */
  cap: z.literal([2, 3]).default(2),
  /** What applications are told; RFC 8176 has no value for "somebody else has seen him". */
  amr: z.array(text).min(1).default(['fed']),
  /** Against going in circles: where the answer says from whom the platform has it, and the names by which it knows us. */
  loop: z.strictObject({ fields: z.array(path).default(['idp']), ours: z.array(text).default([]) }).prefault({}),
  /** Applications that belong to this platform: they are not offered it. */
  notFor: z.array(text).default([]),
  validity: seconds.max(1800).default(600),
  timeout: seconds.max(5).default(4),
  breaker: breaker.default({ failures: 3, pause: 30 }),
}

const clientAuthentication = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('client_secret_basic'), keyFile: text }),
  z.strictObject({ method: z.literal('client_secret_post'), keyFile: text }),
  z.strictObject({ method: z.literal('private_key_jwt'), keyFile: text, algorithm: text }),
])

const oidc = z.strictObject({
  kind: z.literal('oidc'),
  ...common,
  issuer: web,
  clientId: text,
  authentication: clientAuthentication,
  scope: text.default('openid profile'),
  acrValues: text.optional(),
  responseMode: z.enum(['query', 'form_post']).default('query'),
  /** The signatures that are taken, of ID tokens and of signed userinfo. */
  algorithms: z.array(z.enum(['SGD_SM3_SM2', 'ES256', 'RS256', 'PS256'])).min(1),
  /** Where it keeps the keys of these apart from those that its discovery names. */
  jwksUri: web.optional(),
  userinfo: z.enum(['signed', 'plain', 'none']),
})

const templates = z.record(fieldName, z.string())
const request = { url: web, encoding: z.enum(['json', 'form']).default('json'), body: templates }

const ticket = z.strictObject({
  kind: z.literal('ticket'),
  ...common,
  appId: text,
  /** Where the citizen signs in there. */
  signInPage: addressTemplate(['appId', 'return'], ['return']),
  /** The parameter with which he comes back. */
  ticketField: fieldName.default('ticket'),
  signing: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({ kind: z.literal('md5'), keyFile: text }),
    z.strictObject({ kind: z.enum(['hmac-sha256', 'hmac-sm3']), accessKey: text, keyFile: text }),
  ]),
  /** What says that a question was accepted. */
  accepted: z.strictObject({ field: path, value: text }),
  token: z.strictObject({ ...request, field: path }),
  userinfo: z.strictObject(request),
})

export const upstream = z.record(
  z.string().regex(/^[a-z][a-z-]{0,30}$/, 'must be a name of small letters and dashes'),
  z.discriminatedUnion('kind', [oidc, ticket]),
)

export type UpstreamSettings = z.infer<typeof upstream>[string]
export type OidcSettings = Extract<UpstreamSettings, { kind: 'oidc' }>
export type TicketSettings = Extract<UpstreamSettings, { kind: 'ticket' }>
