/** Wires the card terminals: their files, followed, and the certificates that vouch for them (`verifiers/id-card/`). */
import { resolve } from 'node:path'
import type { Config } from '../config.ts'
import type { Logger } from '../http/log.ts'
import { followTerminals, readDeviceRoots, type CardDevices } from '../verifiers/id-card/terminals.ts'

/** The verifiers over a card terminal. */
const readers: ReadonlySet<string> = new Set(['id-card', 'card-face'])

/** @returns nothing where no channel reads cards. @throws AppError `config_invalid` naming the file and the fault */
export function wireCardDevices(
  { channels, verifiers }: Config,
  log: Logger,
): (CardDevices & { stop(): void }) | undefined {
  const { roots, terminals: directory } = verifiers.idCard
  const reads = Object.values(channels).some((row) => row.verifiers.some((name) => readers.has(name)))
  if (roots === undefined || !reads) return undefined
  const terminals = followTerminals({
    directory: resolve(directory),
    channels: new Set(Object.keys(channels)),
    onFault: (error) => log.error({ err: error }, 'the terminals stay as they are'),
  })
  return { roots: readDeviceRoots(resolve(roots)), terminals, stop: terminals.stop }
}
