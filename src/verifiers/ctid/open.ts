/** `ctid` (网证, 网证+口令) and `ctid-face` (a face beside it), one service in two modes, as the settings say. */
import type { Config } from '#src/config.ts'
import { AppError } from '#src/errors.ts'
import type { Macs } from '../binder.ts'
import { guarded } from '../guard.ts'
import type { Verifier } from '../verifier.ts'
import { createCtidVerifier, type CtidName } from './index.ts'
import { askerOf } from './signing.ts'

/** @throws AppError `config_invalid`, `key_invalid` */
export function openCtidVerifier(name: CtidName, { verifiers }: Pick<Config, 'verifiers'>, macs: Macs): Verifier {
  if (!verifiers.ctid) throw new AppError('config_invalid', { detail: 'verifiers.ctid: is missing' })
  const { breaker, ...settings } = verifiers.ctid
  const verifier = createCtidVerifier(name, { ...settings, macs, ask: askerOf(settings, Date.now) })
  return guarded(verifier, { failures: breaker.failures, pauseMs: breaker.pause * 1000 })
}
