/** A verifier of a city's own by its settings: the declared one before a module or a service, guarded (DESIGN D10). */
import type { OwnVerifier } from '#src/config/own.ts'
import { AppError } from '#src/errors.ts'
import { peerFrom } from '#src/peers/shared-key.ts'
import type { Macs } from '../binder.ts'
import { guarded } from '../guard.ts'
import type { Verifier } from '../verifier.ts'
import { createDeclaredVerifier, type BackEnd } from './declared.ts'
import { createHttpBackEnd } from './http.ts'

interface Dependencies {
  readonly macs: Macs
  /** Those that `loadModules` has loaded. */
  readonly modules: ReadonlyMap<string, BackEnd>
}

/** @throws AppError `key_invalid` where the shared key cannot be read */
export function createOwnVerifier(name: string, settings: OwnVerifier, { macs, modules }: Dependencies): Verifier {
  const { by, named, timeout, breaker } = settings
  const backEnd =
    settings.kind === 'http' ? createHttpBackEnd({ name, by, named, peer: peerFrom(settings) }) : modules.get(name)
  if (!backEnd) throw new AppError('config_invalid', { detail: `verifiers.own.${name}: its module was not loaded` })
  return guarded(createDeclaredVerifier({ name, settings, backEnd, macs }), {
    timeoutMs: timeout * 1000,
    failures: breaker.failures,
    pauseMs: breaker.pause * 1000,
  })
}
