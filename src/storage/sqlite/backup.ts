/**
 * Backs up a store while the server runs on it, from another process and without writing to it: one consistent moment,
 * copied whole and compact (sqlite.org/lang_vacuum.html, "VACUUM INTO"), beside a manifest that says what it is and by
 * which a damaged or altered copy is known. The manifest is written last: where there is none, the backup is not done.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createReadStream, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Mac } from '#src/crypto/mac.ts'
import { isAppError } from '#src/errors.ts'
import { connectReadOnly, type Reader } from './connection.ts'
import { createAuditReading } from './audit.ts'
import { unavailable } from './fault.ts'
import type { Mark } from './ledger.ts'
import { createPrivately, syncDirectory, syncFile } from './private-file.ts'

const head = z.strictObject({
  node: z.string(),
  seq: z.number().int(),
  hash: z.string(),
  /** The newest signed checkpoint, as `npm run audit -- checkpoint` prints it. */
  checkpoint: z.string().optional(),
})

const schema = z.strictObject({
  format: z.literal('yihao-store-backup-1'),
  at: z.iso.datetime(),
  schema: z.number().int().positive(),
  file: z.strictObject({ name: z.literal('store.db'), bytes: z.number().int(), sm3: z.string() }),
  people: z.number().int(),
  /** How far the ledger was carried out: what follows it is repeated at a restore. */
  ledger: z.strictObject({ seq: z.number().int(), hash: z.string() }),
  audit: z.array(head),
})

export type Manifest = z.infer<typeof schema>

/** In the order of the schema, whatever the order in the file. */
const canonical = (manifest: Manifest): string => JSON.stringify(schema.parse(manifest))

const manifestIn = (directory: string) => join(directory, 'manifest.json')
export const storeIn = (directory: string) => join(directory, 'store.db')

/** SM3 of a file, hex; read in pieces, for a store may be larger than memory. */
export async function sm3OfFile(path: string): Promise<string> {
  const hash = createHash('sm3')
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** @throws AppError `storage_unavailable` where pages or indexes do not hold together */
export function checkIntegrity(db: Reader, path: string): void {
  const damaged = (why: unknown) => unavailable(`${path} is a damaged database; take another backup`, why)
  let found
  try {
    found = db.prepare<{ integrity_check: string }>('PRAGMA integrity_check(1)').get()?.integrity_check
  } catch (error) {
    throw damaged(error)
  }
  if (found !== 'ok') throw damaged(new Error(found))
}

/** What stands in a copy that nobody writes to. */
async function describe(path: string): Promise<Pick<Manifest, 'schema' | 'people' | 'ledger' | 'audit'>> {
  const db = connectReadOnly(path)
  try {
    checkIntegrity(db, path)
    const reading = createAuditReading(db)
    const heads = (await reading.nodes()).map(async (node) => {
      const [last, signed] = [await reading.last(node), await reading.lastCheckpoint(node)]
      return { node, seq: last?.seq ?? 0, hash: last?.hash ?? '', ...(signed ? { checkpoint: signed.jws } : {}) }
    })
    return {
      schema: db.prepare<{ user_version: number }>('PRAGMA user_version').get()?.user_version ?? 0,
      people: db.prepare<{ n: number }>('SELECT count(*) AS n FROM people').get()?.n ?? 0,
      ledger: db.prepare<Mark>('SELECT seq, hash FROM ledger_head').get() as Mark,
      audit: await Promise.all(heads),
    }
  } finally {
    await db.close()
  }
}

/**
 * Copies the store of a file into a directory, which is new or empty.
 * @throws AppError `storage_unavailable`
 */
export async function backUp(file: string, directory: string, mac: Mac, now: number): Promise<Manifest> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (readdirSync(directory).length > 0) throw unavailable(`${directory} is not empty; name a new directory`)
    const copy = storeIn(directory)
    const db = connectReadOnly(file)
    try {
      createPrivately(copy)
      await db.read(() => db.prepare('VACUUM INTO ?').run(copy))
    } finally {
      await db.close()
    }
    syncFile(copy)
    const manifest: Manifest = {
      format: 'yihao-store-backup-1',
      at: new Date(now).toISOString(),
      file: { name: 'store.db', bytes: statSync(copy).size, sm3: await sm3OfFile(copy) },
      ...(await describe(copy)),
    }
    const signed = JSON.stringify({ ...manifest, mac: (await mac(canonical(manifest))).toString('hex') }, null, 2)
    writeFileSync(manifestIn(directory), `${signed}\n`, { mode: 0o600, flag: 'wx' })
    syncFile(manifestIn(directory))
    syncDirectory(directory)
    return manifest
  } catch (error) {
    throw isAppError(error) ? error : unavailable(`the backup to ${directory} failed`, error)
  }
}

export interface ReadManifest {
  readonly manifest: Manifest
  /** @throws AppError `storage_unavailable` where the manifest is not one that these keys made */
  verify(mac: Mac): Promise<void>
}

/** @throws AppError `storage_unavailable` where there is none that can be read */
export function readManifest(directory: string): ReadManifest {
  const path = manifestIn(directory)
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw unavailable(`${directory} holds no finished backup; name the directory of one`, error)
  }
  const parsed = schema.extend({ mac: z.string() }).safeParse(content)
  if (!parsed.success) throw unavailable(`${path} is damaged or of another program; take another backup`)
  const { mac: given, ...manifest } = parsed.data
  return {
    manifest,
    async verify(mac) {
      const [due, found] = [await mac(canonical(manifest)), Buffer.from(given, 'hex')]
      if (due.length !== found.length || !timingSafeEqual(due, found))
        throw unavailable(`${path} was altered, or made with other keys; take another backup`)
    },
  }
}

/** @throws AppError `storage_unavailable` where the file, which is a backup or a copy of one, is not as it was made */
export async function verifyFile(path: string, { file }: Manifest): Promise<void> {
  let found
  try {
    found = await sm3OfFile(path)
  } catch (error) {
    throw unavailable(`${path} cannot be read; take another backup`, error)
  }
  if (found !== file.sm3) throw unavailable(`${path} is not what was backed up (SM3 differs); take another backup`)
}
