/**
 * Puts on record what became of a code that was sent: by the reference under which `challenge.sent` has it, never by
 * the number. Carriers repeat receipts that they saw no answer to; each counts once.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import type { SealedArtifacts } from '#src/storage/sealed-artifacts.ts'
import type { Receipt } from '#src/verifiers/sms/gateway.ts'
import { messageOf } from '#src/verifiers/sms/fail-over.ts'

interface Dependencies {
  readonly recorder: Pick<Recorder, 'record'>
  readonly artifacts: Pick<SealedArtifacts, 'get' | 'put'>
  readonly now?: () => number
}

/** Longer than carriers keep trying to deliver a text, and to tell us of it. */
const repeatedForMs = 3 * 86_400_000

/** What it gives resolves once the receipt is on record, and @throws where it could not be: then it may come again. */
export function createReceiptRecord({ recorder, artifacts, now = Date.now }: Dependencies) {
  const underWay = new Map<string, Promise<void>>()

  const record = async (message: string, { delivered, reason }: Receipt): Promise<void> => {
    if (await artifacts.get('Receipt', message)) return
    await recorder.record({
      type: delivered ? 'challenge.delivered' : 'challenge.undelivered',
      outcome: delivered ? 'ok' : 'failed',
      ...(reason === undefined ? {} : { reason }),
      facts: { message },
    })
    await artifacts.put('Receipt', message, true, { expiresAt: now() + repeatedForMs })
  }

  return (receipt: Receipt): Promise<void> => {
    const message = messageOf(receipt.gateway, receipt.reference)
    const recording = underWay.get(message) ?? record(message, receipt).finally(() => underWay.delete(message))
    underWay.set(message, recording)
    return recording
  }
}
