/** The settings of gateways for texts and voice calls (`verifiers.sms.gateways`, `verifiers.voice.gateways`). */
import { z } from 'zod'
import { bilingual, peer, port, seconds } from './values.ts'

const web = z.url({ protocol: /^https?$/ })
const text = z.string().min(1)
const timeout = seconds.max(5)
/** In logs and the audit trail, where two gateways are of one kind; else the kind. */
const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/)
  .optional()
const templates = z.strictObject({ code: bilingual, notice: bilingual })

const outbox = z.strictObject({ kind: z.literal('outbox'), name })
const http = peer.extend({ kind: z.literal('http'), name })

const aliyun = z.strictObject({
  kind: z.literal('aliyun'),
  name,
  url: web.default('https://dysmsapi.aliyuncs.com'),
  keyId: text,
  keyFile: text,
  algorithm: z.enum(['ACS3-HMAC-SM3', 'ACS3-HMAC-SHA256']),
  sign: text,
  templates,
  timeout,
})

const tencent = z.strictObject({
  kind: z.literal('tencent'),
  name,
  url: web.default('https://sms.tencentcloudapi.com'),
  region: text.default('ap-guangzhou'),
  keyId: text,
  keyFile: text,
  appId: text,
  sign: text,
  templates,
  timeout,
})

const yunmas = z.strictObject({
  kind: z.literal('yunmas'),
  name,
  url: web,
  ecName: text,
  apId: text,
  keyFile: text,
  sign: text,
  addSerial: z.string().default(''),
  /** Holds the last part of the address its reports are posted to; without it, none are taken. */
  reportKeyFile: text.optional(),
  timeout,
})

/** A connection that stays, either encrypted or on a line of ours alone. */
const place = {
  host: text,
  tls: z.boolean().default(false),
  privateLine: z.boolean().default(false),
  window: z.number().int().min(1).max(128).default(16),
  keyFile: text,
  timeout,
}
const ascii = (longest: number) =>
  z
    .string()
    .regex(/^[\x20-\x7e]*$/)
    .max(longest)

const smpp = z.strictObject({
  kind: z.literal('smpp'),
  name,
  ...place,
  port: port.default(2775),
  systemId: ascii(15).min(1),
  systemType: ascii(12).default(''),
  source: ascii(20),
  sourceTon: z.number().int().min(0).max(6).default(0),
  sourceNpi: z.number().int().min(0).max(18).default(0),
})

const cmpp = z.strictObject({
  kind: z.literal('cmpp'),
  name,
  ...place,
  port: port.default(7890),
  version: z.enum(['2.0', '3.0']),
  account: ascii(6).min(1),
  serviceId: ascii(10),
  source: ascii(21).min(1),
  checkGateway: z.boolean().default(true),
})

export const smsGateways = z
  .array(z.discriminatedUnion('kind', [outbox, http, aliyun, tencent, yunmas, smpp, cmpp]))
  .min(1)
export const voiceGateways = z.array(z.discriminatedUnion('kind', [outbox, http]))

export type GatewaySettings = z.infer<typeof smsGateways>[number]
