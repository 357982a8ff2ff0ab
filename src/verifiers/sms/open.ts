/** The gateways that the settings name, in their order: opened, and asked for receipts where these do not come alone. */
import { resolve } from 'node:path'
import type { Config } from '#src/config.ts'
import { readSecret } from '#src/peers/secret-file.ts'
import { peerFrom } from '#src/peers/shared-key.ts'
import { createAliyunGateway } from './aliyun.ts'
import { createCmppGateway } from './cmpp/gateway.ts'
import type { Member } from './fail-over.ts'
import type { Receipt, SmsGateway } from './gateway.ts'
import { createHttpGateway } from './http-gateway.ts'
import { createOutboxGateway } from './outbox-gateway.ts'
import { createSmppGateway } from './smpp/gateway.ts'
import { templatesFrom } from './templates.ts'
import { createTencentGateway } from './tencent.ts'
import { createYunmasGateway } from './yunmas.ts'

type Settings = Config['verifiers']['sms']['gateways'][number]

interface Surroundings {
  /** Resolves once the receipt is on record. */
  readonly onReceipt: (receipt: Receipt) => Promise<void>
  /** Hears, by the gateway's name, why a line or a pull of receipts failed. */
  readonly onFault: (gateway: string, error: unknown) => void
  readonly now: () => number
}

const nameOf = ({ name, kind }: Settings) => name ?? kind

function openGateway(settings: Settings, { onReceipt, onFault, now }: Surroundings): SmsGateway {
  const name = nameOf(settings)
  if (settings.kind === 'outbox') return createOutboxGateway(now)
  if (settings.kind === 'http') return createHttpGateway(peerFrom(settings), name)
  const account = { name, secret: readSecret(resolve(settings.keyFile)), timeoutMs: settings.timeout * 1000, now }
  switch (settings.kind) {
    case 'aliyun':
      return createAliyunGateway({ ...settings, ...account, templates: templatesFrom(settings.templates) })
    case 'tencent':
      return createTencentGateway({ ...settings, ...account, templates: templatesFrom(settings.templates) })
    case 'yunmas':
      return createYunmasGateway({ ...settings, ...account })
    default: {
      const { host, port, tls, window } = settings
      const line = { place: { host, port, tls, window, onFault: (error: unknown) => onFault(name, error) }, onReceipt }
      if (settings.kind === 'cmpp') return createCmppGateway({ ...settings, ...account, ...line })
      const source = { ton: settings.sourceTon, npi: settings.sourceNpi, number: settings.source }
      return createSmppGateway({ ...settings, ...account, ...line, source, password: account.secret })
    }
  }
}

/** @throws AppError `key_invalid` naming the file of a secret and what to do */
export function openGateways(settings: readonly Settings[], surroundings: Surroundings): readonly Member[] {
  return settings.map((one) => ({
    gateway: openGateway(one, surroundings),
    timeoutMs: one.kind === 'outbox' ? 1_000 : one.timeout * 1000,
  }))
}
