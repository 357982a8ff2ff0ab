/** Wires the card terminals: their files, followed, and the certificates that vouch for them (`verifiers/id-card/`). */
import { resolve } from 'node:path'
import type { Config } from '../config.ts'
import type { Logger } from '../http/log.ts'
import { followTerminals, readDeviceRoots, type CardDevices } from '../verifiers/id-card/terminals.ts'

/** What a caller may put in place of what the settings name: the demo city's devices are made at its first start. */
export interface CardDeviceOverrides {
  readonly roots: readonly string[]
  /** Changes what a terminal's file says before it is checked. */
  readonly prepareTerminal: (input: unknown) => unknown
}

const needsTerminals = ({ channels }: Config): boolean =>
  Object.values(channels).some(({ verifiers }) => verifiers.includes('id-card'))

/** @returns nothing where no channel reads cards. @throws AppError `config_invalid` naming the file and the fault */
export function wireCardDevices(
  config: Config,
  overrides: CardDeviceOverrides | undefined,
  log: Logger,
): (CardDevices & { stop(): void }) | undefined {
  const { roots: rootsFile, terminals: directory } = config.verifiers.idCard
  if (!needsTerminals(config) || rootsFile === undefined) return undefined
  const roots = overrides?.roots ?? readDeviceRoots(resolve(rootsFile))
  const terminals = followTerminals({
    directory: resolve(directory),
    channels: new Set(Object.keys(config.channels)),
    prepare: overrides?.prepareTerminal,
    onFault: (error) => log.error({ err: error }, 'the terminals stay as they are'),
  })
  return { roots, terminals, stop: terminals.stop }
}
