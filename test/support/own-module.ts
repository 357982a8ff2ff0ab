/** A module of a city's own for the tests: a staff card's number and its PIN, in our process. Its faults are settable. */
import type { CreateVerifier } from '#src/verifiers/own/module.ts'
import type { Evidence } from '#src/verifiers/verifier.ts'

interface Options {
  readonly card: string
  readonly pin: string
  readonly person: Evidence['subject']
  readonly lateMs: number
}

export const state: { how: 'throws' | 'hangs' | 'late' | undefined } = { how: undefined }

async function broken(lateMs: number): Promise<void> {
  if (state.how === 'throws') throw new Error('the database is away')
  if (state.how === 'hangs') await new Promise(() => {})
  if (state.how === 'late') await new Promise((done) => setTimeout(done, lateMs))
}

const create: CreateVerifier = (options, { name, settings }) => {
  const { card, pin, person, lateMs } = options as unknown as Options
  return {
    async begin(claim) {
      await broken(lateMs)
      const fields = [
        { name: 'card', label: { zh: '证号', en: 'Card number' }, kind: 'digits' },
        { name: 'pin', label: { zh: '密码', en: 'PIN' }, kind: 'password' },
      ]
      return { show: { fields }, keep: { begun: claim.now }, expiresAt: claim.now + 60_000 }
    },
    async finish(claim, _keep, input) {
      await broken(lateMs)
      const given = input as { readonly card?: string; readonly pin?: string }
      if (given.card !== card || given.pin !== pin) return { ok: false, reason: 'mismatch', detail: 'card-or-pin' }
      const evidence = { verifier: name, amr: settings.amr, level: settings.cap, at: claim.now, subject: person }
      return { ok: true, evidence }
    },
  }
}
export default create
