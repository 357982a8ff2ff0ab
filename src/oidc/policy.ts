/**
 * When the engine asks the citizen, and at which level. Answers engine trap 6: levels are ordered, `acr_values` counts,
 * and an essential acr is met by a higher one; the engine's exact matches are taken out.
 */
import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { acrOf, enough, levelOfAcr, type Level } from '#src/identity/assurance.ts'
import { channelNamed, type Channels } from '#src/channels/channel.ts'
import type { Directory } from '#src/login/directory.ts'
import { lacksNumber } from '#src/login/policy.ts'
import { grantsInForce, type Application, type ClaimGrant } from './application.ts'
import type { ClaimEnds } from './claim-ends.ts'
import { applicationOf } from './clients.ts'
import { claimsAsked } from './grants.ts'
import { profileOf } from './profile.ts'
import type { SharedSessions } from './shared-sessions.ts'

interface AcrRequest {
  readonly value?: unknown
  readonly values?: unknown
  readonly essential?: unknown
}

export type Params = Readonly<Record<string, unknown>>

function essentialAcr(params: Params): readonly unknown[] {
  if (typeof params['claims'] !== 'string') return []
  const { id_token: idToken } = JSON.parse(params['claims']) as {
    readonly id_token?: { readonly acr?: AcrRequest | null }
  }
  const acr = idToken?.acr
  return acr?.essential === true ? [acr.value, ...(Array.isArray(acr.values) ? (acr.values as unknown[]) : [])] : []
}

const isName = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** The levels a request names, in whatever way OpenID Connect Core lets it (§3.1.2.1, §5.5.1.1). */
function requestedLevels(params: Params): readonly Level[] {
  const essential = essentialAcr(params).filter(isName)
  const levels = [...essential, ...String(params['acr_values'] ?? '').split(' ')].flatMap(
    (acr) => levelOfAcr(acr) ?? [],
  )
  if (essential.length > 0 && levels.length === 0) {
    throw new errors.InvalidRequest('none of the requested acr values is known')
  }
  return levels
}

/** What this sign-in must reach: the application's own level, or the lowest that the request would accept if higher. */
export function askedLevel(application: Application, params: Params): Level {
  const requested = requestedLevels(params)
  return Math.max(application.level, requested.length > 0 ? Math.min(...requested) : 1) as Level
}

/** An application is told no level above its profile, even where the session was stepped up for another. */
export function acrFor(application: Application | undefined, acr: string | undefined): string | undefined {
  const level = acr === undefined ? undefined : levelOfAcr(acr)
  if (application === undefined || level === undefined) return acr
  return acrOf(Math.min(level, profileOf(application).top) as Level)
}

/** The engine keeps absent parameters as undefined members. */
const paramsOf = (ctx: KoaContextWithOIDC): Params => ({ ...ctx.oidc.params })

/** Does this request ask for the document's number, which the law grants to this application? */
function asksNumberByLaw(application: Application, params: Params, now: number): boolean {
  const byLaw = ({ claim, basis }: ClaimGrant) => claim === 'id_number' && basis === 'duty'
  return grantsInForce(application, now).some(byLaw) && claimsAsked(application, params, now).includes('id_number')
}

interface Dependencies {
  readonly channels: Channels
  readonly claimEnds: Pick<ClaimEnds, 'ended'>
  readonly sharedSessions: Pick<SharedSessions, 'began'>
  readonly findPerson: Directory['find']
  readonly now: () => number
}

/** The engine's prompts with our level check in place of its exact matches, and one for accounts without a number. */
export function createPolicy({
  channels,
  claimEnds,
  sharedSessions,
  findPerson,
  now,
}: Dependencies): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base()
  const login = policy.get('login')
  const { Check } = interactionPolicy
  login?.checks.remove('essential_acr')
  login?.checks.remove('essential_acrs')
  login?.checks.add(
    new Check('level', 'a higher level of assurance is required', async (ctx) => {
      const application = applicationOf(ctx.oidc.client)
      if (!application) return Check.NO_NEED_TO_PROMPT
      const asked = askedLevel(application, paramsOf(ctx))
      const channel = channelNamed(channels, application.channel)
      if (!enough(profileOf(application).top, asked) || !enough(channel.top, asked)) {
        throw new errors.CustomOIDCProviderError(
          'unmet_authentication_requirements',
          'this application or its channel can never reach the requested level',
        )
      }
      const { session } = ctx.oidc
      if (!session?.accountId) return Check.NO_NEED_TO_PROMPT
      if (await claimEnds.ended(session)) return Check.REQUEST_PROMPT
      return enough(levelOfAcr(session.acr ?? '') ?? 1, asked) ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT
    }),
  )
  login?.checks.add(
    new Check('shared', 'each request at a shared device is signed in for', 'login_required', async (ctx) => {
      const { session, result, client } = ctx.oidc
      const isFresh = result?.login !== undefined
      if (!session?.accountId || isFresh) return Check.NO_NEED_TO_PROMPT
      const application = applicationOf(client)
      const isShared = application !== undefined && channelNamed(channels, application.channel).shared
      return isShared || (await sharedSessions.began(session)) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT
    }),
  )
  login?.checks.add(
    new Check('number', 'a document number is required', async (ctx) => {
      const application = applicationOf(ctx.oidc.client)
      const { accountId } = ctx.oidc.session ?? {}
      if (!application || accountId === undefined || !asksNumberByLaw(application, paramsOf(ctx), now()))
        return Check.NO_NEED_TO_PROMPT
      const citizen = await (await findPerson(accountId))?.open()
      return citizen && lacksNumber(citizen) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT
    }),
  )
  return policy
}
