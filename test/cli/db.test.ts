/** The drill: what an operator does when the store is lost, and what must not come back with it. */
import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createRecorder } from '#src/audit/recorder.ts'
import { runDb } from '#src/cli/db.ts'
import { loadConfig } from '#src/config.ts'
import { createKeys, loadKeys } from '#src/crypto/key-store.ts'
import { createSealer } from '#src/crypto/sealer.ts'
import { createDirectory } from '#src/login/directory.ts'
import { openAuditReader, openProtectedStorage, openStorage } from '#src/storage/open.ts'
import { createVault } from '#src/storage/vault.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { startChild, type ChildServer } from '../support/drill-server.ts'
import { attemptOf, codeFor, giveDocument, personOf, provePhone, signIn, signedIn, stepOf } from '../support/citizen.ts'
import { relyingParty, type RelyingParty, type Request, type Tokens } from '../support/relying-party.ts'
import { keysIn, rewrite } from '../support/keys.ts'
import { temporaryDirectories } from '../support/temporary.ts'
import { openTrail } from '../support/trail.ts'

const root = resolve(import.meta.dirname, '../..')

/** A command in a process of its own, as an operator runs it beside the server. */
function commands(directory: string) {
  const env = {
    ...process.env,
    YIHAO_STORAGE__FILE: join(directory, 'yihao.db'),
    YIHAO_KEYS__DIRECTORY: join(directory, 'keys'),
  }
  return (command: 'db' | 'audit' | 'keys', ...args: readonly string[]) => {
    const ended = spawnSync(process.execPath, [`src/cli/${command}.ts`, ...args], { cwd: root, env, encoding: 'utf8' })
    return { code: ended.status, out: ended.stdout, err: ended.stderr }
  }
}

describe('the drill: a backup, a lost store, a restore', () => {
  const directories = temporaryDirectories()
  let directory: string
  let run: ReturnType<typeof commands>
  let server: ChildServer
  let party: RelyingParty
  let backup: string
  let anchors: string
  let yan: { browser: Browser; tokens: Tokens }
  let elder: { location: string; request: Request; tokens: Tokens }
  let pending: { browser: Browser; page: Page; code: string }
  let firstAnchor: string

  const anchor = (name: string): string => {
    const { code, out } = run('audit', 'checkpoint')
    assert.equal(code, 0)
    writeFileSync(join(directory, name), out)
    return join(directory, name)
  }

  before(async () => {
    directory = directories()
    run = commands(directory)
    backup = join(directory, 'backup')
    server = await startChild(directory)
    party = relyingParty(server.url, 'first')

    yan = await signedIn(server, party, await personOf('yan'))
    await signedIn(server, party, await personOf('xian'))
    const ayiguli = await signedIn(server, party, await personOf('ayiguli'))
    const coded = await signIn(server, openBrowser(server.url), party, await personOf('elder'))
    const browser = openBrowser(server.url)
    const { phone } = await personOf('teenager')
    const asked = await browser.get(party.request().path)
    const page = await browser.post(`${attemptOf(asked)}/phone`, { phone })
    pending = { browser, page, code: codeFor(server, phone) }
    firstAnchor = anchor('before')

    const { code, out, err } = run('db', 'backup', '--to', backup)
    assert.equal(code, 0, err)
    assert.match(out, /4 people/)

    elder = { ...coded, tokens: await party.tokens(coded.location, coded.request) }
    await server.erase(await personOf('xian'))
    const withdrawn = await ayiguli.browser.post('/me/notices', { application: 'first' })
    assert.equal(withdrawn.status, 200)
    await signedIn(server, party, await personOf('renamed'))
    anchors = anchor('after')
  })
  after(() => server.kill())

  it('makes a backup for its owner only, that opens with the keys of this node', () => {
    for (const [name, mode] of [
      ['', 0o700],
      ['store.db', 0o600],
      ['manifest.json', 0o600],
    ] as const)
      assert.equal(statSync(join(backup, name)).mode & 0o777, mode, name)
    const manifest = JSON.parse(readFileSync(join(backup, 'manifest.json'), 'utf8')) as Record<string, unknown>
    assert.deepEqual(Object.keys(manifest).sort(), [
      ...['at', 'audit', 'file', 'format', 'ledger', 'mac', 'people', 'schema'],
    ])
    const { code, out } = run('db', 'check', '--from', backup)
    assert.equal(code, 0)
    assert.match(out, /^good: the backup of \d{4}-.*4 people/)
  })

  it('is refused while the server runs', () => {
    const { code, err } = run('db', 'restore', '--from', backup, '--replace')
    assert.equal(code, 2)
    assert.match(err, /stop the server, then restore again/)
  })

  it('is refused where a store is there, until the operator says that it is to be replaced', async () => {
    await server.kill()
    const { code, err } = run('db', 'restore', '--from', backup)
    assert.equal(code, 2)
    assert.match(err, /yihao\.db is there; add --replace/)
  })

  it('restores, repeats what was ended since, carries the audit trail over and starts within three seconds', async () => {
    const { code, out, err } = run('db', 'restore', '--from', backup, '--replace', '--anchor', anchors)
    assert.equal(code, 0, err)
    assert.match(out, /repeated {2}[2-9] erasures/)
    assert.match(out, /carried {3}[1-9]\d+ audit records of node-1/)
    assert.match(out, /kept {6}.*yihao\.db\.replaced-/)
    server = await startChild(directory, server.port)
    // Of the machine's other work the clock would tell as well.
    assert.ok(server.startWorkMs < 3000, `it took ${server.startWorkMs} ms`)
  })

  it('revives no session: everybody signs in again, and is the same person as before', async () => {
    const page = await yan.browser.get(party.request().path)
    assert.equal(stepOf(page), 'phone')
    const again = await signedIn(server, party, await personOf('yan'))
    const sub = async ({ id_token }: Tokens) => (await party.verify(id_token)).sub
    assert.equal(await sub(again.tokens), await sub(yan.tokens))
  })

  it('revives no token, neither from before the backup nor after it', async () => {
    for (const { access_token, refresh_token } of [yan.tokens, elder.tokens]) {
      assert.equal((await party.userinfo(access_token)).status, 401)
      assert.equal((await party.refresh(refresh_token)).status, 400)
    }
  })

  it('revives no code that was spent since the backup', async () => {
    const answer = await party.redeem(elder.location, elder.request)
    assert.equal(answer.status, 400)
    assert.equal(((await answer.json()) as { error: string }).error, 'invalid_grant')
  })

  it('revives no text code: the attempt it belongs to is over', async () => {
    const { browser, page, code } = pending
    const answer = await browser.post(`${attemptOf(page)}/code`, { code })
    assert.equal(answer.status, 400)
    assert.equal(answer.location, undefined)
  })

  it('leaves the erased erased, and his number nobody’s to register', async () => {
    const person = await personOf('xian')
    const browser = openBrowser(server.url)
    const asked = await provePhone(server, browser, await browser.get(party.request().path), person.phone)
    assert.equal(stepOf(asked), 'document', 'his phone opens no account')
    const answer = await giveDocument(browser, asked, person)
    assert.equal(answer.location, undefined)
    assert.match(answer.text, /已经登记过/)
    for (const name of ['yihao.db', 'yihao.db-wal'])
      assert.ok(!readFileSync(join(directory, name)).includes(person.number))
  })

  it('leaves the consent withdrawn that was withdrawn, and the one that stood as it stood', async () => {
    const withdrawn = party.request()
    const browser = openBrowser(server.url)
    const page = await browser.get(withdrawn.path)
    const notice = await provePhone(server, browser, page, (await personOf('ayiguli')).phone)
    assert.equal(notice.location, undefined)
    assert.match(notice.text, /甲局/)
    const other = openBrowser(server.url)
    const start = await other.get(party.request().path)
    const through = await provePhone(server, other, start, (await personOf('elder')).phone)
    assert.ok(through.location, 'he is asked nothing anew')
  })

  it('keeps an audit trail that verifies against the anchors of before, and tells of the restore', async () => {
    for (const file of [firstAnchor, anchors]) {
      const { code, out } = run('audit', 'verify', '--anchor', file)
      assert.equal(code, 0, out)
      assert.match(out, /^intact {2}node-1/)
    }
    const reader = await openAuditReader(join(directory, 'yihao.db'))
    const records = (await reader.read('node-1', 0, 10_000)).map(({ body }) => JSON.parse(body) as { type: string })
    await reader.close()
    const restored = records.filter(({ type }) => type === 'store.restored')
    assert.equal(restored.length, 1)
    assert.match(JSON.stringify(restored[0]), /"carried":[1-9]/)
    assert.ok(records.some(({ type }) => type === 'notice.withdrawn'))
  })
})

describe('npm run db', () => {
  const directories = temporaryDirectories()
  let directory: string
  let run: ReturnType<typeof commands>
  let backup: string
  let anchor: string

  /** A city of one citizen and three records, its backup of two, and an anchor of all three; nothing runs. */
  beforeEach(async () => {
    directory = directories()
    run = commands(directory)
    backup = join(directory, 'backup')
    anchor = join(directory, 'anchor')
    await createKeys({ directory: join(directory, 'keys') }, 'development')
    const keys = await loadKeys(loadConfig('config', { YIHAO_KEYS__DIRECTORY: join(directory, 'keys') }))
    const sealer = createSealer(() => keys)
    const live = async (records: number, people: number) => {
      const file = join(directory, 'yihao.db')
      const storage = await openProtectedStorage(
        { kind: 'sqlite', file },
        { rowMac: keys.rows, indexVersions: [1], onTampered: assert.fail },
      )
      const reserve = createVault({ dataKeys: storage.dataKeys, sealer, id: 'reserve' })
      const sealing = { sealer, pseudonym: keys.pairwise, reserve }
      const recorder = createRecorder({
        ...{ storage, sealer, signer: () => keys.audit, node: 'node-1', retentionDays: 184 },
        ...{ checkpointRecords: 1000, checkpointSeconds: 1000 },
      })
      for (let n = 0; n < records; n += 1) await recorder.record({ type: 'login', outcome: 'ok', person: 'somebody' })
      const { name, number, phone } = await personOf('yan')
      const document = { kind: 'resident-id-card', number, status: 'proven' } as const
      for (let n = 0; n < people; n += 1)
        await createDirectory({ storage, ...sealing }).open({ name, document, phone, proven: true, proofing: 2 })
      await recorder.close()
      await storage.close()
    }
    await live(2, 1)
    assert.equal(run('db', 'backup', '--to', backup).code, 0)
    await live(1, 0)
    const banner = '\n> yihao@1.0.0 audit\n> node src/cli/audit.ts checkpoint\n\n'
    writeFileSync(anchor, banner + run('audit', 'checkpoint').out)
  })

  it('says that the keys of another node do not open a backup', async () => {
    rmSync(join(directory, 'keys'), { recursive: true })
    await createKeys({ directory: join(directory, 'keys') }, 'development')
    for (const args of [['check'], ['restore', '--replace']]) {
      const { code, err } = run('db', ...args, '--from', backup)
      assert.equal(code, 2)
      assert.match(err, /the keys of this node do not open this backup; restore the keys that belong to it/)
    }
  })

  it('says so too where people could not be found, of whom there is nothing left to open', async () => {
    const storage = await openStorage({ kind: 'sqlite', file: join(directory, 'yihao.db') })
    for (const id of await storage.people.dependents('indexes', '1', '', 10)) await storage.people.erase(id)
    await storage.close()
    const erased = join(directory, 'erased')
    assert.equal(run('db', 'backup', '--to', erased).code, 0)
    assert.equal(run('db', 'check', '--from', erased).code, 0)
    assert.equal(run('keys', 'rotate', 'index', '--after', '0').code, 0)
    assert.equal(run('db', 'check', '--from', erased).code, 0)
    await rewrite(keysIn(join(directory, 'keys')), (keys) => {
      keys.splice(
        keys.findIndex(({ kid }) => kid === 'index-1'),
        1,
      )
    })
    assert.match(run('db', 'check', '--from', erased).err, /the keys of this node do not open this backup/)
  })

  it('says how many records an anchor proves to be missing where the lost store cannot be read', async () => {
    writeFileSync(join(directory, 'yihao.db'), 'lost')
    const { code, out, err } = run('db', 'restore', '--from', backup, '--replace', '--anchor', anchor)
    assert.equal(code, 1)
    assert.match(out, /^restored {2}the backup of .*1 people, 2 audit records/)
    assert.match(err, /LOST {6}no records could be taken over/)
    assert.match(err, /anchor: lines that are no checkpoint, ignored: 2\n/)
    assert.match(err, /LOST {6}the anchor proves that 1 audit records are missing/)
    assert.equal(run('audit', 'verify').code, 0)
    assert.equal(run('audit', 'verify', '--anchor', anchor).code, 1)
  })

  it('says what the operator gave away where the ledger is lost', async () => {
    rmSync(join(directory, 'yihao.db.ledger'))
    assert.match(run('db', 'restore', '--from', backup, '--replace').err, /there is no ledger/)
    const { code, out, err } = run('db', 'restore', '--from', backup, '--replace', '--without-ledger')
    assert.equal(code, 1)
    assert.match(out, /carried {3}1 audit records of node-1/)
    assert.match(err, /LOST {6}without the ledger, whoever was erased/)
  })

  it('refuses a backup whose trail is not the one an anchor signs', async () => {
    const stranger = await openTrail({
      signer: (await loadKeys(loadConfig('config', { YIHAO_KEYS__DIRECTORY: join(directory, 'keys') }))).audit,
    })
    await stranger.recorder.record({ type: 'login', outcome: 'ok' })
    await stranger.recorder.checkpoint()
    writeFileSync(anchor, (await stranger.storage.audit.lastCheckpoint('node-1'))?.jws ?? '')
    await stranger.close()
    const { code, err } = run('db', 'restore', '--from', backup, '--replace', '--anchor', anchor)
    assert.equal(code, 2)
    assert.match(err, /record 1 of node-1 is not the one the anchor signs/)
    assert.equal(run('audit', 'verify').out.includes('3 records'), true, 'the store is as it was')
  })

  it('explains itself for what it does not understand', async () => {
    const answers: string[] = []
    const edge = { env: {}, out: assert.fail, err: (line: string) => void answers.push(line) }
    for (const args of [
      [],
      ['backup'],
      ['restore'],
      ['repair', '--from', 'x'],
      ['backup', '--from', 'x'],
      ['backup', '--to', 'x', '--replace'],
      ['check', '--from', 'x', '--anchor', 'y'],
      ['restore', '--from', 'x', '--ledger', 'y', '--without-ledger'],
      ['restore', '--from', 'x', '--force'],
      ['restore', 'now', '--from', 'x'],
    ])
      assert.equal(await runDb(args, edge), 2, args.join(' '))
    assert.equal(answers.length, 10)
    for (const answer of answers) assert.match(answer, /Usage: npm run db/)
  })
})
