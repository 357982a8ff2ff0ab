/**
 * A gateway that keeps its texts instead of sending them, for the demo city and tests: the demo page shows them as a
 * phone would. It is refused in production (config).
 */
import { randomUUID } from 'node:crypto'
import type { SmsGateway, SmsText } from './gateway.ts'

export interface KeptText {
  readonly phone: string
  readonly text: SmsText
  readonly at: number
}

export interface OutboxGateway extends SmsGateway {
  /** The texts to a phone, newest first. */
  texts(phone: string): readonly KeptText[]
  /** All texts, newest first. */
  all(): readonly KeptText[]
}

const kept = 200

export function createOutboxGateway(now: () => number = Date.now): OutboxGateway {
  const texts: KeptText[] = []
  return {
    name: 'outbox',
    async send(phone, text) {
      texts.unshift({ phone, text, at: now() })
      texts.length = Math.min(texts.length, kept)
      return { reference: randomUUID() }
    },
    texts: (phone) => texts.filter((text) => text.phone === phone),
    all: () => [...texts],
  }
}
