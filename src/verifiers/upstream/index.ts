/**
 * A platform above the city as a verifier: the citizen signs in there, and it tells who he is. The name is the settings'
 * (`verifiers.upstream.<name>`), so its words are too. What it proves is what the tables of the settings say, never more
 * than `cap`; the account is found by the document (`login/`).
 */
import { randomUUID } from 'node:crypto'
import type { UpstreamSettings } from '#src/config/upstream.ts'
import { AppError } from '#src/errors.ts'
import type { Macs } from '../binder.ts'
import { createBinding } from '../bound.ts'
import type { Outcome, Verifier } from '../verifier.ts'
import { readAccount } from './account.ts'
import type { Platform } from './platform.ts'

interface Dependencies {
  readonly settings: UpstreamSettings
  readonly platform: Platform
  /** Ours. */
  readonly issuer: string
  readonly macs: Macs
}

/** @throws AppError `config_invalid` where the platform is this server itself */
export function createUpstreamVerifier(name: string, { settings, platform, issuer, macs }: Dependencies): Verifier {
  const { label, help, notFor, amr, cap, validity } = settings
  if (platform.origins.includes(new URL(issuer).origin)) {
    throw new AppError('config_invalid', { detail: `verifiers.upstream.${name}: is this server itself` })
  }
  const ours = [issuer, ...settings.loop.ours]
  const binding = createBinding(`upstream ${name}`, { macs, validity })

  return {
    ...{ name, label, notFor, amr, cap },
    ...(help === undefined ? {} : { help }),
    tries: 1,
    by: 'redirect',

    async begin(claim) {
      const { returnTo } = claim
      if (!returnTo) throw new AppError('internal', { detail: `${name} has nowhere to come back to` })
      const reference = randomUUID()
      const { leaveTo, own } = await platform.leave({ ...claim, returnTo }, reference)
      return { show: {}, ...(await binding.bind(claim, { ...own, reference })), reference, leaveTo }
    },

    async finish(claim, keep, input): Promise<Outcome> {
      const bound = await binding.open(claim, keep)
      if ('ok' in bound) return bound
      const { reference = '', ...own } = bound.own
      const told = await platform.ask(claim, own, reference, input)
      if ('fault' in told) return { ok: false, reason: told.givenUp ? 'rejected' : 'mismatch', detail: told.fault }
      const account = readAccount(told.claims, settings, ours, claim.now)
      if (typeof account === 'string') return { ok: false, reason: 'mismatch', detail: account }
      return { ok: true, evidence: { verifier: name, amr, at: claim.now, reference, ...account } }
    },
  }
}
