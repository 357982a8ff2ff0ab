/**
 * Alibaba Cloud ID Verification (Cloudauth 2019-03-07) over its web pages, signed with ACS3: `InitFaceVerify` makes a
 * session, `DescribeFaceVerify` says of it `Passed: T` or `F`, and nothing but a `T` counts. `DeleteFaceVerifyResult` then
 * has all personal data of the session deleted there. `MaterialInfo`, which names scores and images, is not read.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { DocumentKind } from '#src/identity/id-number.ts'
import { acs3Headers, canonicalQuery, type Acs3Algorithm } from '#src/peers/acs3.ts'
import { PeerFailure, PeerRefusal } from '#src/peers/signed-http.ts'
import { askVendor, codeOf } from '#src/peers/vendor-api.ts'
import type { FaceResult, FaceSessions } from './sessions.ts'

export interface AliyunFaceAccount {
  readonly url: string
  readonly keyId: string
  readonly secret: string
  readonly algorithm: Acs3Algorithm
  /** The scene made in its console, where retention of material must be off. */
  readonly sceneId: string
  readonly productCode: string
  /** The kind of liveness check. */
  readonly model: string
  /** What its script `getMetaInfo()` says of a browser; the service chooses its pages by it. */
  readonly metaInfo: string
  readonly timeoutMs: number
  readonly now?: () => number
}

/** Web pages know these two alone; both are `IDENTITY_CARD` to it. */
const kinds: readonly DocumentKind[] = ['resident-id-card', 'hk-macao-taiwan-residence-permit']

/** Codes that speak of this person: what he gave is malformed, or he failed too often today. */
const ofThisPerson: ReadonlySet<string> = new Set(['401', '418'])
/** A session that is not there, or no more. */
const unknown: ReadonlySet<string> = new Set(['406', '424'])

const code = z.union([z.string(), z.number()]).transform(String)
const answerSchema = z.object({ Code: code, ResultObject: z.unknown() })
const madeSchema = z.object({ CertifyId: z.string(), CertifyUrl: z.string() })
const resultSchema = z.object({ Passed: z.string().nullish(), CertifyId: z.string().nullish() })
const deletedSchema = z.object({ DeleteResult: z.literal('Y') })

export function createAliyunFace(account: AliyunFaceAccount): FaceSessions {
  const { keyId, secret, algorithm, sceneId: SceneId, now = Date.now } = account

  type Fields = Readonly<Record<string, string>>
  const ask = async (action: string, query: Fields, form: Fields = {}): Promise<z.infer<typeof answerSchema>> => {
    const url = new URL(account.url)
    const body = canonicalQuery(form)
    const request = { algorithm, keyId, secret, host: url.host, action, version: '2019-03-07', query, body }
    const headers = acs3Headers({ ...request, nonce: randomUUID(), at: now() })
    url.search = canonicalQuery(query)
    const answer = answerSchema.safeParse(await askVendor({ url, headers, body, withinMs: account.timeoutMs }))
    if (!answer.success) throw new PeerFailure('malformed')
    return answer.data
  }

  const verdictOf = (passed: string | null | undefined): FaceResult['verdict'] => {
    if (passed === 'T') return 'passed'
    return passed === 'F' ? 'failed' : 'unfinished'
  }

  return {
    name: 'aliyun',
    kinds,

    async create({ order, number, name, returnTo }) {
      const query = {
        ...{ SceneId, OuterOrderNo: order, ProductCode: account.productCode },
        ...{ CertType: 'IDENTITY_CARD', CertName: name, CertNo: number },
        ...{ ReturnUrl: returnTo, MetaInfo: account.metaInfo, CertifyUrlType: 'H5' },
      }
      // Which goes where is the service's own way, as its SDK (3.5.0) sends it.
      const answer = await ask('InitFaceVerify', query, { Model: account.model })
      if (ofThisPerson.has(answer.Code)) throw new PeerRefusal(codeOf(answer.Code))
      if (answer.Code !== '200') throw new PeerFailure(codeOf(answer.Code))
      const made = madeSchema.safeParse(answer.ResultObject)
      // Not the parser's own error: it quotes what it was given.
      if (!made.success) throw new PeerFailure('malformed')
      return { session: made.data.CertifyId, url: made.data.CertifyUrl }
    },

    async result({ session }) {
      const answer = await ask('DescribeFaceVerify', { SceneId, CertifyId: session })
      if (unknown.has(answer.Code)) return { verdict: 'unknown' }
      if (answer.Code !== '200') throw new PeerFailure(codeOf(answer.Code))
      const result = resultSchema.safeParse(answer.ResultObject)
      if (!result.success) throw new PeerFailure('malformed')
      return { verdict: verdictOf(result.data.Passed), session: result.data.CertifyId ?? undefined }
    },

    async forget(session) {
      const answer = await ask('DeleteFaceVerifyResult', { CertifyId: session, DeleteAfterQuery: 'Y' })
      if (answer.Code !== '200') throw new PeerFailure(codeOf(answer.Code))
      if (!deletedSchema.safeParse(answer.ResultObject).success) throw new PeerFailure('not deleted')
    },
  }
}
