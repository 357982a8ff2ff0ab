/** Claims, bindings and settings that the tests of the national and provincial verifiers have in common. */
import { createHmac, randomBytes } from 'node:crypto'
import type { Mac } from '#src/crypto/mac.ts'
import { PeerFailure } from '#src/peers/signed-http.ts'
import { guarded } from '#src/verifiers/guard.ts'
import type { Begun, Claim, Verifier } from '#src/verifiers/verifier.ts'

export const now = 1_800_000_000_000
export const issuer = 'https://id.example.gov.cn'

const key = randomBytes(32)
const mac: Mac = async (text) => createHmac('sm3', key).update(text).digest()
export const macs = () => [mac] as const

export const claimOf = (over: Partial<Claim> = {}): Claim => ({
  returnTo: { url: `${issuer}/return/verifier`, state: 'state-1' },
  ...{ attempt: 'attempt-1', channel: 'web', locale: 'zh', largeType: false, purpose: '社保查询', now },
  ...over,
})

/** The verifier behind its guard, with a citizen who has acted as soon as he was sent on. */
export const acted = (verifier: Verifier, timeoutMs: number, act: (begun: Begun) => Promise<void>): Verifier => {
  const guard = guarded(verifier, { failures: 100, pauseMs: 1_000, timeoutMs })
  return {
    ...guard,
    async begin(claim, input) {
      const begun = await guard.begin(claim, input)
      await act(begun)
      return begun
    },
  }
}

/** Something asked that can be made to fail. */
export function breakable<Asked extends readonly unknown[], Answer>(ask: (...asked: Asked) => Promise<Answer>) {
  let how: 'throws' | 'hangs' | 'late' | undefined
  return {
    fail: (way: 'throws' | 'hangs' | 'late') => void (how = way),
    async ask(...asked: Asked): Promise<Answer> {
      if (how === 'throws') throw new PeerFailure('status 503')
      if (how === 'hangs') return new Promise(() => undefined)
      if (how === 'late') await new Promise((done) => setTimeout(done, 100))
      return ask(...asked)
    },
  }
}
