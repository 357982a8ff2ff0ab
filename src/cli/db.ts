/**
 * The process edge of `npm run db`: backs the store up while the server runs, says whether a backup could be restored,
 * and restores one (DESIGN D4, D6, D11). Keys are backed up apart, by `npm run keys -- backup`.
 */
import { parseArgs } from 'node:util'
import { carryOver, provenMissing, type CarriedOver } from '../audit/carry-over.ts'
import { loadConfig, type Config } from '../config.ts'
import type { KeyRing, Keys } from '../crypto/keys.ts'
import { openRing } from '../crypto/open-ring.ts'
import { createSealer } from '../crypto/sealer.ts'
import { AppError, isAppError } from '../errors.ts'
import { tryKeys } from '../login/person-rows.ts'
import { isFound } from '../storage/index-sets.ts'
import { createPersonMac } from '../storage/person-mac.ts'
import { backUp, type Manifest } from '../storage/sqlite/backup.ts'
import { checkBackup, restoreStore, type Proof, type Restored, type Sample } from '../storage/sqlite/restore.ts'
import { anchorsIn } from './anchors.ts'
import { runHere, UsageError, type Edge } from './edge.ts'

const usage = `Usage: npm run db -- <command> [options]

  backup  --to DIR     copy the store into a new or empty directory, also while the server runs
  check   --from DIR   is this backup whole, and do the keys of this node open it?
  restore --from DIR   put a backup in the place of the store; the server must be stopped

Options of restore:
  --replace            a store is there: keep it aside, and take from it what was recorded since the backup
  --ledger FILE        what was erased, ended and withdrawn since; by default the ledger beside the store
  --without-ledger     the ledger is lost: whoever was erased since the backup is there again
  --anchor FILE        checkpoints kept outside the server, as "npm run audit -- checkpoint" printed them: says how many
                       records are missing
`

const options = {
  to: { type: 'string' },
  from: { type: 'string' },
  replace: { type: 'boolean', default: false },
  ledger: { type: 'string' },
  'without-ledger': { type: 'boolean', default: false },
  anchor: { type: 'string' },
} as const

function understood(args: readonly string[]) {
  const { positionals, values } = (() => {
    try {
      return parseArgs({ args: [...args], allowPositionals: true, options })
    } catch (error) {
      throw new UsageError(`${(error as Error).message}\n\n${usage}`)
    }
  })()
  const [command = '', ...more] = positionals
  const directory = command === 'backup' ? values.to : values.from
  const takes: Readonly<Record<string, readonly string[]>> = {
    backup: ['to'],
    check: ['from'],
    restore: ['from', 'replace', 'ledger', 'without-ledger', 'anchor'],
  }
  const given = Object.entries(values).filter(([, value]) => value !== false)
  const fits = given.every(([name]) => takes[command]?.includes(name))
  if (directory === undefined || directory === '' || more.length > 0 || !fits) throw new UsageError(usage)
  if (values.ledger !== undefined && values['without-ledger']) throw new UsageError(usage)
  return { command, directory, values }
}

const proofBy = (keys: Keys): Proof => {
  const sealer = createSealer(() => keys)
  const open = async ({ dataKey, person, indexSets }: Sample): Promise<void> => {
    if (dataKey) await sealer.seal(dataKey.wrapped, dataKey.id, '', 'restore')
    if (person) await tryKeys({ sealer, pseudonym: keys.pairwise }, person)
    if (!indexSets.every((text) => isFound(text, sealer.indexVersions())))
      throw new AppError('sealed_value_invalid', { detail: 'rows are found by an index key that is not here' })
  }
  return {
    mac: (text) => keys.rows(`store backup|${text}`),
    personMac: createPersonMac(keys.rows),
    tryKeys: (sample) =>
      open(sample).catch((cause: unknown) => {
        if (!isAppError(cause, 'sealed_value_invalid')) throw cause
        const detail = 'the keys of this node do not open this backup; restore the keys that belong to it first'
        throw new AppError('key_invalid', { detail, cause })
      }),
  }
}

const recordsIn = ({ audit }: Manifest): number => audit.reduce((sum, { seq }) => sum + seq, 0)

const described = (manifest: Manifest): string =>
  `of ${manifest.at}: ${manifest.people} people, ${recordsIn(manifest)} audit records, ` +
  `${Math.ceil(manifest.file.bytes / 1024)} KiB, schema ${manifest.schema}`

interface Trail {
  readonly carried: readonly CarriedOver[]
  readonly missing: number
}

/** What was lost and what was not, in sentences. Gives the exit code: 1 where something is known to be lost. */
function report(restored: Restored, trail: Trail, withLedger: boolean, edge: Edge): number {
  const { manifest, repeated, aside, unreadable } = restored
  edge.out(`restored  the backup ${described(manifest)}`)
  edge.out('dropped   every session, code, token and sign-in attempt: everybody signs in again')
  if (withLedger)
    edge.out(`repeated  ${repeated} erasures, suspensions, ended phones and withdrawn consents since then`)
  for (const { node, records } of trail.carried) edge.out(`carried   ${records} audit records of ${node} since then`)
  if (aside) edge.out(`kept      the store that was there: ${aside}`)
  else edge.out('no store was there to take newer records over from')
  const losses = [
    ...(withLedger ? [] : ['without the ledger, whoever was erased or suspended since the backup is there as before']),
    ...(unreadable ? [`no records could be taken over from the store that was there: ${unreadable}`] : []),
    ...trail.carried.flatMap(({ node, fault }) =>
      fault ? [`${node}: ${fault}; no later record was carried over`] : [],
    ),
    ...(trail.missing > 0 ? [`the anchor proves that ${trail.missing} audit records are missing`] : []),
  ]
  for (const loss of losses) edge.err(`LOST      ${loss}`)
  edge.out('Start the server: its first audit record tells of this restore.')
  return losses.length === 0 ? 0 : 1
}

async function restore(
  directory: string,
  values: ReturnType<typeof understood>['values'],
  config: Config,
  keys: Keys,
  edge: Edge,
): Promise<number> {
  const anchors = anchorsIn(values.anchor, edge)
  const signedBy = keys.checkpointKeys
  let trail: Trail = { carried: [], missing: 0 }
  const restored = await restoreStore(config.storage.file, directory, {
    ...proofBy(keys),
    replace: values.replace,
    ledger: values['without-ledger'] ? 'none' : values.ledger === undefined ? 'beside' : { path: values.ledger },
    now: Date.now(),
    async carry(to, from) {
      const atBackup = (await to.last(config.audit.node))?.seq ?? 0
      const carried = from ? await carryOver(from, to, signedBy) : []
      trail = { carried, missing: await provenMissing(to, anchors, signedBy) }
      const records = carried.reduce((sum, one) => sum + one.records, 0)
      return { backupRecords: atBackup, carried: records, missing: trail.missing }
    },
  })
  return report(restored, trail, !values['without-ledger'], edge)
}

/** Runs one command and gives its exit code: 0 done, 1 restored with losses that are said, 2 not done. */
export async function runDb(args: readonly string[], edge: Edge): Promise<number> {
  let ring: KeyRing | undefined
  try {
    const { command, directory, values } = understood(args)
    const config = loadConfig('config', edge.env)
    ring = await openRing(config, { env: edge.env })
    const keys = ring.current()
    if (command === 'restore') return await restore(directory, values, config, keys, edge)
    if (command === 'backup') {
      const manifest = await backUp(config.storage.file, directory, proofBy(keys).mac, Date.now())
      edge.out(`backed up to ${directory}, ${described(manifest)}`)
      edge.out('It opens only with the keys of this node: back those up apart, with: npm run keys -- backup --to DIR')
    } else edge.out(`good: the backup ${described(await checkBackup(directory, proofBy(keys)))}`)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof AppError)) throw error
    edge.err(error.message)
    return 2
  } finally {
    await ring?.close()
  }
}

if (import.meta.main) await runHere(runDb)
