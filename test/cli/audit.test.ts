import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { runAudit } from '#src/cli/audit.ts'
import { readUnproven } from '#src/crypto/key-file.ts'
import { publicKeys } from '#src/crypto/key-store.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { newSigner } from '../support/trail.ts'

describe('npm run audit', () => {
  const directory = temporaryDirectories()
  let server: TestServer
  let store: string
  let env: Record<string, string>
  let key: string

  before(async () => {
    server = await startServer()
    store = server.config.storage.file
    env = { YIHAO_STORAGE__FILE: store, YIHAO_KEYS__DIRECTORY: server.config.keys.directory }
    for (const outcome of ['ok', 'refused'] as const)
      await server.app.recorder.record({ type: 'login', outcome, reference: 'ABCDE-FGHJK', person: 'somebody' })
    await server.app.recorder.checkpoint()
    key = file(JSON.stringify(publicKeys(server.config.keys.directory).audit[0]))
  })
  after(() => server.close())

  const file = (text: string): string => {
    const path = join(directory(), 'file')
    writeFileSync(path, text)
    return path
  }

  async function audit(...args: readonly string[]) {
    const out: string[] = []
    const err: string[] = []
    const edge = { env, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
    const code = await runAudit(args, edge)
    return { code, out: out.join('\n'), err: err.join('\n') }
  }

  /** A copy of the store after somebody with a SQL prompt worked on it. */
  function tampered(sql: string): string {
    const copy = join(directory(), 'copy.db')
    const db = new DatabaseSync(store, { readOnly: true })
    db.exec(`VACUUM INTO '${copy}'`)
    db.close()
    const open = new DatabaseSync(copy)
    for (const { name } of open.prepare(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`).all())
      open.exec(`DROP TRIGGER ${String(name)}`)
    open.exec(sql)
    open.close()
    return copy
  }

  it('verify finds the trail of a running server intact', async () => {
    const { code, out } = await audit('verify')
    assert.equal(code, 0, out)
    assert.match(out, /^intact {2}node-1: \d+ records, \d+ checkpoints, signed up to record \d+$/)
  })

  it('verify needs neither settings nor private keys where store and public key are named', async () => {
    const keep = env
    env = { YIHAO_ISSUER: 'nonsense' }
    const set = file(JSON.stringify({ keys: [(await newSigner()).publicJwk, JSON.parse(readFileSync(key, 'utf8'))] }))
    try {
      assert.equal((await audit('verify', '--store', store, '--public-key', key)).code, 0)
      assert.equal((await audit('verify', '--store', store, '--public-key', set)).code, 0)
      assert.equal((await audit('verify')).code, 2)
    } finally {
      env = keep
    }
  })

  it('verify says which record is broken and exits with 1', async () => {
    const changed = tampered(`UPDATE audit SET body = replace(body, 'refused', 'ok') WHERE body LIKE '%refused%'`)
    const { code, out } = await audit('verify', '--store', changed)
    assert.equal(code, 1)
    assert.match(out, /^BROKEN {2}node-1: record \d+ is missing or was changed/)
    assert.equal((await audit('verify', '--store', tampered('DELETE FROM audit'))).code, 1)
  })

  it('verify with a foreign key exits with 1', async () => {
    const foreign = file(JSON.stringify((await newSigner()).publicJwk))
    const { code, out } = await audit('verify', '--public-key', foreign)
    assert.equal(code, 1)
    assert.match(out, /not signed by a known key/)
  })

  it('checkpoint prints what later is the anchor that shows a trail cut short', async () => {
    const { code, out } = await audit('checkpoint')
    assert.equal(code, 0)
    assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+$/)
    const anchor = file(`${out}\n`)
    assert.equal((await audit('verify', '--anchor', anchor)).code, 0)
    const cut = tampered('DELETE FROM audit WHERE seq > 1; DELETE FROM checkpoints')
    assert.equal((await audit('verify', '--store', cut)).code, 0)
    const found = await audit('verify', '--store', cut, '--anchor', anchor)
    assert.equal(found.code, 1)
    assert.match(found.out, /the anchor signs \d+ records but 1 are here/)
  })

  it('verify takes an anchor with the lines npm prints before it, and says what it left out', async () => {
    const { out } = await audit('checkpoint')
    const anchor = file(`\n> yihao@1.0.0 audit\n> node src/cli/audit.ts checkpoint\n\n${out}\r\n`)
    const { code, out: said, err } = await audit('verify', '--anchor', anchor)
    assert.equal(code, 0, said)
    assert.match(err, /lines that are no checkpoint, ignored: 2$/)
    const cut = tampered('DELETE FROM audit WHERE seq > 1; DELETE FROM checkpoints')
    assert.equal((await audit('verify', '--store', cut, '--anchor', anchor)).code, 1, 'the anchor counts all the same')
  })

  it('find prints the records of a reference, a line each, with who it was sealed', async () => {
    const { code, out } = await audit('find', ' abcde-fghjk ')
    assert.equal(code, 0)
    const lines = out.split('\n').map((line) => JSON.parse(line) as { record: { type: string; who: string } })
    assert.deepEqual(
      lines.map(({ record }) => record.type),
      ['login', 'login'],
    )
    assert.ok(lines.every(({ record }) => record.who.startsWith('1.')) && !out.includes('somebody'))
    const nothing = await audit('find', 'ZZZZZ-ZZZZZ')
    assert.deepEqual([nothing.code, nothing.out], [0, ''])
    assert.match(nothing.err, /no record has this reference; the log of the server may know it/)
  })

  it('keys prints what the node recorded of its keys, and nothing else', async () => {
    const { code, out } = await audit('keys')
    assert.equal(code, 0)
    const lines = out.split('\n').map((line) => JSON.parse(line) as { record: { type: string; facts: object } })
    assert.ok(lines.every(({ record }) => record.type === 'key.activated'))
    assert.deepEqual(
      lines.map(({ record }) => record.facts),
      readUnproven(server.config.keys.directory).keys.map(({ kid, use, alg }) => ({ kid, use, alg })),
    )
  })

  it('find shows a row that was changed into nonsense rather than failing', async () => {
    const changed = tampered(`UPDATE audit SET body = '{', at = 9000000000000000 WHERE reference IS NOT NULL`)
    const { code, out } = await audit('find', 'ABCDE-FGHJK', '--store', changed)
    assert.equal(code, 0)
    assert.equal((JSON.parse(out.split('\n')[0] ?? '') as { record: string }).record, '{')
  })

  const unusable: [what: string, args: () => readonly string[]][] = [
    ['no command', () => []],
    ['an unknown command', () => ['repair']],
    ['an unknown option', () => ['verify', '--force']],
    ['a word too many', () => ['verify', 'now']],
    ['no reference', () => ['find']],
    ['a store that is not there', () => ['verify', '--store', '/nonexistent/yihao.db']],
    ['a store that is no database', () => ['verify', '--store', file('this is not a database, but long enough')]],
    ['a key file that is not there', () => ['verify', '--public-key', '/nonexistent/key.json']],
    ['a key file that is not JSON', () => ['verify', '--public-key', file('{')]],
    ['a key file without keys', () => ['verify', '--public-key', file('{"keys":[]}')]],
    ['a key file of something else', () => ['verify', '--public-key', file('[1]')]],
    ['an anchor that is not there', () => ['verify', '--anchor', '/nonexistent/anchor']],
    ['an empty anchor', () => ['verify', '--anchor', file('\n')]],
    ['an anchor without a checkpoint', () => ['verify', '--anchor', file('\n> yihao@1.0.0 audit\na.b\na.b.c.d\n')]],
  ]
  for (const [what, args] of unusable)
    it(`exits with 2 and says why for ${what}`, async () => {
      const { code, out, err } = await audit(...args())
      assert.equal(code, 2)
      assert.equal(out, '')
      assert.ok(err.length > 10, err)
    })

  it('creates nothing where no store is', async () => {
    const path = join(directory(), 'none.db')
    assert.equal((await audit('verify', '--store', path)).code, 2)
    assert.ok(!existsSync(path))
  })

  it('works as a command of its own, beside the server and on a copy', () => {
    const root = resolve(import.meta.dirname, '../..')
    const run = (...args: readonly string[]) =>
      spawnSync(process.execPath, ['src/cli/audit.ts', ...args], { cwd: root, env: { ...process.env, ...env } })
    const beside = run('verify')
    assert.equal(beside.status, 0, beside.stderr.toString())
    assert.match(beside.stdout.toString(), /^intact {2}node-1: /)
    const broken = run('verify', '--store', tampered('DELETE FROM audit WHERE seq = 1'))
    assert.equal(broken.status, 1)
    assert.match(broken.stdout.toString(), /^BROKEN {2}node-1: record 1 is missing or was changed/)
    assert.equal(run('nonsense').status, 2)
  })
})
