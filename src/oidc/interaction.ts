/**
 * Between the engine and our pages: finds the interaction a browser holds, and ends it with a sign-in, with the
 * citizen's answer to a notice, or without either.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { errors } from 'oidc-provider'
import type { Recorder } from '#src/audit/recorder.ts'
import { channelNamed, type Channel, type Channels } from '#src/channels/channel.ts'
import { AppError } from '#src/errors.ts'
import { visitOf } from '#src/http/visit.ts'
import { acrOf, levelOfAcr, type Level } from '#src/identity/assurance.ts'
import type { Directory } from '#src/login/directory.ts'
import type { SignedIn } from '#src/login/sign-in.ts'
import { grantsInForce, type Application, type ClaimGrant, type ReleasedClaim } from './application.ts'
import type { Applications } from './applications.ts'
import type { BrowserBinding } from './browser-binding.ts'
import type { SharedSessions } from './shared-sessions.ts'
import type { ClaimEnds } from './claim-ends.ts'
import type { Engine } from './engine.ts'
import { claimsAsked, saveGrant } from './grants.ts'
import { noticeVersion, type Notices } from './notices.ts'
import { askedLevel } from './policy.ts'

export interface Interaction {
  readonly uid: string
  readonly prompt: 'login' | 'consent'
  readonly application: Application
  readonly channel: Channel
  readonly asked: Level
  /** The signed-in account, where there is one. */
  readonly accountId?: string
  /** The level of its session. */
  readonly level: Level
  /** When that session began, in seconds. */
  readonly since?: number
  /** The granted claims this request asks for, each with its basis. */
  readonly grants: readonly ClaimGrant[]
}

export interface Interactions {
  /** @throws AppError `attempt_gone` where this browser holds no such interaction */
  find(request: IncomingMessage, response: ServerResponse, uid: string): Promise<Interaction>
  /** Each gives the address where the browser goes on. */
  signedIn(request: IncomingMessage, response: ServerResponse, result: SignedIn): Promise<string>
  answered(
    request: IncomingMessage,
    response: ServerResponse,
    interaction: Interaction,
    agreed: readonly ReleasedClaim[],
  ): Promise<string>
  aborted(request: IncomingMessage, response: ServerResponse): Promise<string>
}

interface Dependencies {
  readonly engine: Engine
  readonly applications: Applications
  readonly channels: Channels
  readonly notices: Notices
  readonly claimEnds: Pick<ClaimEnds, 'ended'>
  readonly sharedSessions: SharedSessions
  readonly browsers: Pick<BrowserBinding, 'holds'>
  readonly findPerson: Directory['find']
  readonly recorder: Recorder
  readonly now: () => number
}

export function createInteractions(deps: Dependencies): Interactions {
  const { engine, applications, channels, notices, claimEnds, sharedSessions, browsers, recorder, now } = deps

  const gone = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (error instanceof errors.SessionNotFound) throw new AppError('attempt_gone', { cause: error })
      throw error
    }
  }

  /** Who was signed out because he had only claimed the account agrees to nothing more in its name. */
  const claimEnded = async (uid: string | undefined): Promise<boolean> => {
    const session = uid === undefined ? undefined : await engine.current().Session.findByUid(uid)
    return session !== undefined && claimEnds.ended(session)
  }

  const sinceOf = async (uid: string | undefined): Promise<{ since?: number }> => {
    const session = uid === undefined ? undefined : await engine.current().Session.findByUid(uid)
    // Whoever stands at a shared device next has no part in the session of the one before.
    if (session?.loginTs === undefined || (await sharedSessions.began(session))) return {}
    return { since: session.loginTs }
  }

  return {
    async find(request, response, uid) {
      const found = await gone(engine.current().interactionDetails(request, response))
      if (!(await browsers.holds(request, found.uid))) throw new AppError('attempt_gone')
      const application = await applications.get(String(found.params['client_id']))
      const prompt = found.prompt.name
      if (found.uid !== uid || !application || (prompt !== 'login' && prompt !== 'consent')) {
        throw new AppError('attempt_gone')
      }
      if (prompt === 'consent' && (await claimEnded(found.session?.uid))) throw new AppError('attempt_gone')
      const asked = new Set(claimsAsked(application, found.params, now()))
      return {
        uid,
        prompt,
        application,
        channel: channelNamed(channels, application.channel),
        asked: askedLevel(application, found.params),
        grants: grantsInForce(application, now()).filter(({ claim }) => asked.has(claim)),
        ...(found.session?.accountId === undefined ? {} : { accountId: found.session.accountId }),
        ...(prompt === 'login' ? await sinceOf(found.session?.uid) : {}),
        level: levelOfAcr(found.session?.acr ?? '') ?? 1,
      }
    },

    async signedIn(request, response, { accountId, level, amr, at, remember, shared }) {
      if (shared !== undefined) await sharedSessions.mark(accountId, at, shared)
      const login = { accountId, acr: acrOf(level), amr: [...amr], ts: at, remember }
      return gone(engine.current().interactionResult(request, response, { login }, { mergeWithLastSubmission: false }))
    },

    async answered(request, response, interaction, agreed) {
      const { application, accountId, grants, level } = interaction
      if (accountId === undefined) throw new AppError('attempt_gone')
      const claims = grants.map(({ claim }) => claim)
      await recorder.record({
        type: 'notice.answered',
        outcome: 'ok',
        reference: visitOf(request).reference,
        application: application.id,
        channel: interaction.channel.name,
        person: accountId,
        facts: {
          version: noticeVersion(application, grantsInForce(application, now())),
          agreed: agreed.filter((claim) => claims.includes(claim)),
          refused: claims.filter((claim) => !agreed.includes(claim)),
        },
      })
      const standing = await notices.standing(accountId, application)
      const untouched = (of: readonly ReleasedClaim[] = []) => of.filter((claim) => !claims.includes(claim))
      const others = untouched(standing?.claims)
      const answer = {
        claims: [...others, ...agreed],
        refused: [...untouched(standing?.refused), ...claims.filter((claim) => !agreed.includes(claim))],
      }
      // Whoever is only registered here, at an account that is somebody's, answers for himself and not for its owner.
      const person = await deps.findPerson(accountId)
      if (level >= Math.min(person?.proofing ?? 4, 2)) await notices.keep(accountId, application, answer)
      // A grant of its own for each answer: what was refused before may be agreed to now.
      const provider = engine.current()
      const grant = new provider.Grant({ accountId, clientId: application.id })
      const consent = { grantId: await saveGrant(grant, application, [...claims, ...others], answer.claims) }
      return gone(provider.interactionResult(request, response, { consent }, { mergeWithLastSubmission: true }))
    },

    aborted(request, response) {
      const result = { error: 'access_denied', error_description: 'the citizen went back' }
      return gone(engine.current().interactionResult(request, response, result, { mergeWithLastSubmission: false }))
    },
  }
}
