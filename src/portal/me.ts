/**
 * My account: what is known of me, where I am signed in, what I agreed to, what left for whom; and ending any of it
 * (DESIGN D7; PIPL 15, 44–45).
 */
import { Router, type Request, type Response } from 'express'
import type { AuditEvent, Recorder } from '#src/audit/recorder.ts'
import { field, parseForm } from '#src/http/input.ts'
import type { Pages } from '#src/http/pages.ts'
import { visitOf } from '#src/http/visit.ts'
import { maskNumber } from '#src/identity/id-number.ts'
import { maskName } from '#src/identity/name.ts'
import { maskPhone } from '#src/identity/phone.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import type { Directory } from '#src/login/directory.ts'
import type { Linking } from '#src/login/linking.ts'
import { lacksNumber } from '#src/login/policy.ts'
import type { Applications } from '#src/oidc/applications.ts'
import type { Notices } from '#src/oidc/notices.ts'
import type { Releases } from '#src/oidc/releases.ts'
import type { CurrentSession, Sessions } from '#src/oidc/sessions.ts'
import { selfId, selfRequest } from './self.ts'

export interface AccountParts {
  readonly issuer: string
  readonly pages: Pages
  readonly sessions: Sessions
  readonly notices: Notices
  readonly releases: Releases
  readonly applications: Applications
  readonly directory: Pick<Directory, 'byId'>
  readonly recorder: Recorder
  readonly linking: Pick<Linking, 'of' | 'unlink'>
  /** May devices be added that sign in? */
  readonly passkeysOffered: boolean
  /** What an issuer of codes is called; undefined: the national service, which the pages name themselves. */
  readonly issuerName: (issuer: string) => { readonly zh: string; readonly en: string } | undefined
}

/** Even its owner sees of a stored number and name no more than tells him that it is his (PAGES). */
const masked = ({ name, documents, phones, proofing }: Citizen) => ({
  name: name === undefined ? undefined : maskName(name),
  level: proofing,
  documents: documents
    .filter(({ status }) => status === 'proven' || status === 'claimed')
    .map(({ kind, number }) => ({ kind, number: maskNumber(number) })),
  phones: phones.map(({ number }) => maskPhone(number)),
})

export function accountPages(deps: AccountParts): Router {
  const { issuer, pages, sessions, notices, releases, applications, directory, recorder, linking } = deps
  const { passkeysOffered, issuerName } = deps
  const router = Router()

  /** The signed-in citizen, or undefined after sending him to sign in: a session below his account shows nothing of it. */
  const signedIn = async (
    request: Request,
    response: Response,
  ): Promise<(CurrentSession & { readonly citizen: Citizen }) | undefined> => {
    const current = await sessions.current(request, response)
    const citizen = current && (await directory.byId(current.accountId))
    if (current && citizen && !(current.level < 2 && citizen.proofing >= 2)) return { ...current, citizen }
    response.redirect(303, selfRequest(issuer, citizen && citizen.proofing >= 2 ? 2 : 1))
    return undefined
  }

  const record = (request: Request, accountId: string, event: Pick<AuditEvent, 'type' | 'facts' | 'application'>) => {
    const { reference, address } = visitOf(request)
    return recorder.record({ ...event, outcome: 'ok', person: accountId, reference, address, channel: 'web' })
  }

  const dataFor = async ({ accountId, uid }: CurrentSession, citizen: Citizen) => {
    const known = new Map((await applications.list()).map((application) => [application.id, application]))
    const named = (id: string) => known.get(id)?.name ?? { zh: id, en: id }
    // A duty of the law is told, not agreed to: there is nothing to withdraw.
    const byConsent = (id: string, claims: readonly string[]) =>
      known.get(id)?.grants.some(({ claim, basis }) => basis === 'consent' && claims.includes(claim)) ?? true
    const [open, told, left, links] = await Promise.all([
      sessions.of(accountId),
      notices.all(accountId),
      releases.of(accountId),
      linking.of(accountId),
    ])
    return {
      citizen: masked(citizen),
      passkeysOffered,
      // Its only door stays open.
      linked: lacksNumber(citizen) ? [] : links.map((link) => ({ ...link, name: issuerName(link.issuer) })),
      sessions: open.map((session) => ({
        ...session,
        here: session.uid === uid,
        applications: session.applications.filter((id) => id !== selfId).map(named),
      })),
      notices: told.map((notice) => ({
        ...notice,
        name: named(notice.application),
        withdrawable: byConsent(notice.application, notice.claims),
      })),
      releases: left.slice(0, 50).map((release) => ({ ...release, name: named(release.application) })),
    }
  }

  router.get('/me', async (request, response) => {
    const current = await signedIn(request, response)
    if (current) pages.send(request, response, { view: 'me', data: await dataFor(current, current.citizen) })
  })

  router.get('/me/callback', (_request, response) => response.redirect(303, '/me'))

  router.post('/me/sessions', parseForm, async (request, response) => {
    const current = await signedIn(request, response)
    if (!current) return
    const uid = field(request, 'session')
    await record(request, current.accountId, { type: 'logout', facts: { from: 'me', all: uid === 'all' } })
    await sessions.end(current.accountId, uid === 'all' ? undefined : uid)
    response.redirect(303, uid === 'all' || uid === current.uid ? '/' : '/me')
  })

  router.post('/me/notices', parseForm, async (request, response) => {
    const current = await signedIn(request, response)
    if (!current) return
    const application = field(request, 'application')
    // Only what stands can be withdrawn, and only its name, never what was typed, reaches the trail.
    const stands = (await notices.all(current.accountId)).some((notice) => notice.application === application)
    if (!stands) return response.redirect(303, '/me')
    await record(request, current.accountId, { type: 'notice.withdrawn', application })
    await notices.withdraw(current.accountId, application)
    await sessions.leave(current.accountId, application)
    response.redirect(303, '/me')
  })

  router.post('/me/links', parseForm, async (request, response) => {
    const current = await signedIn(request, response)
    if (!current) return
    const { reference, address } = visitOf(request)
    await linking.unlink(current.accountId, field(request, 'link'), { reference, address, channel: 'web' })
    response.redirect(303, '/me')
  })

  return router
}
