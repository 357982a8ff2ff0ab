/**
 * The process edge of `npm run keys`: makes the keys of a production node, backs them up apart from the store, and
 * prints the public ones for those who verify tokens and checkpoints (DESIGN D11, D17). Private keys are never printed.
 */
import { parseArgs } from 'node:util'
import { backUpKeys, restoreKeys } from '../crypto/key-backup.ts'
import { createKeys, keyOrigins, publicKeys } from '../crypto/key-store.ts'
import { loadConfig } from '../config.ts'
import { AppError } from '../errors.ts'
import { runHere, type Edge } from './edge.ts'
import { printProgress } from './keys-progress.ts'

const usage = `Usage: npm run keys -- <command>

  create              make the key files that are missing; never overwrites one
  public              print the public keys: "audit" verifies checkpoints, "signing" is a JWK set that verifies tokens
  backup  --to DIR    copy the key files into a new or empty directory, apart from any backup of the store
  restore --from DIR  put the key files of a backup in place; never overwrites one
  progress            how many rows hang on which wrapping key and index version
`

async function create(directory: string, edge: Edge): Promise<void> {
  const made = await createKeys(directory, 'generated')
  for (const { file, origin } of keyOrigins(directory)) {
    if (made.includes(file)) edge.out(`made   ${directory}/${file}`)
    else if (origin === 'development')
      edge.out(
        `kept   ${directory}/${file}: made for development, production refuses it; move it away and run this again`,
      )
    else edge.out(`kept   ${directory}/${file}`)
  }
  if (made.length > 0)
    edge.out(
      'Back these files up (npm run keys -- backup) where only key custodians reach: what they seal opens with nothing else.',
    )
}

/** The option that each command needs, if any. */
const commands = { create: undefined, public: undefined, backup: 'to', restore: 'from', progress: undefined } as const

function understand(args: readonly string[]): { command: keyof typeof commands; place: string } | undefined {
  const options = { to: { type: 'string' }, from: { type: 'string' } } as const
  try {
    const { positionals, values } = parseArgs({ args: [...args], allowPositionals: true, options })
    const command = (Object.keys(commands) as (keyof typeof commands)[]).find((name) => name === positionals[0])
    if (command === undefined || positionals.length > 1) return undefined
    const needed = commands[command]
    const place = needed === undefined ? '' : values[needed]
    return place === undefined || Object.keys(values).some((name) => name !== needed) ? undefined : { command, place }
  } catch {
    return undefined
  }
}

/** Runs one command and gives its exit code: 0 done, 2 not understood or not possible. */
export async function runKeys(args: readonly string[], edge: Edge): Promise<number> {
  try {
    const understood = understand(args)
    if (!understood) {
      edge.err(usage)
      return 2
    }
    const { command, place } = understood
    const { directory } = loadConfig('config', edge.env).keys
    if (command === 'create') await create(directory, edge)
    else if (command === 'progress') await printProgress(loadConfig('config', edge.env).storage.file, edge)
    else if (command === 'backup') {
      for (const file of backUpKeys(directory, place, Date.now())) edge.out(`copied   ${place}/${file}`)
      edge.out('Keep this where only key custodians reach, and never beside a backup of the store.')
    } else if (command === 'restore') {
      for (const file of restoreKeys(place, directory)) edge.out(`restored ${directory}/${file}`)
    } else {
      const { audit, signing } = await publicKeys(directory)
      edge.out(JSON.stringify({ audit, signing: { keys: signing } }, null, 2))
    }
    return 0
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    edge.err(error.message)
    return 2
  }
}

if (import.meta.main) await runHere(runKeys)
