/**
 * The engine's audit (engine trap 10: its events are not awaited): one middleware around every protocol route that
 * writes what happened before the answer leaves. Where the record cannot be written, the answer does not leave.
 */
import type { EventEmitter } from 'node:events'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { AuditEvent, EventType, Recorder } from '#src/audit/recorder.ts'
import { levelOfAcr } from '#src/identity/assurance.ts'
import { visitOf } from '#src/http/visit.ts'
import { leavingClaims } from './account.ts'
import { applicationOf } from './clients.ts'

const typeOfRoute: Readonly<Record<string, EventType>> = {
  authorization: 'authorization',
  resume: 'authorization',
  pushed_authorization_request: 'authorization',
  token: 'token',
  userinfo: 'claims.released',
  introspection: 'introspection',
  revocation: 'revocation',
  end_session_confirm: 'logout',
}

const errorEvents = [
  'authorization.error',
  'pushed_authorization_request.error',
  'grant.error',
  'userinfo.error',
  'introspection.error',
  'revocation.error',
  'end_session_confirm.error',
  'server_error',
] as const

const failure = Symbol('failure')

interface Failing {
  [failure]?: { readonly error?: string; readonly error_detail?: string }
}

/** The engine's own words for a thing spent twice; they tell a replay from a typing error. */
const replay = /already (consumed|used)|used before/

function reasonOf(ctx: KoaContextWithOIDC): string | undefined {
  const error = (ctx as Failing)[failure]
  if (error) return replay.test(error.error_detail ?? '') ? 'replayed' : (error.error ?? 'server_error')
  const body = ctx.body as { readonly error?: unknown } | undefined
  return typeof body?.error === 'string' ? body.error : undefined
}

/** What happened, or nothing where a route only sent the citizen on to a page of ours. */
function eventOf(ctx: KoaContextWithOIDC): AuditEvent | undefined {
  const { oidc } = ctx
  const type = typeOfRoute[oidc?.route ?? '']
  if (!type) return undefined
  const { entities, client, session } = oidc
  const reason = reasonOf(ctx)
  // An application asking about its own token changes nothing and releases nothing; only a refusal is news.
  if (type === 'introspection' && reason === undefined) return undefined
  const { AuthorizationCode: code, PushedAuthorizationRequest: pushed, Interaction: interaction } = entities
  if (type === 'authorization' && reason === undefined && !code && (interaction || !pushed)) return undefined
  const source = entities.AuthorizationCode ?? entities.RefreshToken ?? entities.AccessToken
  const person =
    source?.accountId ?? entities.Account?.accountId ?? (type === 'logout' ? session?.accountId : undefined)
  const acr = source && 'acr' in source ? levelOfAcr(String(source.acr ?? '')) : undefined
  const application = applicationOf(client)
  const grantType = type === 'token' ? oidc.params?.['grant_type'] : undefined
  return {
    type,
    outcome: reason === undefined ? 'ok' : reason === 'server_error' ? 'failed' : 'refused',
    ...(reason === undefined ? {} : { reason }),
    reference: visitOf(ctx.req).reference,
    ...(application ? { application: application.id, channel: application.channel } : {}),
    ...(acr === undefined ? {} : { level: acr }),
    ...(person === undefined ? {} : { person }),
    address: visitOf(ctx.req).address,
    facts: {
      route: oidc.route,
      ...(typeof grantType === 'string' && grantType in grantTypes ? { grantType } : {}),
      ...(type === 'claims.released' && reason === undefined ? { claims: leavingOf(entities) } : {}),
    },
  }
}

/** Exactly the claims that the answer holds, whether asked for by scope or by name. */
const leavingOf = (entities: object): readonly string[] =>
  (Reflect.get(entities, leavingClaims) as readonly string[] | undefined) ?? []

/** Only known words reach the trail; what a request says of itself does not. */
const grantTypes = { authorization_code: true, refresh_token: true }

export function auditEngine(provider: Provider, recorder: Recorder, onFault: (error: unknown) => void): void {
  const emitter: EventEmitter = provider
  for (const event of errorEvents) {
    emitter.on(event, (ctx: Failing, error: NonNullable<Failing[typeof failure]>) => void (ctx[failure] = error))
  }
  provider.use(async (ctx, next) => {
    await next()
    const event = eventOf(ctx as KoaContextWithOIDC)
    if (!event) return
    try {
      await recorder.record(event)
    } catch (error) {
      onFault(error)
      for (const header of ['location', 'set-cookie']) ctx.remove(header)
      ctx.status = 503
      ctx.body = { error: 'temporarily_unavailable', error_description: 'the request could not be recorded' }
    }
  })
}
