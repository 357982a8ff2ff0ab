/**
 * Tencent Cloud SMS (2021-01-11), signed with TC3. It takes a template and its variables in order; receipts are pulled
 * from its queue (`PullSmsSendStatus`, to be enabled by the carrier), which gives each once.
 */
import { z } from 'zod'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { askVendor, codeOf } from '#src/peers/vendor-api.ts'
import type { Receipt, SmsGateway } from './gateway.ts'
import { tc3Headers } from '#src/peers/tc3.ts'
import type { Templates } from './templates.ts'

export interface TencentAccount {
  readonly name: string
  readonly url: string
  readonly region: string
  readonly keyId: string
  readonly secret: string
  readonly appId: string
  readonly sign: string
  readonly templates: Templates
  readonly timeoutMs: number
  readonly now?: () => number
}

/** Codes that speak of this number, by which others are not concerned. */
const ofThisNumber =
  /^(LimitExceeded\.PhoneNumber\w*|FailedOperation\.PhoneNumberInBlacklist|InvalidParameterValue\.IncorrectPhoneNumber)$/

const answerSchema = z.object({ Response: z.object({ Error: z.object({ Code: z.string() }).optional() }).loose() })
const statusSchema = z.object({
  SendStatusSet: z.tuple([z.object({ Code: z.string(), SerialNo: z.string().max(200) })]),
})
const receiptsSchema = z.object({
  PullSmsSendStatusSet: z.array(
    z.object({
      SerialNo: z.string().min(1).max(200),
      ReportStatus: z.string(),
      Description: z.string().optional(),
      SessionContext: z.string().optional(),
    }),
  ),
})

/** The most that one pull gives. */
const pulledAtOnce = 100

const refuse = (code: string): never => {
  throw ofThisNumber.test(code) ? new PeerRefusal(codeOf(code)) : new PeerFailure(codeOf(code))
}

export function createTencentGateway(account: TencentAccount): SmsGateway {
  const { name, keyId, secret, appId, now = Date.now } = account

  /** What `Response` holds. @throws PeerRefusal, PeerFailure */
  const ask = async (action: string, question: object, withinMs: number): Promise<unknown> => {
    const url = new URL(account.url)
    const body = JSON.stringify(question)
    const signed = tc3Headers({ keyId, secret, service: 'sms', host: url.host, body, at: now() })
    const called = { 'x-tc-action': action, 'x-tc-version': '2021-01-11', 'x-tc-region': account.region }
    const answer = answerSchema.safeParse(await askVendor({ url, headers: { ...signed, ...called }, body, withinMs }))
    if (!answer.success) throw new PeerFailure('malformed')
    const { Error: error, ...response } = answer.data.Response
    return error ? refuse(error.Code) : response
  }

  return {
    name,

    async send(phone, { template, locale, variables, order }, withinMs = account.timeoutMs) {
      const question = {
        PhoneNumberSet: [phone],
        SmsSdkAppId: appId,
        SignName: account.sign,
        TemplateId: account.templates.of(template, locale),
        TemplateParamSet: order.map((variable) => variables[variable] ?? ''),
        // Comes back with the receipt.
        SessionContext: template,
      }
      const answer = statusSchema.safeParse(await ask('SendSms', question, withinMs))
      if (!answer.success) throw new PeerFailure('malformed')
      const [{ Code: code, SerialNo: reference }] = answer.data.SendStatusSet
      if (code !== 'Ok') refuse(code)
      if (reference === '') throw new PeerFailure('malformed')
      return { reference }
    },

    async pull() {
      const question = { SmsSdkAppId: appId, Limit: pulledAtOnce }
      const answer = receiptsSchema.safeParse(await ask('PullSmsSendStatus', question, account.timeoutMs))
      if (!answer.success) throw new PeerFailure('malformed')
      return answer.data.PullSmsSendStatusSet.flatMap((status): readonly Receipt[] => {
        if (status.SessionContext !== undefined && status.SessionContext !== 'code') return []
        const receipt = { gateway: name, reference: status.SerialNo }
        if (status.ReportStatus === 'SUCCESS') return [{ ...receipt, delivered: true }]
        return [{ ...receipt, delivered: false, reason: codeOf(status.Description) }]
      })
    },
  }
}
