/**
 * Binds an interaction to the browser it began in. The engine's own interaction cookies carry their path and so cannot
 * be `__Host-` cookies: another host of the same domain could plant one, let a citizen sign in to a stranger's request,
 * and hand the stranger his session. A `__Host-` cookie cannot be planted (RFC 6265bis §4.1.3.2).
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { sm3 } from 'jose'
import type { Recorder } from '#src/audit/recorder.ts'
import { AppError } from '#src/errors.ts'
import type { Pages } from '#src/http/pages.ts'
import { cookieOf, visitOf } from '#src/http/visit.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'

export interface BrowserBinding {
  /** Remembers in which browser an interaction begins; gives the browser its cookie where it has none. */
  bind(ctx: KoaContextWithOIDC, uid: string): Promise<void>
  /** Does this request come from the browser in which the interaction began? */
  holds(request: IncomingMessage, uid: string): Promise<boolean>
}

interface Dependencies {
  readonly artifacts: SealedArtifacts
  readonly https: boolean
  readonly lifetimeMs: number
  readonly now?: () => number
}

const kind = 'Browser'
const digest = (cookie: string): string => sm3(cookie).toString('base64url')
const isEqual = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))

export function createBrowserBinding({ artifacts, https, lifetimeMs, now = Date.now }: Dependencies): BrowserBinding {
  const name = https ? '__Host-yihao-browser' : 'yihao-browser'
  const held = (request: IncomingMessage): string | undefined => {
    const cookie = cookieOf(request, name)
    return cookie !== undefined && /^[\w-]{43}$/.test(cookie) ? cookie : undefined
  }

  return {
    async bind(ctx, uid) {
      let cookie = held(ctx.req)
      if (cookie === undefined) {
        cookie = randomBytes(32).toString('base64url')
        ctx.cookies.set(name, cookie, { httpOnly: true, sameSite: 'lax', secure: https, path: '/', signed: false })
      }
      await artifacts.put(kind, uid, digest(cookie), { expiresAt: now() + lifetimeMs })
    },

    async holds(request, uid) {
      const cookie = held(request)
      const bound = await artifacts.get<string>(kind, uid)
      return cookie !== undefined && bound !== undefined && isEqual(bound.value, digest(cookie))
    },
  }
}

interface Guard {
  readonly browsers: BrowserBinding
  readonly pages: Pages
  readonly recorder: Recorder
}

/** The engine resumes an interaction by its own cookie alone; in another browser it does not come to that. */
export function refuseForeignBrowsers(provider: Provider, { browsers, pages, recorder }: Guard): void {
  provider.use(async (ctx, next) => {
    const uid = /^\/auth\/([\w-]+)$/.exec(ctx.path)?.[1]
    if (uid === undefined || (await browsers.holds(ctx.req, uid))) return next()
    const { reference, address, locale } = visitOf(ctx.req)
    await recorder.record({
      type: 'request.refused',
      outcome: 'refused',
      reason: 'foreign_browser',
      reference,
      address,
    })
    const gone = new AppError('attempt_gone')
    const data = { sentence: gone.sentence(locale) }
    ctx.status = gone.status
    ctx.body = pages.render(ctx.req, ctx.res, { view: 'error', status: gone.status, data })
  })
}
