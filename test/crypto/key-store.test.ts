import { strict as assert } from 'node:assert'
import { execFile } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { contextOf, type KeyEntry } from '#src/crypto/key-file.ts'
import { kekOf } from '#src/crypto/kek.ts'
import { createKeys, loadKeys, publicKeys } from '#src/crypto/key-store.ts'
import { AppError, isAppError } from '#src/errors.ts'
import { forge, keyFile, keysIn, rewrite, type Content } from '../support/keys.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const one = (keys: readonly KeyEntry[], use: string, alg?: string): KeyEntry => {
  const found = keys.find((key) => key.use === use && (alg === undefined || key.alg === alg))
  assert.ok(found)
  return found
}

describe('The key file', () => {
  const directory = temporaryDirectories()
  let made: string
  before(async () => {
    made = directory()
    await createKeys({ directory: made }, 'generated')
  })

  function copy(): string {
    const there = directory()
    for (const name of ['keyring.json', 'kek']) copyFileSync(join(made, name), join(there, name))
    return there
  }

  const refusal = async (where: string, environment: 'production' | 'development' = 'development'): Promise<string> => {
    const error = await loadKeys({ ...keysIn(where), environment }).then(
      () => assert.fail('the keys were taken'),
      (thrown: unknown) => thrown,
    )
    assert.ok(isAppError(error, 'key_invalid'), String(error))
    return error.detail ?? ''
  }

  it('is made whole, for its owner only, beside its KEK, and loaded', async () => {
    const where = join(directory(), 'a', 'keys')
    assert.deepEqual(await createKeys({ directory: where }, 'development'), [join(where, 'kek'), keyFile(where)])
    assert.deepEqual(readdirSync(where).sort(), ['kek', 'keyring.json'], 'nothing else is left behind')
    assert.equal(statSync(where).mode & 0o777, 0o700)
    for (const name of readdirSync(where)) assert.equal(statSync(join(where, name)).mode & 0o777, 0o600)
    const keys = await loadKeys(keysIn(where))
    assert.deepEqual(
      keys.signers.map(({ key, state }) => [key.alg, state]),
      ['SGD_SM3_SM2', 'ES256', 'RS256'].map((alg) => [alg, 'active']),
    )
    assert.equal(keys.audit.alg, 'SGD_SM3_SM2')
    assert.deepEqual(
      keys.decrypters.map(({ key, state }) => [key.alg, key.publicJwk.use, state]),
      [['SGD_SM2_3', 'enc', 'active']],
    )
    const indexMacs = keys.index.map(({ mac }) => mac)
    const secrets = [
      ...(await Promise.all(
        [keys.pairwise, keys.rows, ...keys.codes, keys.limits, ...indexMacs].map((mac) => mac('')),
      )),
      ...keys.cookies,
    ]
    assert.ok(secrets.every(({ length }) => length === 32))
    assert.equal(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size, secrets.length)
  })

  it('holds no private key in the open: each opens with the KEK, at its own place, and nowhere else', () => {
    const content = JSON.parse(readFileSync(keyFile(made), 'utf8')) as Content
    const kek = kekOf(Buffer.from(readFileSync(join(made, 'kek'), 'utf8'), 'base64url'))
    const text = JSON.stringify(content)
    for (const entry of content.keys) {
      const secret = kek.open(entry.sealed ?? '', contextOf(entry))
      const parts = entry.publicJwk ? Object.values(JSON.parse(secret.toString()) as Record<string, string>) : []
      for (const part of [secret.toString('base64url'), secret.toString('hex'), ...parts])
        assert.ok(!text.includes(part))
      const elsewhere = [
        { ...entry, kid: 'other' },
        { ...entry, use: 'rows2' as never },
      ]
      for (const place of elsewhere)
        assert.throws(
          () => kek.open(entry.sealed ?? '', contextOf(place)),
          (error) => isAppError(error, 'sealed_value_invalid'),
        )
    }
    assert.ok(!text.includes(readFileSync(join(made, 'kek'), 'utf8').trim()))
  })

  it('is never overwritten, nor is a KEK made to a file that has another', async () => {
    const where = copy()
    const before = readFileSync(keyFile(where), 'utf8')
    rmSync(join(where, 'kek'))
    assert.deepEqual(await createKeys({ directory: where }, 'generated'), [])
    assert.equal(readFileSync(keyFile(where), 'utf8'), before)
    assert.match(await refusal(where), /kek: is missing: the key-encryption key; put it back/)
  })

  it('is made once by processes that start at the same time: each loads the same keys', async () => {
    const where = join(directory(), 'keys')
    const script = `
      import { createKeys, loadKeys } from '#src/crypto/key-store.ts'
      import { loadConfig } from '#src/config.ts'
      const config = loadConfig('config', { YIHAO_KEYS__DIRECTORY: process.argv[1] })
      const made = await createKeys(config.keys, 'development')
      const { pairwise, audit } = await loadKeys(config)
      console.log(JSON.stringify({ made, keys: [(await pairwise('x')).toString('hex'), audit.kid] }))
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
    assert.deepEqual(all.flatMap(({ made: own }) => own).sort(), [join(where, 'kek'), keyFile(where)])
    assert.deepEqual(readdirSync(where).sort(), ['kek', 'keyring.json'])
  })

  it('is unharmed by what a crash left half written beside it', async () => {
    const where = directory()
    writeFileSync(`${keyFile(where)}.1-00.new`, '{"origin":')
    await createKeys({ directory: where }, 'generated')
    assert.ok(await loadKeys(keysIn(where)))
  })

  it('is refused where others can read it or its KEK, with the remedy; a link to it elsewhere is none the worse', async () => {
    for (const name of ['keyring.json', 'kek'])
      for (const mode of [0o604, 0o640, 0o644, 0o620]) {
        const where = copy()
        chmodSync(join(where, name), mode)
        assert.match(await refusal(where), new RegExp(`${name}: can be read by others; run: chmod 600`))
      }
    const where = directory()
    for (const name of ['keyring.json', 'kek']) symlinkSync(join(made, name), join(where, name))
    assert.ok(await loadKeys(keysIn(where)))
  })

  it('is refused in production where it was made for development, and taken in development', async () => {
    const where = directory()
    await createKeys({ directory: where }, 'development')
    assert.match(
      await refusal(where, 'production'),
      /keyring\.json: was made for development; .*npm run keys -- create/,
    )
    assert.ok(await loadKeys(keysIn(where)))
    // Who only writes another word over it gets no further.
    forge(where, (content) => Object.assign(content, { origin: 'generated' }))
    assert.match(await refusal(where, 'production'), /was changed/)
  })

  it('is refused where it is missing, with the command that makes it, and told from the older form', async () => {
    assert.match(await refusal(directory()), /keyring\.json: is missing; .*npm run keys -- create/)
    const where = directory()
    writeFileSync(join(where, 'signing.json'), '{}', { mode: 0o600 })
    assert.match(
      await refusal(where),
      /signing\.json are of an older form with unsealed keys, .* move them and the store they belong to away/,
    )
    await assert.rejects(createKeys({ directory: where }, 'development'), /older form/)
  })

  it('is refused where it is damaged, without quoting what is in it', async () => {
    for (const keep of [0, 10, -2]) {
      const where = copy()
      writeFileSync(keyFile(where), readFileSync(keyFile(where), 'utf8').slice(0, keep))
      assert.match(await refusal(where), /keyring\.json: is damaged; restore it/)
    }
    for (const name of ['keyring.json', 'kek']) {
      const where = copy()
      writeFileSync(join(where, name), 'hunter2')
      const error = (await loadKeys(keysIn(where)).catch((thrown: unknown) => thrown)) as AppError
      assert.ok(!`${error.stack} ${String(error.cause)}`.includes('hunter2'))
    }
  })

  it('is refused where it cannot be read at all', async () => {
    const where = copy()
    rmSync(keyFile(where))
    mkdirSync(keyFile(where), { mode: 0o700 })
    assert.match(await refusal(where), /keyring\.json: cannot be read; let it belong to the user/)
  })

  it('is told to be foreign where it is sealed under another KEK, not damaged', async () => {
    const where = copy()
    const other = directory()
    await createKeys({ directory: other }, 'generated')
    copyFileSync(join(other, 'kek'), join(where, 'kek'))
    assert.match(await refusal(where), /sealed under another key-encryption key \([0-9a-f]{16}; keys\.kek gives/)
  })

  const changes: [what: string, change: (content: Content) => void, said: RegExp][] = [
    ['a time', (c) => Object.assign(one(c.keys, 'sig'), { activeFrom: '2020-01-01T00:00:00Z' }), /was changed by hand/],
    ['a public key', (c) => Object.assign(one(c.keys, 'audit').publicJwk ?? {}, { x: 'A'.repeat(43) }), /was changed/],
    ['a key taken out', (c) => void c.keys.splice(2, 1), /was changed/],
    ['an order of its own', (c) => void c.keys.reverse(), /was changed/],
    ['another MAC', (c) => Object.assign(c, { mac: 'A'.repeat(43) }), /was changed/],
    ['a MAC that is too short', (c) => Object.assign(c, { mac: 'AAAA' }), /was changed/],
    ['an unknown member', (c) => Object.assign(c, { more: 1 }), /is not such a key file \(\(top\)\)/],
    ['an unknown member of a key', (c) => Object.assign(one(c.keys, 'rows'), { d: 'x' }), /\(keys\.8\)/],
    [
      'a private part in a public key',
      (c) => Object.assign(c.keys[0]?.publicJwk ?? {}, { d: 'x' }),
      /\(keys\.0\.publicJwk\)/,
    ],
    ['another use', (c) => Object.assign(c.keys[0] as object, { use: 'signing' }), /\(keys\.0\.use\)/],
    ['one id twice', (c) => Object.assign(c.keys[0] as object, { kid: c.keys[1]?.kid }), /\(keys\)/],
    ['no origin', (c) => Object.assign(c, { origin: undefined }), /\(origin\)/],
    ['no keys', (c) => Object.assign(c, { keys: [] }), /\(keys\)/],
  ]
  for (const [what, change, said] of changes)
    it(`is refused with ${what}`, async () => {
      const where = copy()
      forge(where, change)
      assert.match(await refusal(where), said)
    })

  const wholes: [what: string, change: (keys: KeyEntry[]) => void, said: RegExp][] = [
    [
      'halves of two keys',
      (keys) => Object.assign(one(keys, 'sig', 'ES256'), { publicJwk: one(keys, 'sig', 'SGD_SM3_SM2').publicJwk }),
      /its key \S+ \(sig ES256\) does not open, or its halves do not belong together/,
    ],
    [
      'a sealed key of another',
      (keys) => Object.assign(one(keys, 'rows'), { sealed: one(keys, 'codes').sealed }),
      /\(rows /,
    ],
    ['no private half of the active audit key', (keys) => delete one(keys, 'audit').sealed, /\(audit SGD_SM3_SM2\)/],
    ['no key of an algorithm', (keys) => void keys.splice(1, 1), /has no active key for sig ES256/],
    [
      'two keys active from one moment',
      (keys) => void keys.push({ ...one(keys, 'index'), kid: 'index-2', created: '2020-01-01T00:00:00Z' }),
      /has two keys for index SGD_SM3_HMAC active from one moment/,
    ],
  ]
  for (const [what, change, said] of wholes)
    it(`is refused with ${what}`, async () => {
      const where = copy()
      await rewrite(keysIn(where), change)
      assert.match(await refusal(where), said)
    })

  it('says everything at once that is wrong with its keys', async () => {
    const where = copy()
    await rewrite(keysIn(where), (keys) => {
      keys.splice(1, 1)
      Object.assign(one(keys, 'rows'), { sealed: one(keys, 'codes').sealed })
    })
    assert.match(await refusal(where), /ES256.*rows/)
  })

  it('gives its public halves alone to those who verify, without the KEK', async () => {
    const keys = await loadKeys(keysIn(made))
    const where = copy()
    rmSync(join(where, 'kek'))
    const { audit, signing } = publicKeys(where)
    assert.deepEqual(audit, [keys.audit.publicJwk])
    assert.deepEqual(
      signing,
      keys.signers.map(({ key }) => key.publicJwk),
    )
  })
})
