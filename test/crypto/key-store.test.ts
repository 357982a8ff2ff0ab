import { strict as assert } from 'node:assert'
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { auditPublicKey, createKeys, loadKeys, publicKeys } from '#src/crypto/key-store.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const files = ['signing.json', 'audit.json', 'secrets.json'] as const
type Content = Record<string, unknown> & { keys: Record<string, unknown>[]; key: Record<string, unknown> }

describe('The key files', () => {
  const directory = temporaryDirectories()
  let made: string
  before(async () => {
    made = directory()
    await createKeys(made, 'generated')
  })

  /** A copy of good keys with one file changed. */
  function copy(name?: (typeof files)[number], change?: (content: Content) => void): string {
    const there = directory()
    for (const file of files) {
      const text = readFileSync(join(made, file), 'utf8')
      const content = JSON.parse(text) as Content
      if (file === name) change?.(content)
      writeFileSync(join(there, file), JSON.stringify(content), { mode: 0o600 })
    }
    return there
  }

  const refusal = async (where: string, production = true): Promise<string> => {
    const error = await loadKeys(where, { production }).then(
      () => assert.fail('the keys were taken'),
      (thrown: unknown) => thrown,
    )
    assert.ok(isAppError(error, 'key_invalid'), String(error))
    return error.detail ?? ''
  }

  it('are made whole, for their owner only, and loaded', async () => {
    const where = join(directory(), 'a', 'keys')
    assert.deepEqual(await createKeys(where, 'development'), [...files])
    assert.deepEqual(readdirSync(where).sort(), [...files].sort(), 'nothing else is left behind')
    assert.equal(statSync(where).mode & 0o777, 0o700)
    for (const file of files) assert.equal(statSync(join(where, file)).mode & 0o777, 0o600)
    const keys = await loadKeys(where, { production: false })
    assert.deepEqual(
      keys.signers.map(({ alg }) => alg),
      ['SGD_SM3_SM2', 'ES256', 'RS256'],
    )
    assert.equal(keys.audit.alg, 'SGD_SM3_SM2')
    const secrets = [
      ...(await Promise.all(
        [keys.pairwise, keys.rows, keys.codes, keys.limits, ...keys.index.map(({ mac }) => mac)].map((mac) => mac('')),
      )),
      ...keys.cookies,
    ]
    assert.ok(secrets.every(({ length }) => length === 32))
    assert.equal(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size, secrets.length)
  })

  it('are never overwritten; only what is missing is made', async () => {
    const where = copy()
    const before = readFileSync(join(where, 'secrets.json'), 'utf8')
    rmSync(join(where, 'audit.json'))
    assert.deepEqual(await createKeys(where, 'generated'), ['audit.json'])
    assert.deepEqual(await createKeys(where, 'generated'), [])
    assert.equal(readFileSync(join(where, 'secrets.json'), 'utf8'), before)
  })

  it('are made once by processes that start at the same time: each loads the same keys', async () => {
    const where = join(directory(), 'keys')
    const script = `
      import { createKeys, loadKeys } from '#src/crypto/key-store.ts'
      const made = await createKeys(process.argv[1], 'development')
      const { pairwise, audit } = await loadKeys(process.argv[1], { production: false })
      console.log(JSON.stringify({ made, keys: [pairwise.toString('hex'), audit.kid] }))
    `
    const start = async () => {
      const args = ['--input-type=module', '--eval', script, where]
      const { stdout } = await promisify(execFile)(process.execPath, args, {
        cwd: resolve(import.meta.dirname, '../..'),
      })
      return JSON.parse(stdout) as { made: string[]; keys: string[] }
    }
    const all = await Promise.all([start(), start(), start(), start()])
    assert.equal(new Set(all.map(({ keys }) => keys.join())).size, 1)
    assert.deepEqual(all.flatMap(({ made: own }) => own).sort(), [...files].sort())
    assert.deepEqual(readdirSync(where).sort(), [...files].sort())
  })

  it('are unharmed by what a crash left half written beside them', async () => {
    const where = directory()
    writeFileSync(join(where, 'secrets.json.new'), '{"origin":')
    await createKeys(where, 'generated')
    assert.ok(await loadKeys(where, { production: true }))
  })

  it('are refused where others can read them, with the remedy', async () => {
    for (const file of files) {
      for (const mode of [0o604, 0o640, 0o644, 0o620]) {
        const where = copy()
        chmodSync(join(where, file), mode)
        assert.match(await refusal(where), new RegExp(`${file}: can be read by others; run: chmod 600`))
      }
    }
  })

  it('are refused in production where they were made for development, and taken in development', async () => {
    for (const file of files) {
      const where = copy(file, (content) => void (content['origin'] = 'development'))
      assert.match(await refusal(where), new RegExp(`${file}: was made for development; .*npm run keys -- create`))
      assert.ok(await loadKeys(where, { production: false }))
    }
  })

  it('are refused where one is missing, with the command that makes it', async () => {
    for (const file of files) {
      const where = copy()
      rmSync(join(where, file))
      assert.match(await refusal(where), new RegExp(`${file}: is missing; .*npm run keys -- create`))
    }
  })

  it('are refused where they are damaged, without quoting what is in them', async () => {
    for (const file of files) {
      for (const keep of [0, 10, -2]) {
        const where = copy()
        const text = readFileSync(join(where, file), 'utf8')
        writeFileSync(join(where, file), text.slice(0, keep))
        assert.match(await refusal(where), new RegExp(`${file}: is damaged; restore it`))
      }
    }
    const where = copy()
    writeFileSync(join(where, 'secrets.json'), 'hunter2')
    const error = (await loadKeys(where, { production: true }).catch((thrown: unknown) => thrown)) as AppError
    assert.ok(!`${error.message} ${String(error.cause)}`.includes('hunter2'))
  })

  it('are refused where they cannot be read at all', async () => {
    const where = copy()
    rmSync(join(where, 'audit.json'))
    mkdirSync(join(where, 'audit.json'), { mode: 0o700 })
    assert.match(await refusal(where), /audit\.json: cannot be read; let it belong to the user/)
  })

  const foreign: [what: string, file: (typeof files)[number], change: (content: Content) => void, said: RegExp][] = [
    ['an unknown member', 'secrets.json', (c) => void (c['more'] = 1), /secrets\.json: is not such a key file/],
    ['a secret that is too short', 'secrets.json', (c) => void (c['pairwise'] = 'AAAA'), /\(pairwise\)/],
    ['a secret that is not base64url', 'secrets.json', (c) => void (c['rows'] = `${'A'.repeat(42)}+`), /\(rows\)/],
    ['no cookie key', 'secrets.json', (c) => void (c['cookies'] = []), /\(cookies\)/],
    ['a current key that is not there', 'secrets.json', (c) => wrapping(c, 'toString'), /\(wrapping\.current\)/],
    ['no origin', 'signing.json', (c) => void delete c['origin'], /\(origin\)/],
    ['no signing key', 'signing.json', (c) => void (c.keys = []), /\(keys\)/],
    [
      'a public key to sign with',
      'signing.json',
      (c) => void delete c.keys[0]?.['d'],
      /signing\.json: its key does not sign/,
    ],
    [
      'halves of two keys',
      'signing.json',
      (c) => void Object.assign(c.keys[1]!, halves(c)),
      /signing\.json: its key does not/,
    ],
    ['an audit key that is not SM2', 'audit.json', (c) => void Object.assign(c.key, { alg: 'ES256' }), /\(key\.alg\)/],
  ]
  function wrapping(content: Content, current: string): void {
    Object.assign(content['wrapping'] as object, { current })
  }
  const halves = (content: Content) => ({ d: content.keys[0]?.['d'] })
  for (const [what, file, change, said] of foreign)
    it(`are refused with ${what}`, async () => assert.match(await refusal(copy(file, change)), said))

  it('are refused where one stands in the place of another', async () => {
    const where = copy()
    writeFileSync(join(where, 'audit.json'), readFileSync(join(where, 'signing.json')), { mode: 0o600 })
    assert.match(await refusal(where), /audit\.json: is not such a key file/)
  })

  it('give their public halves alone to those who verify', async () => {
    const { audit, signing } = await publicKeys(made)
    const keys = await loadKeys(made, { production: true })
    assert.deepEqual(audit, keys.audit.publicJwk)
    assert.deepEqual(
      signing,
      keys.signers.map(({ publicJwk }) => publicJwk),
    )
    const where = copy()
    for (const file of ['signing.json', 'secrets.json']) rmSync(join(where, file))
    assert.deepEqual(await auditPublicKey(where), audit)
  })
})
