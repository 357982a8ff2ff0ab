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
  readonly artifacts: Pick<SealedArtifacts, 'spend'>
  readonly now?: () => number
}

/** Longer than carriers keep trying to deliver a text, and to tell us of it. */
const repeatedForMs = 3 * 86_400_000

export function createReceiptRecord({ recorder, artifacts, now = Date.now }: Dependencies) {
  return async ({ gateway, reference, delivered, reason }: Receipt): Promise<void> => {
    const message = messageOf(gateway, reference)
    if (!(await artifacts.spend('Receipt', message, now() + repeatedForMs))) return
    await recorder.record({
      type: delivered ? 'challenge.delivered' : 'challenge.undelivered',
      outcome: delivered ? 'ok' : 'failed',
      ...(reason === undefined ? {} : { reason }),
      facts: { message },
    })
  }
}
