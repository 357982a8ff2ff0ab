/**
 * What an application learns of a citizen (DESIGN D7). Name, phone and number leave through userinfo only: whatever the
 * engine asks for an ID token, it is given the subject and nothing else (engine trap 7).
 */
import type { Account, AccountClaims, FindAccount } from 'oidc-provider'
import { ageOver, primaryDocument, type Citizen } from '#src/identity/citizen.ts'
import { maskNumber } from '#src/identity/id-number.ts'
import { acrOf, levelOfAcr, sessionLevel, type Level } from '#src/identity/assurance.ts'
import type { Directory } from '#src/login/directory.ts'
import { claimScopes, grantsInForce, type ReleasedClaim } from './application.ts'
import { applicationOf } from './clients.ts'
import { grantable } from './grants.ts'
import type { Notices } from './notices.ts'
import type { Releases } from './releases.ts'

/** Released from L2 on (DESIGN D8): what is known of somebody only once he is known. */
const fromLevel2: ReadonlySet<ReleasedClaim> = new Set(['name', 'id_number', 'id_number_masked', 'age_over_18'])

/** Every claim of a citizen, lesser ones first; what is not known is undefined. */
function claimsOf(citizen: Citizen, now: number): Readonly<Record<ReleasedClaim, unknown>> {
  const real = citizen.proofing >= 2
  const document = real ? primaryDocument(citizen) : undefined
  const phone = citizen.phones.findLast(({ proven }) => proven) ?? citizen.phones.at(-1)
  return {
    age_over_18: real ? ageOver(citizen, 18, now) : undefined,
    real_name: real,
    id_number_masked: document && maskNumber(document.number),
    name: real ? citizen.name : undefined,
    phone_number: phone?.number,
    id_number: document?.number,
  }
}

type Context = Parameters<FindAccount>[0]
type Token = Parameters<FindAccount>[2]

/** The level of the session a token came from, which the token itself does not say. */
async function levelBehind(ctx: Context, token: Token): Promise<Level> {
  const uid = token && 'sessionUid' in token ? token.sessionUid : undefined
  const session = uid === undefined ? ctx.oidc.session : await ctx.oidc.provider.Session.findByUid(uid)
  return levelOfAcr(session?.acr ?? '') ?? 1
}

/** The claim names that are in force for an application and that this account can give to a session of that level. */
function releasable(
  ctx: Context,
  citizen: Citizen,
  level: Level,
  told: readonly ReleasedClaim[],
  now: number,
): AccountClaims {
  // Whoever claimed an account by another phone, or holds a phone that is not confirmed, learns nothing of its owner.
  if (level < 2 && citizen.proofing >= 2) return { sub: citizen.id }
  const application = applicationOf(ctx.oidc.client)
  const all = claimsOf(citizen, now)
  const released: Record<string, unknown> = { sub: citizen.id }
  for (const { claim } of application ? grantsInForce(application, now) : []) {
    if (!told.includes(claim)) continue
    if (fromLevel2.has(claim) && sessionLevel(citizen.proofing, level) < 2) continue
    if (all[claim] === undefined) continue
    released[claim] = all[claim]
    if (claim === 'phone_number') released['phone_number_verified'] = true
  }
  return released as AccountClaims
}

/** Where the audit finds which claims a userinfo answer holds. */
export const leavingClaims = 'LeavingClaims'

interface Dependencies {
  readonly find: Directory['find']
  readonly releases: Releases
  readonly notices: Pick<Notices, 'standing'>
  readonly now?: () => number
}

/** Of what could be released, what this request asks for: by scope or by name, and not refused by the citizen. */
function askedFor(available: AccountClaims, scope: string, claims: object, rejected: readonly string[]): string[] {
  const scopes = new Set(scope.split(' '))
  const named = new Set(Object.keys(claims).map(grantable))
  return Object.keys(claimScopes).filter((claim) => {
    const asked = scopes.has(claimScopes[claim as ReleasedClaim]) || named.has(claim)
    return asked && available[claim] !== undefined && !rejected.includes(claim)
  })
}

export function createFindAccount({ find, releases, notices, now = Date.now }: Dependencies): FindAccount {
  return async (ctx, id, token) => {
    const found = await find(id)
    if (found?.status !== 'active') return undefined
    const account: Account = {
      accountId: found.id,
      async claims(use, scope, claims, rejected) {
        if (use === 'id_token') return { sub: found.id }
        const application = applicationOf(ctx.oidc.client)
        // What the citizen has refused, withdrawn or not been told of since ends for tokens that are out as well.
        const told = application ? ((await notices.standing(found.id, application))?.claims ?? []) : []
        const available = releasable(ctx, await found.open(), await levelBehind(ctx, token), told, now())
        const leaving = askedFor(available, scope, claims ?? {}, rejected ?? [])
        ctx.oidc.entity(leavingClaims, leaving)
        if (application && leaving.length > 0) await releases.keep(found.id, application.id, leaving)
        return available
      },
    }
    return account
  }
}

/** The engine's claim table: scopes to claims, and what the ID token may say (engine trap 6). */
export const claimTable = {
  openid: ['sub', 'acr', 'amr', 'auth_time', 'sid'],
  ...Object.fromEntries(
    Object.entries(claimScopes).map(([claim, scope]) => [
      scope,
      claim === 'phone_number' ? [claim, 'phone_number_verified'] : [claim],
    ]),
  ),
}

export const acrValues = ([1, 2, 3, 4] as const).map(acrOf)
