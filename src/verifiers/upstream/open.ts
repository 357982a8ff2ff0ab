/** The platforms that the settings name, each by the protocol it speaks, behind its guard. */
import type { Config } from '#src/config.ts'
import type { UpstreamSettings } from '#src/config/upstream.ts'
import type { Macs } from '../binder.ts'
import { guarded } from '../guard.ts'
import type { Verifier } from '../verifier.ts'
import { createUpstreamVerifier } from './index.ts'
import { createOidcPlatform } from './oidc.ts'
import type { Platform } from './platform.ts'
import { createTicketPlatform } from './ticket.ts'

/** @throws AppError `key_invalid` naming the file of a secret and what to do */
export const openPlatform = (settings: UpstreamSettings): Platform =>
  settings.kind === 'oidc' ? createOidcPlatform(settings) : createTicketPlatform(settings)

/** Undefined where no platform goes by that name. @throws AppError `config_invalid`, `key_invalid` */
export function openUpstreamVerifier(
  name: string,
  { issuer, verifiers: { upstream } }: Pick<Config, 'issuer' | 'verifiers'>,
  macs: Macs,
): Verifier | undefined {
  const settings = Object.hasOwn(upstream, name) ? upstream[name] : undefined
  if (!settings) return undefined
  const verifier = createUpstreamVerifier(name, { settings, platform: openPlatform(settings), issuer, macs })
  return guarded(verifier, { failures: settings.breaker.failures, pauseMs: settings.breaker.pause * 1000 })
}
