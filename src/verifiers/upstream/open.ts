/** The platform that the settings name, by the protocol it speaks. */
import type { UpstreamSettings } from '#src/config/upstream.ts'
import { createOidcPlatform } from './oidc.ts'
import type { Platform } from './platform.ts'
import { createTicketPlatform } from './ticket.ts'

/** @throws AppError `key_invalid` naming the file of a secret and what to do */
export const openPlatform = (settings: UpstreamSettings): Platform =>
  settings.kind === 'oidc' ? createOidcPlatform(settings) : createTicketPlatform(settings)
