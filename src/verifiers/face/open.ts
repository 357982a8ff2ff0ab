/** The face service that the settings name. */
import { resolve } from 'node:path'
import type { Config } from '#src/config.ts'
import { readSecret } from '#src/peers/secret-file.ts'
import { peerFrom } from '#src/peers/shared-key.ts'
import { createAliyunFace } from './aliyun.ts'
import { createHttpFace } from './http-sessions.ts'
import type { FaceSessions } from './sessions.ts'
import { createTencentFace } from './tencent.ts'

type Settings = NonNullable<Config['verifiers']['face']>['service']

/** @throws AppError `key_invalid` naming the file of a secret and what to do */
export function openFaceSessions(settings: Settings): FaceSessions {
  if (settings.kind === 'http') return createHttpFace(peerFrom(settings))
  const account = { secret: readSecret(resolve(settings.keyFile)), timeoutMs: settings.timeout * 1000 }
  if (settings.kind === 'aliyun') return createAliyunFace({ ...settings, ...account })
  return createTencentFace({ ...settings, ...account })
}
