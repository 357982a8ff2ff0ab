/** The settings of the face verifier (`verifiers.face`): which service, whom the citizen is told of, how long it may take. */
import { z } from 'zod'
import { bilingual, breaker, peer, seconds } from './values.ts'

const web = z.url({ protocol: /^https?$/ })
const text = z.string().min(1)
const timeout = seconds.max(5)

const aliyun = z.strictObject({
  kind: z.literal('aliyun'),
  url: web.default('https://cloudauth.aliyuncs.com'),
  keyId: text,
  keyFile: text,
  algorithm: z.enum(['ACS3-HMAC-SM3', 'ACS3-HMAC-SHA256']),
  sceneId: z.string().regex(/^\d{1,20}$/),
  productCode: text.default('ID_PRO'),
  model: text.default('MOVE_ACTION'),
  metaInfo: text,
  timeout,
})

const tencent = z.strictObject({
  kind: z.literal('tencent'),
  url: web.default('https://faceid.tencentcloudapi.com'),
  keyId: text,
  keyFile: text,
  ruleId: text,
  timeout,
})

const http = peer.extend({ kind: z.literal('http') })

export const face = z
  .strictObject({
    service: z.discriminatedUnion('kind', [aliyun, tencent, http]),
    /** Who receives the image, and which text of the consent this is. */
    consent: z.strictObject({ receiver: bilingual, version: z.string().regex(/^[\w.-]{1,32}$/) }),
    validity: seconds.max(1800).default(600),
    breaker: breaker.default({ failures: 3, pause: 30 }),
  })
  .optional()
