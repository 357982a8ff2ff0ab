/**
 * Signing out (OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0): our own pages, and logout notices
 * through the durable outbox instead of the engine's single try (engine traps 3 and 13).
 */
import { randomUUID } from 'node:crypto'
import type { Client, Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Recorder } from '#src/audit/recorder.ts'
import type { Pages } from '#src/http/pages.ts'
import { formTargetsOf } from '#src/http/security.ts'
import type { Outbox } from '#src/outbox/outbox.ts'
import { postForm, type AddressOptions } from '#src/peers/registered-address.ts'
import type { Application } from './application.ts'
import { applicationOf } from './clients.ts'

const kind = 'logout-notice'
const backchannelEvent = 'http://schemas.openid.net/event/backchannel-logout'

type Notice = {
  readonly application: string
  readonly account: string
  readonly sid: string | null
  /** The same at each try, so that a receiver can tell a repetition. */
  readonly jti: string
}

/** For the seam: instead of sending within the citizen's request, store the notice. */
export function noticeLater(outbox: Outbox) {
  return (client: Client, account: string, sid: string | undefined): Promise<void> => {
    const notice: Notice = { application: client.clientId, account, sid: sid ?? null, jti: randomUUID() }
    return outbox.enqueue(kind, [notice])
  }
}

/** Signs each notice anew at each try, since a logout token lives for two minutes only. */
export function sendNotices(outbox: Outbox, provider: Provider, recorder: Recorder, options: AddressOptions): void {
  outbox.handle(kind, async ({ payload }) => {
    const { application, account, sid, jti } = payload as Notice
    const client = await provider.Client.find(application)
    if (!client?.backchannelLogoutUri) return
    const token = new provider.IdToken({ sub: account }, { ctx: undefined as never, client })
    // What of the account the token may hold; the types do not know the member.
    Object.assign(token, { mask: { sub: null } })
    token.set('events', { [backchannelEvent]: {} })
    token.set('jti', jti)
    if (client.backchannelLogoutSessionRequired && sid !== null) token.set('sid', sid)
    const status = await postForm(
      client.backchannelLogoutUri,
      { logout_token: await token.issue({ use: 'logout' }) },
      options,
    )
    if (status !== 200 && status !== 204) throw new Error(`the application answered ${status}`)
    await recorder.record({ type: 'logout.notice', outcome: 'ok', application, person: account })
  })
}

/** The form ends at our own address, which redirects to the application: both are allowed as targets. */
function targetsOf(ctx: KoaContextWithOIDC): readonly string[] {
  const application = applicationOf(ctx.oidc.client)
  return application ? formTargetsOf(application.postLogoutRedirectUris) : []
}

/** What the engine keeps in the session until the citizen has answered. */
const asked = (ctx: KoaContextWithOIDC) =>
  ctx.oidc.session?.state as { readonly secret: string; readonly clientId?: string } | undefined

/** What the confirming form sends, and where to. */
const formOf = (ctx: KoaContextWithOIDC) => ({ action: '/session/end/confirm', secret: asked(ctx)?.secret ?? '' })

/** Where somebody goes who decides to leave things as they are. */
function homeOf(application: Application | undefined): string {
  const home = application?.redirectUris.find((address) => /^https?:/.test(address))
  return home === undefined ? '/' : new URL(home).origin
}

export function logoutPages(pages: Pages): NonNullable<NonNullable<Configuration['features']>['rpInitiatedLogout']> {
  return {
    enabled: true,
    logoutSource(ctx) {
      const application = applicationOf(ctx.oidc.client)
      ctx.body = pages.render(ctx.req, ctx.res, {
        view: 'logout',
        // The engine's own "no" would still end this application's grant; staying changes nothing.
        data: { ...formOf(ctx), application: application?.name, stay: homeOf(application) },
        formTargets: targetsOf(ctx),
      })
    },
    postLogoutSuccessSource(ctx) {
      ctx.body = pages.render(ctx.req, ctx.res, { view: 'logged-out' })
    },
  }
}

/**
 * Two places of the engine answer with an English page that submits itself: signing out without a session, and signing
 * in as somebody else while a session lives. Ours says what happens and waits for a press of the button.
 */
export function replaceSelfSubmittingPages(provider: Provider, pages: Pages): void {
  provider.use(async (ctx, next) => {
    await next()
    const engine = ctx as KoaContextWithOIDC
    const { oidc } = engine
    if (typeof ctx.body !== 'string' || !ctx.body.includes('<title>Submitting Callback</title>')) return
    // On the way back from signing in the engine has not looked the application up yet.
    const application = applicationOf(oidc.client ?? (await provider.Client.find(asked(engine)?.clientId ?? '')))
    const switching = oidc.route === 'resume'
    ctx.remove('content-length')
    ctx.body = pages.render(ctx.req, ctx.res, {
      view: switching ? 'switch-account' : 'nothing-to-end',
      data: { ...formOf(engine), stay: homeOf(application) },
      formTargets: formTargetsOf([
        ...(application?.postLogoutRedirectUris ?? []),
        ...(application?.redirectUris ?? []),
      ]),
    })
  })
}
