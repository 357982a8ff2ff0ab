/**
 * The handle on the running engine. A provider never changes while it runs: new keys make a fresh one over the same
 * adapter, which takes its place between two requests. A request that is being answered ends on the old one, and a
 * sign-in begun on it goes on here, since all it needs is in the store (DESIGN "Rotation without restart").
 */
import type { RequestListener } from 'node:http'
import type { Provider } from 'oidc-provider'
import { createClientKeySets } from './client-key-sets.ts'
import { sendNotices } from './logout.ts'
import { createProvider, type ProviderKeys, type ProviderParts } from './provider.ts'

export interface Engine {
  /** The provider of now; to be asked for at each use and never kept. */
  current(): Provider
  /** Answers a request by the provider of now. */
  readonly handler: RequestListener
  /** Puts a fresh provider with these keys in place. */
  renew(keys: ProviderKeys): void
}

export function createEngine(parts: Omit<ProviderParts, 'keySets'>): Engine {
  const { internalHosts, timeout } = parts.config.outbox
  const addresses = { internalHosts, timeoutMs: timeout * 1000 }
  const keySets = createClientKeySets({ ...addresses, onUnavailable: parts.onFault, now: parts.now })
  const running = (keys: ProviderKeys) => {
    const provider = createProvider({ ...parts, keys, keySets })
    return { provider, answer: provider.callback() }
  }
  let now = running(parts.keys)
  const engine: Engine = {
    current: () => now.provider,
    handler: (request, response) => now.answer(request, response),
    renew: (keys) => void (now = running(keys)),
  }
  sendNotices(parts.outbox, engine, parts.recorder, addresses)
  return engine
}
