/**
 * The process edge of `npm run keys`: makes the keys of a node, rotates and retires them while servers run, seals them
 * under another key-encryption key, backs them up apart from the store, and prints the public ones for those who verify
 * tokens and checkpoints (DESIGN D11, D17). Private keys are never printed, nor passed as arguments.
 */
import { parseArgs } from 'node:util'
import { loadConfig } from '../config.ts'
import { backUpKeys, restoreKeys } from '../crypto/key-backup.ts'
import { keyFileIn, readUnproven, sealedUnder } from '../crypto/key-file.ts'
import { createKeys, publicKeys } from '../crypto/key-store.ts'
import { AppError } from '../errors.ts'
import { runHere, UsageError, type Edge } from './edge.ts'
import { printProgress, rowsStillUnder } from './keys-progress.ts'
import { check, kekNamed, list, reseal, retire, rotate, type Turn } from './key-turns.ts'

const usage = `Usage: npm run keys -- <command>

  create               make the keys of a node; never overwrites them
  list [--json]        every key: state, use, algorithm, id, times
  check                open everything and say what is wrong; 0 good, 1 to be seen to, 2 the server would not start
  rotate               add next keys, which become active after keys.publishAhead:
    [--alg ALG]        only of SGD_SM3_SM2, ES256, RS256 or SGD_SM2_3; without it, of all four
    audit | wrapping | index | cookies | codes
                       instead, of that use; all but audit become active after seconds
    [--after SECONDS]  sooner or later; 0 is for an emergency
  retire --kid KID     take back a key that is next, or an old one that nothing needs any more
    [--now]            a key became known to others: out of the key set at once
  progress             how many rows hang on which wrapping key and index version
  reseal               seal the keys under another key-encryption key, which is one of
    --kek-file FILE | --kek-environment NAME | --kek-command '["program", "argument"]'
  public               print the public keys: "audit" verifies checkpoints, "signing" is a JWK set that verifies tokens
  backup  --to DIR     copy the key file into a new or empty directory, apart from any backup of the store
  restore --from DIR   put the key file of a backup in place; never overwrites one
`

async function create({ config, edge }: Turn): Promise<number> {
  const { directory } = config.keys
  const made = await createKeys(config.keys, 'generated', { env: edge.env })
  for (const file of made) edge.out(`made   ${file}`)
  const development = readUnproven(directory).origin === 'development'
  const keyFile = keyFileIn(directory)
  if (development)
    edge.out(`kept   ${keyFile}: made for development, production refuses it; move it away and run this again`)
  else if (!made.includes(keyFile)) edge.out(`kept   ${keyFile}`)
  if (made.length > 0)
    edge.out(
      'Back the key file up (npm run keys -- backup), and its key-encryption key elsewhere, where only key custodians reach: what they seal opens with nothing else.',
    )
  return 0
}

async function backup({ config, edge }: Turn, to: string): Promise<number> {
  for (const file of await backUpKeys(config, to, { env: edge.env })) edge.out(`copied   ${to}/${file}`)
  edge.out('The key-encryption key that opens it (keys.kek) is not in it: keep that elsewhere.')
  edge.out('Keep this where only key custodians reach, and never beside a backup of the store.')
  return 0
}

function restore({ config, edge }: Turn, from: string): number {
  const { directory } = config.keys
  for (const file of restoreKeys(from, directory)) edge.out(`restored ${directory}/${file}`)
  edge.out(`It opens with the key-encryption key ${sealedUnder(directory)}; see: npm run keys -- check`)
  return 0
}

function printPublic({ config, edge }: Turn): number {
  const { audit, signing } = publicKeys(config.keys.directory)
  edge.out(JSON.stringify({ audit: { keys: audit }, signing: { keys: signing } }, null, 2))
  return 0
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const options = {
  ...{ to: text, from: text, alg: text, after: text, kid: text, now: flag, json: flag },
  ...{ 'kek-file': text, 'kek-environment': text, 'kek-command': text },
} as const

/** The options that each command takes, and the one that must be there. */
const commands: Readonly<
  Record<string, { readonly takes: readonly (keyof typeof options)[]; readonly needs?: string }>
> = {
  create: { takes: [] },
  list: { takes: ['json'] },
  check: { takes: [] },
  rotate: { takes: ['alg', 'after'] },
  retire: { takes: ['kid', 'now'], needs: 'kid' },
  reseal: { takes: ['kek-file', 'kek-environment', 'kek-command'] },
  progress: { takes: [] },
  public: { takes: [] },
  backup: { takes: ['to'], needs: 'to' },
  restore: { takes: ['from'], needs: 'from' },
}

/** A key id may begin with a dash, and one in 64 does; `parseArgs` would take it for an option. */
function withKid(args: readonly string[]): string[] {
  const at = args.indexOf('--kid')
  const kid = at < 0 ? undefined : args[at + 1]
  if (kid === undefined || Object.hasOwn(options, kid.replace(/^--/, ''))) return [...args]
  return [...args.slice(0, at), `--kid=${kid}`, ...args.slice(at + 2)]
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: withKid(args), allowPositionals: true, options })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`)
  }
}

/** @throws UsageError */
function understood(args: readonly string[]) {
  const { positionals, values } = parsed(args)
  const [command = '', what, ...more] = positionals
  const known = Object.hasOwn(commands, command) ? commands[command] : undefined
  if (!known) throw new UsageError(command === '' ? usage : `there is no command ${command}\n\n${usage}`)
  const { takes, needs } = known
  const given = Object.keys(values)
  const foreign = given.find((name) => !takes.some((taken) => taken === name))
  if (foreign !== undefined) throw new UsageError(`${command} takes no --${foreign}`)
  if (needs !== undefined && !given.includes(needs)) throw new UsageError(`${command} needs --${needs}`)
  const extra = command === 'rotate' ? more[0] : what
  if (extra !== undefined) throw new UsageError(`${command} takes no "${extra}"`)
  return { command, what, values }
}

function run(turn: Turn, { command, what, values }: ReturnType<typeof understood>): number | Promise<number> {
  if (command === 'create') return create(turn)
  if (command === 'list') return list(turn, values.json === true)
  if (command === 'check') return check(turn)
  if (command === 'rotate') return rotate(turn, what, { alg: values.alg, after: values.after })
  if (command === 'retire') return retire(turn, values.kid ?? '', values.now === true)
  if (command === 'reseal') return reseal(turn, kekNamed(values))
  if (command === 'progress') return printProgress(turn.config.storage.file, turn.edge)
  if (command === 'backup') return backup(turn, values.to ?? '')
  if (command === 'restore') return restore(turn, values.from ?? '')
  return printPublic(turn)
}

/** Runs one command and gives its exit code: 0 done, 1 to be seen to (`check`), 2 not understood or not possible. */
export async function runKeys(args: readonly string[], edge: Edge): Promise<number> {
  try {
    const asked = understood(args)
    const config = loadConfig('config', edge.env)
    const stillUnder = rowsStillUnder(config.storage.file)
    return await run({ config, edge, now: Date.now(), stillUnder }, asked)
  } catch (error) {
    if (!(error instanceof AppError || error instanceof UsageError)) throw error
    edge.err(error.message)
    return 2
  }
}

if (import.meta.main) await runHere(runKeys)
