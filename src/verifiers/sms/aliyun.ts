/**
 * Alibaba Cloud SMS (Dysmsapi 2017-05-25), signed with ACS3 over SM3 or SHA-256. It takes a template and its variables by
 * name; receipts are asked for, text by text (`QuerySendDetails`), because its callbacks carry no signature.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { dayInChina } from '#src/identity/calendar.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { acs3Headers, canonicalQuery, type Acs3Algorithm } from '#src/peers/acs3.ts'
import { askVendor, codeOf } from '#src/peers/vendor-api.ts'
import { nationalOf, type Receipt, type SmsGateway } from './gateway.ts'
import type { Templates } from './templates.ts'

export interface AliyunAccount {
  readonly name: string
  readonly url: string
  readonly keyId: string
  readonly secret: string
  readonly algorithm: Acs3Algorithm
  /** The approved signature (签名), which the service puts before the text. */
  readonly sign: string
  readonly templates: Templates
  readonly timeoutMs: number
  readonly now?: () => number
}

/** Codes that speak of this number, by which others are not concerned. */
const ofThisNumber: ReadonlySet<string> = new Set([
  'isv.MOBILE_NUMBER_ILLEGAL',
  'isv.BUSINESS_LIMIT_CONTROL',
  'isv.BLACK_KEY_CONTROL_LIMIT',
  'isv.BLACKLIST',
])

const answerSchema = z.object({ Code: z.string() })
const sentSchema = z.object({ BizId: z.string().min(1).max(200) })
const detailsSchema = z.object({
  SmsSendDetailDTOs: z.object({
    SmsSendDetailDTO: z.array(z.object({ SendStatus: z.number(), ErrCode: z.string().optional() })),
  }),
})

/** SendStatus of a text whose fate is known. */
const failed = 2
const received = 3

/** Texts whose receipt is awaited, in memory alone, since their numbers are needed to ask. */
const awaitedAtMost = 5_000
/** Asked at one pull, so that receipts never crowd out texts. */
const askedAtOnce = 100
const awaitedForMs = 3_600_000

export function createAliyunGateway(account: AliyunAccount): SmsGateway {
  const { name, keyId, secret, algorithm, now = Date.now } = account
  const awaited = new Map<string, { readonly phone: string; readonly at: number }>()

  /** @throws PeerRefusal, PeerFailure */
  const ask = async (action: string, query: Readonly<Record<string, string>>, withinMs: number): Promise<unknown> => {
    const url = new URL(account.url)
    const request = { algorithm, keyId, secret, host: url.host, action, version: '2017-05-25', query }
    const headers = acs3Headers({ ...request, nonce: randomUUID(), at: now() })
    url.search = canonicalQuery(query)
    const answer = await askVendor({ url, headers, withinMs })
    const code = answerSchema.safeParse(answer).data?.Code
    if (code !== undefined && ofThisNumber.has(code)) throw new PeerRefusal(codeOf(code))
    if (code !== 'OK') throw new PeerFailure(codeOf(code))
    return answer
  }

  const receiptOf = async (reference: string): Promise<Receipt | undefined> => {
    const { phone = '', at = 0 } = awaited.get(reference) ?? {}
    const query = {
      ...{ PhoneNumber: nationalOf(phone), BizId: reference, SendDate: dayInChina(at).replaceAll('-', '') },
      ...{ PageSize: '10', CurrentPage: '1' },
    }
    const details = detailsSchema.safeParse(await ask('QuerySendDetails', query, account.timeoutMs))
    const [detail] = details.data?.SmsSendDetailDTOs.SmsSendDetailDTO ?? []
    if (detail?.SendStatus === received) return { gateway: name, reference, delivered: true }
    if (detail?.SendStatus !== failed) return undefined
    return { gateway: name, reference, delivered: false, reason: codeOf(detail.ErrCode) }
  }

  return {
    name,

    async send(phone, { template, locale, variables }, withinMs = account.timeoutMs) {
      const query = {
        PhoneNumbers: nationalOf(phone),
        SignName: account.sign,
        TemplateCode: account.templates.of(template, locale),
        TemplateParam: JSON.stringify(variables),
      }
      const sent = sentSchema.safeParse(await ask('SendSms', query, withinMs))
      if (!sent.success) throw new PeerFailure('malformed')
      const reference = sent.data.BizId
      if (template === 'code' && awaited.size < awaitedAtMost) awaited.set(reference, { phone, at: now() })
      return { reference }
    },

    async pull() {
      for (const [reference, { at }] of awaited) if (now() - at > awaitedForMs) awaited.delete(reference)
      const receipts: Receipt[] = []
      for (const reference of [...awaited.keys()].slice(0, askedAtOnce)) {
        const receipt = await receiptOf(reference)
        const asked = awaited.get(reference)
        awaited.delete(reference)
        if (receipt) receipts.push(receipt)
        // Those that are not known yet go to the end.
        else if (asked) awaited.set(reference, asked)
      }
      return receipts
    },
  }
}
