/**
 * Backs the key file up, apart from the store that it opens and from the key-encryption key that opens it: whoever has
 * all three has everything. The copy is readable by its owner only, beside a manifest by which a damaged one is known.
 */
import {
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { sm3 } from 'jose'
import { z } from 'zod'
import { AppError } from '#src/errors.ts'
import { keyFileName } from './key-file.ts'
import { loadKeys, type KeyConfig, type Surroundings } from './key-store.ts'

const schema = z.strictObject({
  format: z.literal('yihao-key-backup-1'),
  at: z.iso.datetime(),
  files: z.array(z.strictObject({ name: z.string().regex(/^[a-z]+\.json$/), sm3: z.string() })).min(1),
})

const manifestName = 'manifest.json'
const sm3Of = (bytes: Buffer) => sm3(bytes).toString('hex')

const refused = (detail: string, cause?: unknown) => new AppError('key_invalid', { detail, cause })

function write(path: string, content: string | Buffer): void {
  writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}

/**
 * Copies the key file, which must be a good one, into a new or empty directory. The KEK is not copied.
 * @returns the names of the files
 * @throws AppError `key_invalid`
 */
export async function backUpKeys(
  config: KeyConfig,
  to: string,
  { env = {}, now = Date.now }: Surroundings = {},
): Promise<readonly string[]> {
  const { directory } = config.keys
  await loadKeys({ ...config, environment: 'development' }, { env, now })
  const names = [keyFileName]
  try {
    mkdirSync(to, { recursive: true, mode: 0o700 })
    if (readdirSync(to).length > 0) throw refused(`${to} is not empty; name a new directory`)
    const files = names.map((name) => {
      const content = readFileSync(join(directory, name))
      write(join(to, name), content)
      return { name, sm3: sm3Of(content) }
    })
    const manifest = { format: 'yihao-key-backup-1', at: new Date(now()).toISOString(), files }
    write(join(to, manifestName), `${JSON.stringify(manifest, null, 2)}\n`)
    return names
  } catch (error) {
    throw error instanceof AppError ? error : refused(`the keys cannot be backed up to ${to}`, error)
  }
}

/**
 * Puts the files of a backup into the key directory: all of them, and over none that is there.
 * @returns the names of the files
 * @throws AppError `key_invalid`; nothing was written then
 */
export function restoreKeys(from: string, directory: string): readonly string[] {
  const read = (name: string): Buffer => {
    try {
      return readFileSync(join(from, name))
    } catch (cause) {
      throw refused(`${join(from, name)} cannot be read; name the directory of a finished key backup`, cause)
    }
  }
  const text = read(manifestName).toString('utf8')
  let files
  try {
    files = schema.parse(JSON.parse(text)).files
  } catch {
    throw refused(`${join(from, manifestName)} is damaged or of something else; take another key backup`)
  }
  const contents = files.map(({ name, sm3: due }) => {
    const content = read(name)
    if (sm3Of(content) !== due) throw refused(`${join(from, name)} is not what was backed up; take another key backup`)
    if (existsSync(join(directory, name))) throw refused(`${join(directory, name)} is there; move it away first`)
    return { name, content }
  })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const { name, content } of contents) write(join(directory, name), content)
  return contents.map(({ name }) => name)
}
