/**
 * From an application's granted claims and the citizen's notices to the engine's Grant: nothing is granted that the
 * application's record does not hold, and nothing before the citizen was told or agreed (DESIGN D7).
 */
import {
  errors,
  type ClaimsParameter,
  type Client,
  type Grant,
  type KoaContextWithOIDC,
  type Session,
} from 'oidc-provider'
import type { Turns } from '#src/storage/turns.ts'
import { claimScopes, grantsInForce, type Application, type ReleasedClaim } from './application.ts'
import { grantApis, holdsApis } from './apis.ts'
import { applicationOf } from './clients.ts'
import type { Notices } from './notices.ts'

/** Claims that say something of the sign-in and not of the citizen. */
const protocolClaims = new Set(['sub', 'acr', 'amr', 'auth_time', 'sid', 'iss'])

/** `phone_number_verified` goes with the number and never alone. */
export const grantable = (name: string): string => (name === 'phone_number_verified' ? 'phone_number' : name)

/** The `claims` parameter may name granted claims only (OpenID Connect Core §5.5). */
export function refuseUngrantedClaims(client: Client, claims: ClaimsParameter, now: number): void {
  const application = applicationOf(client)
  const granted = new Set<string>(application ? grantsInForce(application, now).map(({ claim }) => claim) : [])
  const asked = [...Object.keys(claims.userinfo ?? {}), ...Object.keys(claims.id_token ?? {})]
  if (asked.some((name) => !protocolClaims.has(name) && !granted.has(grantable(name)))) {
    throw new errors.InvalidRequest('claims: the application is not granted what it asks for')
  }
}

/** The granted claims that this request asks for, by scope or by name. */
export function claimsAsked(
  application: Application,
  params: { readonly scope?: unknown; readonly claims?: unknown },
  now: number,
): readonly ReleasedClaim[] {
  const scopes = new Set(String(params.scope ?? '').split(' '))
  const requested = typeof params.claims === 'string' ? (JSON.parse(params.claims) as Record<string, object>) : {}
  const named = new Set(Object.values(requested).flatMap((group) => Object.keys(group ?? {}).map(grantable)))
  return grantsInForce(application, now)
    .map(({ claim }) => claim)
    .filter((claim) => scopes.has(claimScopes[claim]) || named.has(claim))
}

/** Writes into a Grant exactly the claims the citizen was told of or agreed to; the rest of what is asked is rejected. */
export async function saveGrant(
  grant: Grant,
  application: Application,
  asked: readonly ReleasedClaim[],
  agreed: readonly ReleasedClaim[],
): Promise<string> {
  grant.addOIDCScope('openid')
  grantApis(grant, application)
  for (const claim of asked) {
    const names = claim === 'phone_number' ? [claim, 'phone_number_verified'] : [claim]
    if (agreed.includes(claim)) {
      grant.addOIDCScope(claimScopes[claim])
      grant.addOIDCClaims(names)
    } else {
      grant.rejectOIDCScope(claimScopes[claim])
      grant.rejectOIDCClaims(names)
    }
  }
  return grant.save()
}

/** The session's grant; else one made from a standing notice; else none, and the citizen is asked. */
export async function loadStandingGrant(
  ctx: KoaContextWithOIDC,
  notices: Notices,
  now: number,
  inTurn: Turns,
): Promise<Grant | undefined> {
  const { client, session, provider, result, params } = ctx.oidc
  const application = applicationOf(client)
  if (!client || !application || !session?.accountId) return undefined
  // What he answered a moment ago stands for this request, whatever was kept of it.
  const answered = result?.consent?.grantId
  if (answered) return provider.Grant.find(answered)
  const asked = claimsAsked(application, params ?? {}, now)
  const record = await notices.standing(session.accountId, application)
  const answeredFor = [...(record?.claims ?? []), ...(record?.refused ?? [])]
  if (!asked.every((claim) => answeredFor.includes(claim))) return undefined
  // One in use is not written again: whoever revokes it meanwhile must find it gone.
  const usable = async (id: string | undefined) => {
    const grant = id === undefined ? undefined : await provider.Grant.find(id)
    return grant && holdsApis(grant, application) ? grant : undefined
  }
  const inUse = await usable(session.grantIdFor(client.clientId))
  if (inUse) return inUse
  const { accountId } = session
  // A session holds one grant for an application: of two requests side by side the second takes what the first has made.
  return inTurn(session.uid, async () => {
    const found = await provider.Session.find(session.jti)
    const stored = found?.accountId === accountId ? found : undefined
    const made = await usable(stored?.grantIdFor(client.clientId))
    const grant = made ?? new provider.Grant({ accountId, clientId: client.clientId })
    if (!made) await saveGrant(grant, application, asked, record?.claims ?? [])
    if (stored) await shareGrant(stored, session, client.clientId, grant.jti)
    return grant
  })
}

/** Keeps the grant in the stored session at once, and the `sid` that goes with it in both. */
async function shareGrant(stored: Session, session: Session, client: string, grant: string): Promise<void> {
  if (stored.grantIdFor(client) !== grant) {
    stored.ensureClientContainer(client)
    stored.grantIdFor(client, grant)
    await stored.persist()
  }
  session.sidFor(client, stored.sidFor(client) as string)
}
