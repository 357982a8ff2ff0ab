/** Settings and claims for tests of a city's own verifiers. */
import { hmacSm3 } from 'jose'
import { ownVerifiers, type OwnVerifier } from '#src/config/own.ts'
import type { Mac } from '#src/crypto/mac.ts'
import type { Claim } from '#src/verifiers/verifier.ts'

const mac: Mac = async (text) => Buffer.from(hmacSm3(Buffer.alloc(32, 7), text))
export const macs = (): readonly [Mac] => [mac]

/** A staff card by form, with what a test says differently. */
export function declaration(over: Readonly<Record<string, unknown>>): OwnVerifier {
  const settings = {
    label: { zh: '工作证', en: 'Staff card' },
    help: { zh: '输入工作证号和密码', en: 'Enter the number and the PIN of your staff card' },
    by: 'form',
    proves: ['document'],
    amr: ['pin'],
    cap: 2,
    ...over,
  }
  return ownVerifiers.parse({ 'staff-card': settings })['staff-card'] as OwnVerifier
}

export const claimAt = (now: number, over: Partial<Claim> = {}): Claim => ({
  attempt: 'attempt-1',
  channel: 'web',
  locale: 'zh',
  largeType: false,
  purpose: '社保查询',
  now,
  ...over,
})
