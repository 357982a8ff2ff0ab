/**
 * Everything that answers HTTP, in the order in which a request meets it: what is known of it, what protects it, the
 * endpoints of applications, the pages of citizens, the engine, and the error page.
 */
import type { RequestListener } from 'node:http'
import { resolve } from 'node:path'
import express, { type Express } from 'express'
import type { Config } from '#src/config.ts'
import { refuseLargeBodies } from '#src/http/body-limit.ts'
import { accessLog } from '#src/http/access-log.ts'
import { canonicalHost } from '#src/http/canonical.ts'
import { refuseForeignOrigins } from '#src/http/csrf.ts'
import { createDeviceCookie } from '#src/http/device.ts'
import { errorPage, notFound } from '#src/http/error-page.ts'
import type { Logger } from '#src/http/log.ts'
import { securityHeaders } from '#src/http/security.ts'
import { theme } from '#src/http/theme.ts'
import { rememberVisit } from '#src/http/visit.ts'
import { browserPaths, protocolPaths } from '#src/oidc/provider.ts'
import { homePages, type HomeParts } from './home.ts'
import { loginPages, type LoginParts } from './login.ts'
import { accountPages, type AccountParts } from './me.ts'
import { passkeyPages, type PasskeyParts } from './passkeys.ts'
import { noticePages } from './notice.ts'
import { receiptDesk, type ReceiptParts } from './receipts.ts'

type Parts = HomeParts &
  Omit<LoginParts, 'deviceCookie' | 'passkeyRenew' | 'passkeysAddable' | 'labels' | 'prefill'> &
  Omit<AccountParts, 'passkeysOffered' | 'issuerName'> &
  PasskeyParts &
  ReceiptParts & {
    readonly config: Pick<Config, 'issuer' | 'city' | 'listen' | 'environment' | 'channels' | 'verifiers' | 'methods'>
    readonly engine: RequestListener
    readonly log: Logger
    readonly views: string
  }

export function createSite(parts: Parts): Express {
  const { config, engine, pages, log, views } = parts
  const { issuer, city, listen } = config
  const secure = issuer.startsWith('https:')

  const site = express()
  site.disable('x-powered-by')
  site.set('trust proxy', [...listen.trustedProxies])
  site.use(canonicalHost(issuer))
  site.use(rememberVisit({ secure }))
  site.use(accessLog(log))
  site.use(securityHeaders({ https: secure }))
  site.use(refuseLargeBodies)
  // Applications come first: nothing that only pages need stands in their way.
  site.all([...protocolPaths], engine)
  site.use(receiptDesk(parts))
  site.use(theme(city))
  const maxAge = config.environment === 'production' ? '1d' : 0
  site.use('/static', express.static(resolve(views, 'static'), { maxAge, index: false }))
  site.use(['/login', '/me', '/session/end/confirm'], refuseForeignOrigins(issuer))
  site.use(homePages(parts))
  const { validity, addedAt2 } = config.verifiers.passkey
  const passkeys = { passkeyRenew: Math.floor(validity * 0.8), passkeysAddable: addedAt2 >= 3 }
  site.use(
    loginPages({
      ...parts,
      ...passkeys,
      labels: config.methods,
      prefill: config.verifiers.idCard.prefill,
      deviceCookie: createDeviceCookie({ secure }),
    }),
  )
  site.use(noticePages(parts))
  const passkeysOffered = config.channels['web']?.verifiers.includes('passkey') ?? false
  const issuerName = (name: string) => config.verifiers.own[name.replace(/^own:/, '')]?.label
  site.use(accountPages({ ...parts, passkeysOffered, issuerName }))
  if (passkeysOffered) site.use(passkeyPages(parts))
  site.all([...browserPaths], engine)
  site.use(notFound)
  site.use(errorPage(pages, log))
  return site
}
