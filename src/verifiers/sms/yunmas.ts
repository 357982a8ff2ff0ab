/**
 * China Mobile's 云MAS over HTTP: base64 JSON with an MD5 over its members and the secret, which travels along; so the
 * line must be encrypted. It takes the whole text. Its reports are pushed to an address of ours (`receipts.ts`).
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { PeerFailure } from '#src/peers/signed-http.ts'
import { askVendor, codeOf } from '#src/peers/vendor-api.ts'
import { nationalOf, type Receipt, type SmsGateway } from './gateway.ts'

export interface YunmasAccount {
  readonly name: string
  /** Up to and with `/sms`. */
  readonly url: string
  readonly ecName: string
  readonly apId: string
  readonly secret: string
  /** The code of the signature that the platform puts before the text. */
  readonly sign: string
  readonly addSerial: string
  readonly timeoutMs: number
}

const answerSchema = z.object({ success: z.boolean(), rspcod: z.string(), msgGroup: z.string().max(200).optional() })
const reportsSchema = z
  .array(
    z.object({
      msgGroup: z.string().min(1).max(200),
      reportStatus: z.string().optional(),
      errorCode: z.string().optional(),
    }),
  )
  .max(1000)

/** What the platform adds itself is not sent. */
const withoutSignature = (text: string) => text.replace(/^【[^】]*】|^\[[^\]]*\] ?/, '')

/** Notices whose receipts are passed over; more than are ever awaited at once. */
const noticesKept = 10_000

export function createYunmasGateway(account: YunmasAccount): SmsGateway {
  const { name, ecName, apId, secret: secretKey, sign, addSerial } = account
  const notices = new Set<string>()

  const ask = (path: string, question: object, withinMs: number): Promise<unknown> => {
    const body = Buffer.from(JSON.stringify(question)).toString('base64')
    const url = new URL(`${account.url.replace(/\/$/, '')}/${path}`)
    return askVendor({ url, headers: { 'content-type': 'text/plain' }, body, withinMs })
  }

  return {
    name,

    async send(phone, { template, text }, withinMs = account.timeoutMs) {
      const [mobiles, content] = [nationalOf(phone), withoutSignature(text)]
      const members = [ecName, apId, secretKey, mobiles, content, sign, addSerial]
      const mac = createHash('md5').update(members.join('')).digest('hex')
      const question = { ecName, apId, secretKey, mobiles, content, sign, addSerial, mac }
      const answer = answerSchema.safeParse(await ask('norsubmit', question, withinMs))
      if (!answer.success) throw new PeerFailure('malformed')
      const { success, rspcod, msgGroup: reference = '' } = answer.data
      if (!success || rspcod !== 'success') throw new PeerFailure(codeOf(rspcod))
      if (reference === '') throw new PeerFailure('malformed')
      if (template !== 'code' && notices.size < noticesKept) notices.add(reference)
      return { reference }
    },

    reported(body) {
      const reports = reportsSchema.safeParse(Array.isArray(body) ? body : [body])
      if (!reports.success) throw new PeerFailure('malformed')
      return reports.data.flatMap(({ msgGroup: reference, errorCode, reportStatus }): readonly Receipt[] => {
        if (notices.delete(reference)) return []
        const word = reportStatus ?? errorCode ?? ''
        const delivered = word === 'DELIVRD' || word === 'CM:0000'
        return [{ gateway: name, reference, delivered, ...(delivered ? {} : { reason: codeOf(errorCode ?? word) }) }]
      })
    },
  }
}
