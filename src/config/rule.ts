/** A rule over several settings, and what rules of every concern ask. */
import type { Config } from '../config.ts'

/** A rule that spans several settings: where it is broken, what is wrong, what to do. */
export interface Rule {
  readonly path: string
  readonly broken: (config: Config) => boolean
  readonly remedy: string
}

export const production = (config: Config) => config.environment === 'production'

/** Names, numbers and codes go there: in production only encrypted, or not over any network. */
export const isOpenWire = (url: string | undefined): boolean => {
  if (url === undefined) return false
  const { protocol, hostname } = new URL(url)
  return protocol !== 'https:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}
