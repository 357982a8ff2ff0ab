/**
 * What an application learns of a citizen (DESIGN D7). Name, phone and number leave through userinfo only: whatever the
 * engine asks for an ID token, it is given the subject and nothing else (engine trap 7).
 */
import type { Account, AccountClaims, FindAccount } from 'oidc-provider'
import { primaryDocument, type Citizen } from '#src/identity/citizen.ts'
import { acrOf } from '#src/identity/assurance.ts'
import { claimScopes, grantsInForce, type ReleasedClaim } from './application.ts'
import { applicationOf } from './clients.ts'

/** `name` and `id_number` are released from L2 on (DESIGN D8). */
const fromLevel2: ReadonlySet<ReleasedClaim> = new Set(['name', 'id_number'])

export function claimsOf(
  citizen: Citizen,
): Readonly<Record<ReleasedClaim, unknown>> & { phone_number_verified: boolean } {
  const real = citizen.proofing >= 2
  const document = real ? primaryDocument(citizen) : undefined
  const phone = citizen.phones.findLast(({ proven }) => proven) ?? citizen.phones.at(-1)
  return {
    name: real ? citizen.name : undefined,
    id_number: document?.number,
    phone_number: phone?.number,
    phone_number_verified: phone !== undefined,
  }
}

/** The claim names that are in force for an application and that this account can give. */
function releasable(ctx: Parameters<FindAccount>[0], citizen: Citizen, now: number): AccountClaims {
  const application = applicationOf(ctx.oidc.client)
  const all = claimsOf(citizen)
  const released: Record<string, unknown> = { sub: citizen.id }
  for (const { claim } of application ? grantsInForce(application, now) : []) {
    if (fromLevel2.has(claim) && citizen.proofing < 2) continue
    if (all[claim] === undefined) continue
    released[claim] = all[claim]
    if (claim === 'phone_number') released['phone_number_verified'] = all.phone_number_verified
  }
  return released as AccountClaims
}

interface Dependencies {
  readonly byId: (id: string) => Promise<Citizen | undefined>
  readonly now?: () => number
}

export function createFindAccount({ byId, now = Date.now }: Dependencies): FindAccount {
  return async (ctx, id) => {
    const citizen = await byId(id)
    if (!citizen || citizen.status !== 'active') return undefined
    const account: Account = {
      accountId: citizen.id,
      claims: async (use) => (use === 'id_token' ? { sub: citizen.id } : releasable(ctx, citizen, now())),
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
