/**
 * The process edge of `npm run audit`: verifies the audit trail without trust in the server that wrote it, prints its
 * newest checkpoints to be kept elsewhere, and finds the records of a 编号 and those of keys (DESIGN D11). Reads only,
 * also while the server runs.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { JWK } from 'jose'
import { inOrder, verifyTrail, type Verdict } from '../audit/verify.ts'
import { loadConfig, type Config } from '../config.ts'
import { publicKeys } from '../crypto/key-store.ts'
import { openRing } from '../crypto/open-ring.ts'
import type { PublicJwk } from '../crypto/signer.ts'
import { AppError } from '../errors.ts'
import { openAuditReader, type AuditReader } from '../storage/open.ts'
import type { AuditRow } from '../storage/storage.ts'
import { anchorsIn } from './anchors.ts'
import { runHere, UsageError, type Edge } from './edge.ts'

const usage = `Usage: npm run audit -- <command> [options]

  verify            recompute the chain of every node and check each signed checkpoint
  checkpoint        print the newest signed checkpoint of each node, to be kept outside the server
  find <编号>       print the records of a reference, identities sealed
  keys              print every change of keys, node by node

  --store FILE      the database; by default the one of the settings
  --public-key FILE JWK or JWK set that signed the checkpoints; by default all that keyring.json in the keys directory names
  --anchor FILE     checkpoints kept outside the server, one a line, as "checkpoint" printed them
`

const atMost = 1000

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
}

/** The public keys of a JWK or JWK-set file. */
function keysIn(file: string): readonly JWK[] {
  let content: unknown
  try {
    content = JSON.parse(read(file))
  } catch (error) {
    if (error instanceof UsageError) throw error
  }
  const { keys = [content] } = (content ?? {}) as { readonly keys?: unknown }
  const isKey = (key: unknown): key is JWK => typeof key === 'object' && key !== null && 'kty' in key
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isKey)) {
    throw new UsageError(`${file} is neither a JWK nor a JWK set`)
  }
  return keys
}

function sentence({ node, records, checkpoints, signedTo, fault }: Verdict): string {
  const counts = `${records} records, ${checkpoints} checkpoints, signed up to record ${signedTo}`
  return fault === undefined ? `intact  ${node}: ${counts}` : `BROKEN  ${node}: ${fault} (verified: ${counts})`
}

async function verify(trail: AuditReader, keys: readonly JWK[], anchors: readonly string[], edge: Edge) {
  const verdicts = await verifyTrail(trail, keys, anchors)
  for (const verdict of verdicts) edge.out(sentence(verdict))
  if (verdicts.length === 0) edge.out('the trail is empty')
  return verdicts.every(({ intact }) => intact) ? 0 : 1
}

async function checkpoint(trail: AuditReader, edge: Edge): Promise<number> {
  for (const node of await trail.nodes()) {
    const last = await trail.lastCheckpoint(node)
    if (last) edge.out(last.jws)
    else edge.err(`${node} has no checkpoint yet`)
  }
  return 0
}

/** A row changed by hand may hold anything; it is shown as it is, for `verify` to judge. */
function shown({ node, seq, at, body }: AuditRow): string {
  const time = new Date(at)
  let record: unknown = body
  try {
    record = JSON.parse(body)
  } catch {
    // Not a record any more: shown as text.
  }
  return JSON.stringify({ node, seq, at: Number.isNaN(time.valueOf()) ? at : time.toISOString(), record })
}

async function find(trail: AuditReader, reference: string, edge: Edge): Promise<number> {
  const rows = await trail.byReference(reference.trim().toUpperCase(), atMost)
  for (const row of rows) edge.out(shown(row))
  if (rows.length === 0)
    edge.err('no record has this reference; the log of the server may know it, as "reference" of a request')
  if (rows.length === atMost) edge.err(`there may be more: only the first ${atMost} are shown`)
  return 0
}

/** What each node put on record of its keys, and of the rows that it wrapped and indexed anew. */
async function keyChanges(trail: AuditReader, edge: Edge): Promise<number> {
  for (const node of await trail.nodes())
    for await (const row of inOrder((seq) => trail.read(node, seq, atMost)))
      if (/"type":"keys?\./.test(row.body)) edge.out(shown(row))
  return 0
}

/** The keys of this node that verify checkpoints: from the key file, whose KEK nobody needs for that, or the daemon. */
async function keysOf(config: Config): Promise<readonly PublicJwk[]> {
  if (config.keys.kind === 'files') return publicKeys(config.keys.directory).audit
  const ring = await openRing(config)
  const { checkpointKeys } = ring.current()
  await ring.close()
  return checkpointKeys
}

/** Runs one command and gives its exit code: 0 done and intact, 1 the trail is broken, 2 it could not be read. */
export async function runAudit(args: readonly string[], edge: Edge): Promise<number> {
  let trail: AuditReader | undefined
  try {
    const { command, reference, values } = understood(args)
    const config = () => loadConfig('config', edge.env)
    trail = await openAuditReader(values.store ?? config().storage.file)
    if (command === 'checkpoint') return await checkpoint(trail, edge)
    if (command === 'find') return await find(trail, reference, edge)
    if (command === 'keys') return await keyChanges(trail, edge)
    const given = values['public-key']
    const keys = given === undefined ? await keysOf(config()) : keysIn(given)
    return await verify(trail, keys, anchorsIn(values.anchor, edge), edge)
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof AppError)) throw error
    edge.err(error.message)
    return 2
  } finally {
    await trail?.close()
  }
}

const options = { store: { type: 'string' }, 'public-key': { type: 'string' }, anchor: { type: 'string' } } as const

function understood(args: readonly string[]) {
  const { positionals, values } = (() => {
    try {
      return parseArgs({ args: [...args], allowPositionals: true, options })
    } catch (error) {
      throw new UsageError(`${(error as Error).message}\n\n${usage}`)
    }
  })()
  const [command, reference = '', ...more] = positionals
  const complete =
    command === 'find' ? reference !== '' : reference === '' && ['verify', 'checkpoint', 'keys'].includes(command ?? '')
  if (!complete || more.length > 0) throw new UsageError(usage)
  return { command, reference, values }
}

if (import.meta.main) await runHere(runAudit)
