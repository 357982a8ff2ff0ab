/**
 * Channels are rows, not branches (DESIGN D9): which verifiers a channel may use, the highest level it reaches, how
 * long its session lasts. A new kind of terminal is a row in the settings.
 */
import type { Config } from '#src/config.ts'
import { AppError } from '#src/errors.ts'
import type { Level } from '#src/identity/assurance.ts'

export interface Channel {
  readonly name: string
  /** Names of verifiers in the order they are offered. */
  readonly verifiers: readonly string[]
  readonly top: Level
  /** Seconds from sign-in, and seconds without use. */
  readonly session: { readonly absolute: number; readonly idle: number }
  /** Devices of everybody's: nobody is remembered there, and each request is signed in for. */
  readonly shared: boolean
  /** What its methods are called there, where they have other names. */
  readonly methods?: Config['methods']
}

export type Channels = ReadonlyMap<string, Channel>

export function createChannels(rows: Config['channels']): Channels {
  return new Map(Object.entries(rows).map(([name, row]) => [name, { name, ...row }]))
}

/** @throws AppError `config_invalid` for a channel that has no row */
export function channelNamed(channels: Channels, name: string): Channel {
  const channel = channels.get(name)
  if (!channel) throw new AppError('config_invalid', { detail: `there is no channel ${name}` })
  return channel
}
