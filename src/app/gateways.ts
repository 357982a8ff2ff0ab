/** Wires the gateways of texts and calls: fail-over and breakers before them, their receipts into the audit trail. */
import { resolve } from 'node:path'
import type { Recorder } from '../audit/recorder.ts'
import type { Config } from '../config.ts'
import type { Logger } from '../http/log.ts'
import { createReceiptRecord } from '../login/receipts.ts'
import { readSharedKey } from '../peers/shared-key.ts'
import type { SealedArtifacts } from '../storage/sealed-artifacts.ts'
import { createFailOver, type Member } from '../verifiers/sms/fail-over.ts'
import type { SmsGateway } from '../verifiers/sms/gateway.ts'
import { openGateways } from '../verifiers/sms/open.ts'
import { createReportDesk, pullReceipts, type ReportDesk } from '../verifiers/sms/receipts.ts'

export interface Gateways {
  readonly sms: SmsGateway
  readonly voice: SmsGateway | undefined
  readonly reports: ReportDesk
  close(): Promise<void>
}

/** What a caller may put in place of those that the settings name. */
interface Overrides {
  readonly smsGateway?: SmsGateway | undefined
  readonly voiceGateway?: SmsGateway | undefined
}

interface Parts {
  readonly recorder: Recorder
  readonly artifacts: SealedArtifacts
  readonly log: Logger
  readonly now: () => number
}

const pullEveryMs = 30_000

/** @throws AppError `key_invalid` */
export function wireGateways(config: Config, overrides: Overrides, { recorder, artifacts, log, now }: Parts): Gateways {
  const { sms, voice } = config.verifiers
  const onReceipt = createReceiptRecord({ recorder, artifacts, now })
  const onFault = (gateway: string, error: unknown) => log.warn({ gateway, err: error }, 'a gateway failed')
  const open = (given: SmsGateway | undefined, settings: typeof sms.gateways): readonly Member[] =>
    given ? [{ gateway: given, timeoutMs: 5_000 }] : openGateways(settings, { onReceipt, onFault, now })
  const texts = open(overrides.smsGateway, sms.gateways)
  const calls = open(overrides.voiceGateway, voice.gateways)

  const { failures, pause } = sms.breaker
  const limits = { failures, pauseMs: pause * 1000, now, onFailure: onFault }
  const failOvers = {
    sms: createFailOver(texts, limits),
    voice: calls.length > 0 ? createFailOver(calls, limits) : undefined,
  }
  const keys = new Map(
    sms.gateways.flatMap((gateway) =>
      gateway.kind === 'yunmas' && gateway.reportKeyFile !== undefined
        ? [[gateway.name ?? gateway.kind, readSharedKey(resolve(gateway.reportKeyFile)).toString('base64url')]]
        : [],
    ),
  )
  const stopPulling = pullReceipts(texts, { everyMs: pullEveryMs, onReceipt, onFault })

  return {
    ...failOvers,
    reports: createReportDesk(texts, keys, onReceipt),
    async close() {
      await stopPulling()
      await Promise.all([failOvers.sms.close?.(), failOvers.voice?.close?.()])
    },
  }
}
