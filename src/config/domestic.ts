/** Who signs otherwise than with SM2 or SM3, which `crypto.policy` `sm-only` does not allow (DESIGN D17). */
import type { Config } from '../config.ts'
import type { UpstreamSettings } from './upstream.ts'

/** Whether anything between us and this platform would be signed otherwise than with SM2 or SM3. */
export const isForeign = (settings: UpstreamSettings): boolean => {
  if (settings.kind === 'ticket') return ['md5', 'hmac-sha256'].includes(settings.signing.kind)
  const { algorithms, authentication } = settings
  const own = authentication.method === 'private_key_jwt' ? [authentication.algorithm] : []
  return [...algorithms, ...own].some((algorithm) => algorithm !== 'SGD_SM3_SM2')
}

/** Whether requests to this face service would be signed otherwise than with SM3. */
export const isForeignFace = (service: NonNullable<Config['verifiers']['face']>['service'] | undefined): boolean =>
  service?.kind === 'tencent' || (service?.kind === 'aliyun' && service.algorithm !== 'ACS3-HMAC-SM3')
