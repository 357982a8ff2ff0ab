import { strict as assert } from 'node:assert'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, copyFileSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runKeys } from '#src/cli/keys.ts'
import { openStorage } from '#src/storage/open.ts'
import { createKeys, loadKeys, publicKeys } from '#src/crypto/key-store.ts'
import type { KeyEntry } from '#src/crypto/key-file.ts'
import { kekOf } from '#src/crypto/kek.ts'
import { forge, keyFile, keysIn, rewrite, secretsOf, type Content } from '../support/keys.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const root = resolve(import.meta.dirname, '../..')

describe('npm run keys', () => {
  const directory = temporaryDirectories()

  async function keys(where: string, ...args: readonly string[]) {
    const out: string[] = []
    const err: string[] = []
    const edge = {
      env: { YIHAO_KEYS__DIRECTORY: where, YIHAO_STORAGE__FILE: join(where, 'yihao.db') },
      out: (line: string) => void out.push(line),
      err: (line: string) => void err.push(line),
    }
    return { code: await runKeys(args, edge), out: out.join('\n'), err: err.join('\n') }
  }

  interface Listed extends KeyEntry {
    readonly state: string
    readonly until?: string
  }
  const listed = async (where: string) => JSON.parse((await keys(where, 'list', '--json')).out) as Listed[]
  const states = async (where: string, use: string, alg?: string) =>
    (await listed(where)).filter((key) => key.use === use && (alg === undefined || key.alg === alg))

  const created = async (): Promise<string> => {
    const where = directory()
    await createKeys({ directory: where }, 'generated')
    return where
  }

  it('create makes keys that production takes, readable by their owner only, and never overwrites them', async () => {
    const where = join(directory(), 'new')
    const { code, out } = await keys(where, 'create')
    assert.equal(code, 0)
    assert.match(out, new RegExp(`made +${where}/kek\nmade +${where}/keyring.json`))
    for (const name of readdirSync(where)) assert.equal(statSync(join(where, name)).mode & 0o777, 0o600)
    assert.equal((await loadKeys({ ...keysIn(where), environment: 'production' })).signers.length, 3)
    const before = readFileSync(keyFile(where), 'utf8')
    const again = await keys(where, 'create')
    assert.equal(again.code, 0)
    assert.ok(!again.out.includes('made'))
    assert.equal(readFileSync(keyFile(where), 'utf8'), before)
  })

  it('create says of development keys that production refuses them', async () => {
    const where = directory()
    await createKeys({ directory: where }, 'development')
    assert.match((await keys(where, 'create')).out, /keyring\.json: made for development, production refuses it/)
  })

  it('public prints public keys and nothing private', async () => {
    const where = await created()
    const { code, out } = await keys(where, 'public')
    assert.equal(code, 0)
    const { audit, signers } = await loadKeys(keysIn(where))
    assert.deepEqual(JSON.parse(out), {
      audit: { keys: [audit.publicJwk] },
      signing: { keys: signers.map(({ key }) => key.publicJwk) },
    })
    for (const secret of secretsOf(where)) assert.ok(!out.includes(secret))
  })

  it('list says of every key what it is for and where in its life, without a secret', async () => {
    const where = await created()
    await keys(where, 'rotate', '--alg', 'ES256', '--after', '100')
    await keys(where, 'rotate', '--alg', 'RS256', '--after', '0')
    const { code, out } = await keys(where, 'list')
    assert.equal(code, 0)
    assert.equal(out.split('\n').length, 13)
    assert.match(out, /^next +sig +ES256 .* active from 20/m)
    assert.match(out, /^retired +sig +RS256 .* until 20/m)
    const json = (await keys(where, 'list', '--json')).out
    for (const secret of secretsOf(where)) assert.ok(!out.includes(secret) && !json.includes(secret))
  })

  it('rotate adds a next key of every token algorithm, published ahead, and leaves the active ones as they are', async () => {
    const where = await created()
    const before = await loadKeys(keysIn(where))
    const { code, out } = await keys(where, 'rotate')
    assert.equal(code, 0)
    assert.equal(out.match(/^added/gm)?.length, 4)
    assert.ok(!out.includes('unknown key id'), 'no emergency')
    const after = await loadKeys(keysIn(where))
    assert.deepEqual(
      after.signers.map(({ key: { alg }, state }) => `${alg} ${state}`).sort(),
      ['ES256', 'RS256', 'SGD_SM3_SM2'].flatMap((alg) => [`${alg} active`, `${alg} next`]),
    )
    for (const { key } of before.signers)
      assert.equal(after.signers.find((one) => one.key.kid === key.kid)?.state, 'active')
    const ahead = (await states(where, 'sig', 'ES256')).map(({ activeFrom }) => Date.parse(activeFrom))
    assert.ok(Math.abs((ahead[1] as number) - Date.now() - 86_400_000) < 10_000)
  })

  it('rotate in an emergency takes effect at once, and says what that means', async () => {
    const where = await created()
    const { out } = await keys(where, 'rotate', '--alg', 'SGD_SM3_SM2', '--after', '0')
    assert.match(out, /meets an unknown key id/)
    assert.deepEqual((await states(where, 'sig', 'SGD_SM3_SM2')).map(({ state }) => state).sort(), [
      'active',
      'retired',
    ])
  })

  for (const use of ['wrapping', 'index', 'cookies', 'codes'])
    it(`rotate ${use} adds a key that every node has before it is used, and keeps the old one`, async () => {
      const where = await created()
      assert.equal((await keys(where, 'rotate', use)).code, 0)
      const [old, next] = await states(where, use)
      assert.deepEqual([old?.kid, old?.state, next?.kid, next?.state], [`${use}-1`, 'active', `${use}-2`, 'next'])
      const ahead = Date.parse(next?.activeFrom ?? '') - Date.now()
      assert.ok(ahead > 0 && ahead <= 10_000)
      assert.equal((await keys(where, 'rotate', use, '--after', '0')).code, 0)
      assert.equal((await states(where, use)).length, 3)
    })

  it('rotate audit keeps every old public key, so that old checkpoints verify for ever', async () => {
    const where = await created()
    const [first] = publicKeys(where).audit
    await keys(where, 'rotate', 'audit', '--after', '0')
    assert.equal((await keys(where, 'retire', '--kid', first?.kid ?? '')).code, 0)
    const kept = publicKeys(where).audit
    assert.equal(kept.length, 2)
    assert.deepEqual(kept[0], first)
    const entry = (JSON.parse(readFileSync(keyFile(where), 'utf8')) as Content).keys.find(
      ({ kid }) => kid === first?.kid,
    )
    assert.equal(entry?.sealed, undefined, 'its private half is destroyed')
    assert.notEqual((await loadKeys(keysIn(where))).audit.kid, first?.kid)
  })

  it('rotate takes out of the file what is gone', async () => {
    const where = await created()
    const [old] = await states(where, 'sig', 'ES256')
    await rewrite(keysIn(where), (entries) => {
      for (const entry of entries) entry.activeFrom = '2026-01-01T00:00:00.000Z'
    })
    await rewrite(keysIn(where), (entries) => void entries)
    await keys(where, 'rotate', '--alg', 'ES256', '--after', '0')
    await rewrite(keysIn(where), (entries) => {
      const next = entries.filter(({ alg }) => alg === 'ES256').at(-1)
      if (next) next.activeFrom = '2026-02-01T00:00:00.000Z'
    })
    assert.equal((await states(where, 'sig', 'ES256'))[0]?.state, 'gone')
    const checked = await keys(where, 'check')
    assert.equal(checked.code, 1)
    assert.match(checked.err, new RegExp(`caution +${old?.kid} is past its time and still in the file`))
    await keys(where, 'rotate', '--alg', 'RS256')
    assert.ok((await listed(where)).every(({ kid }) => kid !== old?.kid))
  })

  it('rotate through a link changes the file it leads to', async () => {
    const where = await created()
    const linked = directory()
    for (const name of ['keyring.json', 'kek']) symlinkSync(join(where, name), join(linked, name))
    assert.equal((await keys(linked, 'rotate', '--alg', 'ES256')).code, 0)
    assert.ok(lstatSync(keyFile(linked)).isSymbolicLink())
    assert.equal((await states(where, 'sig', 'ES256')).length, 2)
  })

  describe('retire', () => {
    it('takes back a key that is only next', async () => {
      const where = await created()
      await keys(where, 'rotate', '--alg', 'ES256')
      const next = (await states(where, 'sig', 'ES256')).find(({ state }) => state === 'next')
      assert.equal((await keys(where, 'retire', '--kid', next?.kid ?? '')).code, 0)
      assert.equal((await states(where, 'sig', 'ES256')).length, 1)
    })

    it('refuses a key in use and one that still verifies, and says what to do first', async () => {
      const where = await created()
      const [active] = await states(where, 'sig', 'RS256')
      const kid = active?.kid ?? ''
      assert.match(
        (await keys(where, 'retire', '--kid', kid)).err,
        /is in use; first run: npm run keys -- rotate --alg RS256/,
      )
      assert.match(
        (await keys(where, 'retire', '--kid', kid, '--now')).err,
        /is the only one of its kind; first run: npm run keys -- rotate --alg RS256 --after 0/,
      )
      await keys(where, 'rotate', '--alg', 'RS256', '--after', '0')
      assert.match(
        (await keys(where, 'retire', '--kid', kid)).err,
        /verifies what it signed until 20.*; --now ends it at once/,
      )
      assert.equal((await states(where, 'sig', 'RS256')).length, 2)
    })

    it('ends a key that became known to others at once: the next one takes its place', async () => {
      const where = await created()
      const [active] = await states(where, 'sig', 'ES256')
      await keys(where, 'rotate', '--alg', 'ES256')
      const { code, err } = await keys(where, 'retire', '--now', '--kid', active?.kid ?? '')
      assert.equal(code, 0, err)
      const [left, ...more] = await states(where, 'sig', 'ES256')
      assert.deepEqual(more, [])
      assert.equal(left?.state, 'active')
      assert.notEqual(left?.kid, active?.kid)
      const { signers } = await loadKeys(keysIn(where))
      assert.ok(signers.every(({ key }) => key.kid !== active?.kid))
    })

    for (const use of ['wrapping', 'index'])
      it(`takes an old ${use} key away only on proof that nothing is under it any more`, async () => {
        const where = await created()
        const kid = `${use}-1`
        assert.match((await keys(where, 'retire', '--kid', kid)).err, /is in use; first run/)
        await keys(where, 'rotate', use, '--after', '0')
        for (const atOnce of [[], ['--now']])
          assert.match((await keys(where, 'retire', '--kid', kid, ...atOnce)).err, /storage_unavailable/)
        // `flows/renewal` has one that something is under.
        await (await openStorage({ kind: 'sqlite', file: join(where, 'yihao.db') })).close()
        assert.equal((await keys(where, 'retire', '--kid', kid)).code, 0)
        assert.deepEqual(
          (await states(where, use)).map((key) => key.kid),
          [`${use}-2`],
        )
      })

    it('takes an id that begins with a hyphen, as one thumbprint in 64 does', async () => {
      const where = await created()
      for (const now of [[], ['--now']])
        assert.match((await keys(where, 'retire', '--kid', '-_A', ...now)).err, /there is no key -_A;/)
      assert.match((await keys(where, 'retire', '--kid')).err, /argument missing/)
    })

    it('never takes the keys of subjects and rows, and knows when there is no such key', async () => {
      const where = await created()
      for (const kid of ['pairwise-1', 'rows-1'])
        assert.match((await keys(where, 'retire', '--now', '--kid', kid)).err, /is never changed/)
      assert.match((await keys(where, 'retire', '--kid', 'nobody')).err, /there is no key nobody/)
      for (const use of ['pairwise', 'rows']) assert.equal((await keys(where, 'rotate', use)).code, 2)
    })
  })

  describe('check', () => {
    it('finds good keys good, and says what production will refuse', async () => {
      const where = await created()
      const { code, out, err } = await keys(where, 'check')
      assert.equal(code, 1)
      assert.match(out, /^good: /)
      assert.match(err, /^caution +\S+\/kek stands beside the keys that it opens; production refuses that$/)
    })

    it('says everything at once that would keep the server from starting', async () => {
      const where = await created()
      chmodSync(join(where, 'kek'), 0o644)
      chmodSync(keyFile(where), 0o644)
      const { code, err } = await keys(where, 'check')
      assert.equal(code, 2)
      assert.match(err, /FAULT +\S+\/kek: can be read by others/)
      assert.match(err, /FAULT +\S+\/keyring\.json: can be read by others/)
    })

    it('opens every key, and tells a changed, a foreign and an unfit file apart', async () => {
      const changed = await created()
      forge(changed, ({ keys: entries }) => void entries.splice(1, 1))
      assert.match((await keys(changed, 'check')).err, /FAULT .* was changed by hand/)
      const foreign = await created()
      copyFileSync(join(await created(), 'kek'), join(foreign, 'kek'))
      assert.match((await keys(foreign, 'check')).err, /FAULT .* sealed under another key-encryption key/)
      const unfit = await created()
      await rewrite(keysIn(unfit), (entries) => void entries.splice(1, 1))
      const { code, err } = await keys(unfit, 'check')
      assert.equal(code, 2)
      assert.match(err, /FAULT .* has no active key for sig ES256/)
    })

    it('points at unsealed keys of the older form and at what a killed command left', async () => {
      const where = await created()
      writeFileSync(join(where, 'secrets.json'), '{}')
      writeFileSync(join(where, 'keyring.json.1-aa.new'), '')
      const { code, err } = await keys(where, 'check')
      assert.equal(code, 1)
      assert.match(err, /caution +\S+secrets\.json holds unsealed keys of an older form; destroy it/)
      assert.match(err, /caution +\S+keyring\.json\.1-aa\.new was left by a command/)
    })
  })

  describe('reseal', () => {
    it('seals every key anew under a KEK that it makes, and the old one opens nothing any more', async () => {
      const where = await created()
      await keys(where, 'rotate')
      const before = await loadKeys(keysIn(where))
      const to = join(directory(), 'vault', 'kek')
      const { code, out } = await keys(where, 'reseal', '--kek-file', to)
      assert.equal(code, 0)
      assert.match(out, new RegExp(`made +${to}`))
      assert.equal(statSync(to).mode & 0o777, 0o600)
      await assert.rejects(loadKeys(keysIn(where)), /sealed under another key-encryption key/)
      const after = await loadKeys(keysIn(where, { YIHAO_KEYS__KEK__FILE: to }))
      assert.deepEqual(after.described, before.described)
      assert.deepEqual(after.cookies, before.cookies)
      assert.deepEqual(await after.pairwise('x'), await before.pairwise('x'))
      for (const secret of secretsOf(where, to)) assert.ok(!out.includes(secret))
    })

    it('takes a KEK from the environment or a command, and refuses what is none or the same', async () => {
      const where = await created()
      const text = Buffer.alloc(32, 7).toString('base64url')
      const file = join(directory(), 'printed')
      writeFileSync(file, text)
      const same = await keys(where, 'reseal', '--kek-file', join(where, 'kek'))
      assert.match(same.err, /is sealed under the key of .*kek already/)
      assert.match((await keys(where, 'reseal', '--kek-environment', 'NOT_SET_HERE')).err, /NOT_SET_HERE is not set/)
      assert.match((await keys(where, 'reseal', '--kek-command', 'cat')).err, /takes a JSON list/)
      assert.equal((await keys(where, 'reseal')).code, 2)
      assert.equal((await keys(where, 'reseal', '--kek-file', 'a', '--kek-environment', 'B')).code, 2)
      assert.ok(await loadKeys(keysIn(where)), 'nothing was changed')
      assert.equal((await keys(where, 'reseal', '--kek-command', JSON.stringify(['cat', file]))).code, 0)
      const env = { YIHAO_KEYS__KEK__ENVIRONMENT: 'SEAL' }
      assert.ok(await loadKeys(keysIn(where, env), { env: { SEAL: text } }))
    })
  })

  it('run by root leaves the key file to its owner, as the user of a key daemon', async function () {
    if (process.getuid?.() !== 0) this.skip()
    const where = await created()
    chownSync(keyFile(where), 2001, 2000)
    assert.equal((await keys(where, 'rotate', '--alg', 'ES256')).code, 0)
    const { uid, gid, mode } = statSync(keyFile(where))
    assert.deepEqual([uid, gid, mode & 0o777], [2001, 2000, 0o600])
  })

  it('exits with 2 and a remedy where there are no keys, and for what it does not understand', async () => {
    for (const command of ['public', 'list', 'check', 'rotate'])
      assert.match((await keys(directory(), command)).err, /npm run keys -- create/)
    const where = await created()
    const wrong: readonly (readonly [RegExp, ...string[]])[] = [
      [/^Usage: npm run keys/],
      [/^there is no command show\n\nUsage: npm run keys/, 'show'],
      [/^there is no command toString/, 'toString'],
      [/^Unknown option '--jsn'[^]*Usage: npm run keys/, 'list', '--jsn'],
      [/^create takes no "now"$/, 'create', 'now'],
      [/^backup needs --to$/, 'backup'],
      [/^restore needs --from$/, 'restore'],
      [/^retire needs --kid$/, 'retire'],
      [/ambiguous/, 'retire', '--kid', '--now'],
      [/there is no key -oMGg;/, 'retire', '--kid', '-oMGg'],
      [/there is no key --MGg;/, 'retire', '--now', '--kid', '--MGg'],
      [/^public takes no --to$/, 'public', '--to', 'x'],
      [/^list takes no --now$/, 'list', '--now'],
      [/one of audit, wrapping, index, cookies, codes;/, 'rotate', 'everything'],
      [/one of audit, wrapping, index, cookies, codes;/, 'rotate', 'pairwise'],
      [/^rotate takes no "index"$/, 'rotate', 'audit', 'index'],
      [/^--alg takes one of SGD_SM3_SM2, ES256, RS256, SGD_SM2_3$/, 'rotate', '--alg', 'none'],
      [/among the keys of tokens alone$/, 'rotate', 'audit', '--alg', 'ES256'],
      [/--after/, 'rotate', '--after', '-1'],
      [/^--after takes whole seconds$/, 'rotate', '--after', 'soon'],
      [/^name exactly one of --kek-file/, 'reseal'],
    ]
    const before = readFileSync(keyFile(where), 'utf8')
    for (const [says, ...args] of wrong) {
      const { code, err } = await keys(where, ...args)
      assert.equal(code, 2, args.join(' '))
      assert.match(err, says, args.join(' '))
    }
    assert.equal(readFileSync(keyFile(where), 'utf8'), before)
  })

  describe('backed up', () => {
    let where: string
    let copy: string
    beforeEach(async () => {
      where = await created()
      copy = join(directory(), 'copy')
      const { code, out } = await keys(where, 'backup', '--to', copy)
      assert.equal(code, 0)
      assert.match(out, /key-encryption key that opens it .* is not in it/)
    })

    it('are for their owner only, without their KEK, and come back as they were', async () => {
      assert.deepEqual(readdirSync(copy).sort(), ['keyring.json', 'manifest.json'])
      for (const name of readdirSync(copy)) assert.equal(statSync(join(copy, name)).mode & 0o777, 0o600)
      const elsewhere = join(directory(), 'keys')
      const { code, out } = await keys(elsewhere, 'restore', '--from', copy)
      assert.equal(code, 0)
      assert.match(out, /restored .*keyring\.json\nIt opens with the key-encryption key [0-9a-f]{16};/)
      assert.equal(readFileSync(keyFile(elsewhere), 'utf8'), readFileSync(keyFile(where), 'utf8'))
      await assert.rejects(loadKeys(keysIn(elsewhere)), /kek: is missing/)
      assert.ok(await loadKeys(keysIn(elsewhere, { YIHAO_KEYS__KEK__FILE: join(where, 'kek') })))
    })

    it('overwrite nothing, neither a backup nor a key', async () => {
      assert.match((await keys(where, 'backup', '--to', copy)).err, /is not empty/)
      const before = readFileSync(keyFile(where), 'utf8')
      assert.match((await keys(where, 'restore', '--from', copy)).err, /keyring\.json is there/)
      assert.equal(readFileSync(keyFile(where), 'utf8'), before, 'nothing was written')
    })

    it('are refused where one was changed or is missing, and damaged keys are not backed up', async () => {
      const elsewhere = join(directory(), 'keys')
      const own = join(copy, 'keyring.json')
      writeFileSync(own, readFileSync(own, 'utf8').replace('"generated"', '"development"'))
      assert.match((await keys(elsewhere, 'restore', '--from', copy)).err, /keyring\.json is not what was backed up/)
      rmSync(own)
      assert.match((await keys(elsewhere, 'restore', '--from', copy)).err, /keyring\.json cannot be read/)
      rmSync(join(copy, 'manifest.json'))
      assert.equal((await keys(elsewhere, 'restore', '--from', copy)).code, 2)
      assert.ok(!existsSync(elsewhere))
      writeFileSync(keyFile(where), '{')
      assert.match((await keys(where, 'backup', '--to', join(directory(), 'new'))).err, /keyring\.json: is damaged/)
    })
  })

  describe('as a command of its own', function () {
    this.timeout(120_000)
    const options = (where: string) => ({ cwd: root, env: { ...process.env, YIHAO_KEYS__DIRECTORY: where } })
    const start = (where: string, ...args: string[]) =>
      spawn(process.execPath, ['src/cli/keys.ts', ...args], { ...options(where), stdio: 'ignore' })

    it('says by its exit code whether it did what was asked', () => {
      const where = join(directory(), 'new')
      const run = (command: string) => spawnSync(process.execPath, ['src/cli/keys.ts', command], options(where)).status
      assert.equal(run('public'), 2)
      assert.equal(run('create'), 0)
    })

    it('loses no key where several rotate at once', async () => {
      const where = await created()
      const before = (await listed(where)).length
      const children = Array.from({ length: 5 }, () => start(where, 'rotate', '--alg', 'ES256'))
      const codes = await Promise.all(children.map(async (child) => ((await once(child, 'exit')) as [number])[0]))
      assert.deepEqual(codes, [0, 0, 0, 0, 0])
      assert.equal((await listed(where)).length, before + 5)
    })

    it('killed before or after any step of its writing leaves the old file or the new one whole, and no lock', async () => {
      const where = await created()
      const own = join(where, 'kek')
      const kekIn = (file: string) => kekOf(Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url')).id
      const killedAt = (step: number, ...args: string[]): boolean => {
        const { signal, status } = spawnSync(
          process.execPath,
          ['--import', join(root, 'test/support/kill-at.mjs'), 'src/cli/keys.ts', ...args],
          { cwd: root, env: { ...options(where).env, KILL_NEAR: where, KILL_AT: String(step) } },
        )
        assert.ok(signal === 'SIGKILL' || status === 0)
        return signal === 'SIGKILL'
      }
      for (const command of ['rotate', 'reseal']) {
        const outcomes = new Set<string>()
        for (let step = 0, killed = true; killed; step += 1) {
          const to = join(directory(), 'kek')
          const before = await listed(where)
          killed = killedAt(
            step,
            ...(command === 'rotate' ? ['rotate', '--alg', 'ES256'] : ['reseal', '--kek-file', to]),
          )
          if (command === 'reseal') {
            const { kek } = JSON.parse(readFileSync(keyFile(where), 'utf8')) as Content
            const moved = kek !== kekIn(own)
            outcomes.add(moved ? 'new' : 'old')
            if (moved) copyFileSync(to, own)
          }
          await loadKeys(keysIn(where))
          const after = await listed(where)
          if (command === 'rotate') outcomes.add(after.length > before.length ? 'new' : 'old')
          else assert.deepEqual(after, before)
          assert.ok(after.length - before.length <= (command === 'rotate' ? 1 : 0))
          if (!killed) assert.ok(step >= 8, `only ${step} steps were tried`)
        }
        assert.deepEqual([...outcomes].sort(), ['new', 'old'], 'both sides of the change were seen')
      }
      assert.match((await keys(where, 'check')).err, /was left by a command that was killed; remove it/)
    })
  })
})
