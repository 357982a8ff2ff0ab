/**
 * Tencent Cloud FaceID (2018-03-01), signed with TC3: `DetectAuth` makes a session and its page, `GetDetectInfoEnhanced`
 * says how it ended. It is asked for texts alone (`InfoType` 1), never for images or video; of those, `ErrCode` 0 is a pass,
 * and `IdCard`, `Name` and our own `Extra` say of whom and of which session.
 */
import { z } from 'zod'
import type { DocumentKind } from '#src/identity/id-number.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { tc3Headers } from '#src/peers/tc3.ts'
import { askVendor, codeOf } from '#src/peers/vendor-api.ts'
import type { FaceResult, FaceSessions } from './sessions.ts'

export interface TencentFaceAccount {
  readonly url: string
  readonly keyId: string
  readonly secret: string
  /** The business flow made in its console. */
  readonly ruleId: string
  readonly timeoutMs: number
  readonly now?: () => number
}

const kinds: readonly DocumentKind[] = ['resident-id-card', 'hk-macao-taiwan-residence-permit']

/** Codes that speak of what this person gave. */
const ofThisPerson = /^(InvalidParameterValue|FailedOperation\.(IdFormatError|IdNameMisMatch|NameFormatError))$/
/** A session that is not there, or no more. */
const unknown = /^InvalidParameterValue\.BizToken(Expired|Illegal)$/

const answerSchema = z.object({ Response: z.object({ Error: z.object({ Code: z.string() }).optional() }).loose() })
const madeSchema = z.object({ BizToken: z.string(), Url: z.string() })
const status = z.number().nullish()
const resultSchema = z.object({
  Text: z
    .object({
      ErrCode: status,
      LiveStatus: status,
      Comparestatus: status,
      IdCard: z.string().nullish(),
      Name: z.string().nullish(),
      Extra: z.string().nullish(),
    })
    .nullish(),
})
type Text = NonNullable<z.infer<typeof resultSchema>['Text']>

/** The end of the whole counts; a step that failed contradicts it. */
function verdictOf({ ErrCode: end, LiveStatus: alive, Comparestatus: same }: Text): FaceResult['verdict'] {
  if (end === undefined || end === null) return 'unfinished'
  return end === 0 && (alive ?? 0) === 0 && (same ?? 0) === 0 ? 'passed' : 'failed'
}

export function createTencentFace(account: TencentFaceAccount): FaceSessions {
  const { keyId, secret, ruleId: RuleId, now = Date.now } = account

  /** What `Response` holds, or the code by which it refuses. */
  const ask = async (
    action: string,
    question: object,
  ): Promise<{ readonly refusal: string } | { readonly of: unknown }> => {
    const url = new URL(account.url)
    const body = JSON.stringify(question)
    const signed = tc3Headers({ keyId, secret, service: 'faceid', host: url.host, body, at: now() })
    const headers = { ...signed, 'x-tc-action': action, 'x-tc-version': '2018-03-01' }
    const answer = answerSchema.safeParse(await askVendor({ url, headers, body, withinMs: account.timeoutMs }))
    if (!answer.success) throw new PeerFailure('malformed')
    const { Error: error, ...response } = answer.data.Response
    return error ? { refusal: error.Code } : { of: response }
  }

  return {
    name: 'tencent',
    kinds,

    async create({ order, number, name, returnTo }) {
      const question = { RuleId, IdCard: number, Name: name, RedirectUrl: returnTo, Extra: order }
      const answer = await ask('DetectAuth', question)
      if ('refusal' in answer) {
        const code = codeOf(answer.refusal)
        throw ofThisPerson.test(answer.refusal) ? new PeerRefusal(code) : new PeerFailure(code)
      }
      const made = madeSchema.safeParse(answer.of)
      if (!made.success) throw new PeerFailure('malformed')
      return { session: made.data.BizToken, url: made.data.Url }
    },

    async result({ session }) {
      const answer = await ask('GetDetectInfoEnhanced', { BizToken: session, RuleId, InfoType: '1' })
      if ('refusal' in answer) {
        if (unknown.test(answer.refusal)) return { verdict: 'unknown' }
        throw new PeerFailure(codeOf(answer.refusal))
      }
      const result = resultSchema.safeParse(answer.of)
      if (!result.success) throw new PeerFailure('malformed')
      const { Text: text } = result.data
      if (!text) return { verdict: 'unfinished' }
      const { IdCard: number, Name: name, Extra: order } = text
      // Before he has been looked at it knows none of them and says ''.
      return {
        verdict: verdictOf(text),
        number: number || undefined,
        name: name || undefined,
        order: order || undefined,
      }
    },
  }
}
