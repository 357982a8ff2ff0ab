/**
 * A ring in which signers in hardware take the place of the software ones of the same algorithm. Those are retired, not
 * dropped: what they signed yesterday is still verified today, until they are taken out of the key files.
 */
import type { KeyRing, Keys, KeyState } from './keys.ts'
import type { Signer } from './signer.ts'

export function withHardwareSigners(ring: KeyRing, hardware: readonly Signer[]): KeyRing {
  const inHardware = new Set(hardware.map(({ alg }) => alg))
  const stateOf = (alg: string, state: KeyState): KeyState => (inHardware.has(alg) ? 'retired' : state)
  const replaced = (keys: Keys): Keys => ({
    ...keys,
    described: [
      ...hardware.map(({ kid, alg }) => ({ kid, use: 'sig' as const, alg, state: 'active' as const })),
      ...keys.described.map((key) => (key.use === 'sig' ? { ...key, state: stateOf(key.alg, key.state) } : key)),
    ],
    signers: [
      ...hardware.map((key) => ({ key, state: 'active' as const })),
      ...keys.signers.map(({ key, state }) => ({ key, state: stateOf(key.alg, state) })),
    ],
  })
  let content = replaced(ring.current())
  // Before any listener of ours: whoever is told of a change finds it here.
  ring.onChange(() => (content = replaced(ring.current())))
  return { ...ring, current: () => content }
}
