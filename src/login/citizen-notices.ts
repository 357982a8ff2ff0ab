/**
 * Texts that tell a citizen what happened to his account (DESIGN D8): stored in the outbox before the page is answered,
 * sent behind it, and again until the gateway takes them. A stored one holds its phone sealed, because by then the
 * account may have let go of it.
 */
import type { Recorder } from '#src/audit/recorder.ts'
import type { Locale } from '#src/errors.ts'
import { primaryDocument, type Citizen } from '#src/identity/citizen.ts'
import type { Outbox } from '#src/outbox/outbox.ts'
import type { Storage } from '#src/storage/storage.ts'
import type { Vault } from '#src/storage/vault.ts'
import { backEndDeadlineMs, within } from '#src/verifiers/deadline.ts'
import type { SmsGateway } from '#src/verifiers/sms/gateway.ts'
import { noticeText, type NoticeEvent } from '#src/verifiers/sms/texts.ts'

export interface CitizenNotices {
  /** Tells each of these phones what happened to that person's account; resolves once the texts are sure to be sent. */
  tell(citizen: Citizen, event: NoticeEvent, phones: readonly string[]): Promise<void>
  /** Tells the owner that somebody else tried to have his account: by his last phone, at most once in 24 hours. */
  tellOfTry(owner: Citizen): Promise<void>
}

interface Dependencies {
  readonly outbox: Pick<Outbox, 'enqueue' | 'handle'>
  readonly gateway: SmsGateway
  readonly vault: Vault
  readonly storage: Pick<Storage, 'counters'>
  readonly recorder: Pick<Recorder, 'record'>
  readonly city: { readonly zh: string; readonly en: string }
  readonly hotline: string
  readonly now?: () => number
}

type Told = {
  readonly person: string
  readonly phone: string
  readonly event: NoticeEvent
  readonly locale: Locale
  readonly at: number
}

const kind = 'citizen-notice'
const dayMs = 86_400_000

/** Whoever shows a foreigner's document reads English; the actor's own language is no guide to the reader's. */
const localeOf = (citizen: Citizen): Locale => {
  const document = primaryDocument(citizen)?.kind
  return document === 'foreigner-permanent-resident-card' || document === 'passport' ? 'en' : 'zh'
}

export function createCitizenNotices(deps: Dependencies): CitizenNotices {
  const { outbox, gateway, vault, storage, recorder, city, hotline, now = Date.now } = deps

  outbox.handle(kind, async ({ payload }) => {
    const told = JSON.parse(await vault.open(payload as string, kind)) as Told
    const { person, phone, event, at, locale } = told
    const text = noticeText({ event, at, locale, city, hotline })
    await within(backEndDeadlineMs, 'verifier_unavailable', () => gateway.send(phone, text))
    await recorder.record({ type: 'citizen.told', outcome: 'ok', person, facts: { event } })
  })

  const tell: CitizenNotices['tell'] = async (citizen, event, phones) => {
    const at = now()
    const seal = (phone: string) => {
      const told: Told = { person: citizen.id, phone, event, locale: localeOf(citizen), at }
      return vault.seal(JSON.stringify(told), kind)
    }
    await outbox.enqueue(kind, await Promise.all(phones.map(seal)))
  }

  return {
    tell,
    async tellOfTry(owner) {
      const phone = owner.phones.findLast(({ proven }) => proven)?.number
      if (phone === undefined) return
      const { points } = await storage.counters.add(`told:${owner.id}`, 1, now(), dayMs)
      if (points === 1) await tell(owner, 'tried', [phone])
    },
  }
}
