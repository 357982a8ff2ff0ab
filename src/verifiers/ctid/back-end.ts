/**
 * The back end of the national network identity service, as a relying party sees it: it is given a credential that the
 * citizen's app made for one transaction, and says whether it holds and by which code it knows him here.
 *
 * The question has the published field names; the answer is not published, so the settings say where it holds what. Only
 * that is read: a name or a number that comes along is never looked at (国家网络身份认证公共服务管理办法: a result only).
 */
import type { CtidSettings } from '#src/config/ctid.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { fieldAt } from '../field.ts'
import type { Ask } from './signing.ts'

export type AuthMode = 'R01' | 'R02' | 'R03' | 'R04'

/** What the app made: passed on, neither kept nor logged. */
export interface Credential {
  readonly idCardAuthData: string
  readonly certPwdData?: string | undefined
  readonly photoEncData?: string | undefined
}

export interface Verdict {
  /** Undefined: the question was accepted. Else the code by which it was turned down. */
  readonly refusal: string | undefined
  readonly passed?: boolean
  readonly bizSeq?: string | undefined
  readonly authMode?: string | undefined
  readonly subject?: string | undefined
  readonly at?: number | undefined
}

type Settings = Pick<CtidSettings, 'orgCode' | 'appId' | 'appName' | 'answer'>

/** ISO 8601, `20261124170122` in China, or milliseconds. */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{13}$/.test(text)) return Number(text)
  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})?$/.exec(text)
  const iso = digits ? `${digits[1]}-${digits[2]}-${digits[3]}T${digits[4]}:${digits[5]}:${digits[6]}+08:00` : text
  const at = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(iso) ? Date.parse(iso) : NaN
  return Number.isNaN(at) ? undefined : at
}

function verdictOf(told: unknown, answer: Settings['answer']): Verdict {
  const code = fieldAt(told, answer.code)
  if (code === undefined) throw new PeerFailure('malformed')
  return {
    refusal: code === answer.accepted ? undefined : code,
    passed: fieldAt(told, answer.result) === answer.passed,
    bizSeq: fieldAt(told, answer.bizSeq),
    authMode: fieldAt(told, answer.authMode),
    subject: fieldAt(told, answer.subject),
    at: timeOf(fieldAt(told, answer.time)),
  }
}

/** What a service says of a question it cannot read: the doing of whoever brought that credential, so it is up. */
const unreadable: ReadonlySet<unknown> = new Set([400, 413, 422])

/** @throws PeerFailure where there is no answer of this shape in time */
export async function presentCredential(
  ask: Ask,
  { orgCode, appId, appName, answer }: Settings,
  transaction: { readonly bizSeq: string; readonly authMode: AuthMode },
  { idCardAuthData, certPwdData, photoEncData }: Credential,
): Promise<Verdict> {
  const question = {
    ...{ orgCode, appId, appName, ...transaction, idCardAuthData },
    ...(certPwdData === undefined ? {} : { certPwdData }),
    ...(photoEncData === undefined ? {} : { photoEncData }),
  }
  try {
    return verdictOf(await ask(question), answer)
  } catch (error) {
    if (!(error instanceof PeerRefusal) || !unreadable.has(error.status)) throw error
    return { refusal: String(error.status) }
  }
}
