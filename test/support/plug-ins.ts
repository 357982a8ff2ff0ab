/**
 * Verifiers of each way to answer, as plain as they can be, for what login and pages do with any verifier: whoever
 * knows the number of somebody is him. Each can be told to break.
 */
import { randomUUID } from 'node:crypto'
import { AppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'
import type { Begun, Claim, Evidence, Outcome, Verifier } from '#src/verifiers/verifier.ts'

export interface PlugIns {
  readonly verifiers: ReadonlyMap<string, Verifier>
  /** What `begin` was given last. */
  readonly given: { claim?: Claim; input?: unknown }
  /** From now on these are broken, or known to be. */
  broken: Set<string>
  down: Set<string>
}

type Subject = Evidence['subject']

export function plugIns(): PlugIns {
  const given: PlugIns['given'] = {}
  const broken = new Set<string>()
  const down = new Set<string>()

  const make = (
    what: Pick<Verifier, 'name' | 'by' | 'cap'> & Partial<Verifier>,
    subjectOf: (answer: unknown, keep: Begun['keep']) => Subject | undefined,
    show: Begun['show'] = {},
  ): Verifier => {
    const { name, cap } = what
    const works = () => {
      if (broken.has(name)) throw new AppError('verifier_unavailable', { detail: name })
    }
    return {
      ...{ amr: ['x'], tries: 1, down: () => down.has(name) },
      ...what,
      async begin(claim, input) {
        Object.assign(given, { claim, input })
        works()
        const { url = '', state = '' } = claim.returnTo ?? {}
        return {
          show: { nonce: 'nonce', ...show },
          keep: { named: (input ?? null) as never },
          expiresAt: claim.now + 60_000,
          reference: `ref-${randomUUID()}`,
          ...(what.by === 'redirect' ? { leaveTo: `https://elsewhere.example/?back=${url}&state=${state}` } : {}),
        }
      },
      async finish(claim, keep, answer): Promise<Outcome> {
        works()
        const subject = subjectOf(answer, keep as Begun['keep'])
        if (!subject) return { ok: false, reason: 'mismatch', detail: 'not-him' }
        return {
          ok: true,
          evidence: { verifier: name, amr: ['x'], level: cap, at: claim.now, reference: 'ref-1', subject },
        }
      },
    }
  }

  const parsed = (text: unknown): Subject | undefined => {
    try {
      return JSON.parse(String(text)) as Subject
    } catch {
      return undefined
    }
  }
  const field = (answer: unknown, name: string) => (answer as Record<string, string>)[name]
  const code = (answer: unknown): Subject | undefined =>
    field(answer, 'code') === undefined ? undefined : { issuer: 'nation', code: String(field(answer, 'code')) }

  const label = (zh: string, en: string) => ({ zh, en })
  const form = { fields: [{ name: 'pin', label: label('口令', 'PIN'), kind: 'digits' }] }
  const all = [
    make(
      { name: 'card', by: 'device', cap: 2 as Level, label: label('刷卡', 'Card'), help: label('放卡', 'Card') },
      parsed,
    ),
    make({ name: 'nation', by: 'redirect', cap: 2, label: label('国家认证', 'Nation'), help: label('国', 'N') }, code),
    make(
      { name: 'nation-face', by: 'redirect', cap: 3, label: label('国家人脸', 'Nation 3'), help: label('国', 'N') },
      code,
    ),
    make(
      {
        ...{ name: 'look', by: 'redirect', cap: 3, named: true, facial: true },
        ...{ label: label('看脸', 'Look'), help: label('看', 'Look') },
        consent: { receiver: label('丁公司', 'Company D'), version: '7' },
      },
      (answer, { named }) => (field(answer, 'pass') === 'yes' ? (named as Subject) : undefined),
    ),
    make(
      { name: 'pin', by: 'form', cap: 2, named: true, label: label('口令', 'PIN'), help: label('填口令', 'Give it') },
      (answer, { named }) => (field(answer, 'pin') === '246810' ? (named as Subject) : undefined),
      form,
    ),
    make(
      { name: 'dial', by: 'form', cap: 2, label: label('拨号', 'Dial'), help: label('拨', 'Dial') },
      (answer) =>
        /^\+861\d{10}$/.test(field(answer, 'pin') ?? '') ? { phone: String(field(answer, 'pin')) } : undefined,
      form,
    ),
    make(
      {
        name: 'token',
        by: 'device',
        cap: 2,
        named: true,
        label: label('令牌', 'Token'),
        help: label('插上', 'Plug in'),
      },
      parsed,
    ),
  ] as const
  return { verifiers: new Map(all.map((one) => [one.name, one])), given, broken, down }
}
