import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runKeys } from '#src/cli/keys.ts'
import { createKeys, loadKeys } from '#src/crypto/key-store.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const files = ['signing.json', 'audit.json', 'secrets.json']

describe('npm run keys', () => {
  const directory = temporaryDirectories()

  async function keys(where: string, ...args: readonly string[]) {
    const out: string[] = []
    const err: string[] = []
    const edge = {
      env: { YIHAO_KEYS__DIRECTORY: where },
      out: (line: string) => void out.push(line),
      err: (line: string) => void err.push(line),
    }
    return { code: await runKeys(args, edge), out: out.join('\n'), err: err.join('\n') }
  }

  it('create makes keys that production takes, readable by their owner only', async () => {
    const where = join(directory(), 'new')
    const { code, out } = await keys(where, 'create')
    assert.equal(code, 0)
    for (const name of files) {
      assert.match(out, new RegExp(`made +${where}/${name}`))
      assert.equal(statSync(join(where, name)).mode & 0o777, 0o600)
    }
    assert.equal((await loadKeys(where, { production: true })).signers.length, 3)
  })

  it('create never overwrites', async () => {
    const where = directory()
    await keys(where, 'create')
    const before = files.map((name) => readFileSync(join(where, name), 'utf8'))
    const { code, out } = await keys(where, 'create')
    assert.equal(code, 0)
    assert.ok(!out.includes('made'))
    assert.deepEqual(
      files.map((name) => readFileSync(join(where, name), 'utf8')),
      before,
    )
  })

  it('create says of development keys that production refuses them', async () => {
    const where = directory()
    await createKeys(where, 'development')
    assert.match((await keys(where, 'create')).out, /secrets\.json: made for development, production refuses it/)
  })

  it('public prints public keys and nothing private', async () => {
    const where = directory()
    await createKeys(where, 'generated')
    const { code, out } = await keys(where, 'public')
    assert.equal(code, 0)
    const printed = JSON.parse(out) as { audit: object; signing: { keys: { alg: string }[] } }
    const { audit, signers } = await loadKeys(where, { production: true })
    assert.deepEqual(printed, { audit: audit.publicJwk, signing: { keys: signers.map(({ publicJwk }) => publicJwk) } })
    for (const name of files) {
      const own = readFileSync(join(where, name), 'utf8')
      for (const [, secret] of own.matchAll(/"(?:d|p|q|dp|dq|qi|key|pairwise|rows|codes)": "([\w-]{20,})"/g))
        assert.ok(!out.includes(secret as string))
    }
  })

  it('exits with 2 and a remedy where there are no keys, and for what it does not understand', async () => {
    assert.match((await keys(directory(), 'public')).err, /npm run keys -- create/)
    for (const args of [[], ['show'], ['create', 'now'], ['backup'], ['restore'], ['public', '--to', 'x']])
      assert.equal((await keys(directory(), ...args)).code, 2)
  })

  describe('backed up', () => {
    let where: string
    let copy: string
    beforeEach(async () => {
      where = join(directory(), 'keys')
      copy = join(directory(), 'copy')
      await keys(where, 'create')
      assert.equal((await keys(where, 'backup', '--to', copy)).code, 0)
    })
    const contents = (place: string) => files.map((name) => readFileSync(join(place, name), 'utf8'))

    it('are for their owner only, nothing else beside them, and come back as they were', async () => {
      assert.deepEqual(readdirSync(copy).sort(), ['manifest.json', ...files].sort())
      for (const name of readdirSync(copy)) assert.equal(statSync(join(copy, name)).mode & 0o777, 0o600)
      const elsewhere = join(directory(), 'keys')
      const { code, out } = await keys(elsewhere, 'restore', '--from', copy)
      assert.equal(code, 0)
      assert.match(out, /restored .*secrets\.json/)
      assert.deepEqual(contents(elsewhere), contents(where))
      assert.equal((await loadKeys(elsewhere, { production: true })).signers.length, 3)
    })

    it('overwrite nothing, neither a backup nor a key', async () => {
      assert.match((await keys(where, 'backup', '--to', copy)).err, /is not empty/)
      rmSync(join(where, 'audit.json'))
      const before = readdirSync(where)
      assert.match((await keys(where, 'restore', '--from', copy)).err, /secrets\.json is there|signing\.json is there/)
      assert.deepEqual(readdirSync(where), before, 'nothing was written')
    })

    it('are refused where one was changed or is missing, and damaged keys are not backed up', async () => {
      const elsewhere = join(directory(), 'keys')
      const own = join(copy, 'secrets.json')
      writeFileSync(own, readFileSync(own, 'utf8').replace('"current": "1"', '"current": "2"'))
      assert.match((await keys(elsewhere, 'restore', '--from', copy)).err, /secrets\.json is not what was backed up/)
      rmSync(own)
      assert.match((await keys(elsewhere, 'restore', '--from', copy)).err, /secrets\.json cannot be read/)
      rmSync(join(copy, 'manifest.json'))
      assert.equal((await keys(elsewhere, 'restore', '--from', copy)).code, 2)
      assert.ok(!existsSync(elsewhere))
      writeFileSync(join(where, 'audit.json'), '{')
      assert.match((await keys(where, 'backup', '--to', join(directory(), 'new'))).err, /audit\.json: is damaged/)
    })
  })

  it('works as a command of its own', () => {
    const where = join(directory(), 'new')
    const run = (command: string) =>
      spawnSync(process.execPath, ['src/cli/keys.ts', command], {
        cwd: resolve(import.meta.dirname, '../..'),
        env: { ...process.env, YIHAO_KEYS__DIRECTORY: where },
      })
    assert.equal(run('public').status, 2)
    assert.equal(run('create').status, 0)
    assert.match(run('public').stdout.toString(), /"sm2p256v1"/)
  })
})
