/** A city that signs in while its wrapping and index keys change, and a database that somebody else writes to. */
import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { runKeys } from '#src/cli/keys.ts'
import type { SealerKeys } from '#src/crypto/sealer.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, giveDocument, personOf, provePhone, signedIn, stepOf } from '../support/citizen.ts'
import { relyingParty, type RelyingParty, type Tokens } from '../support/relying-party.ts'
import { sealerKeys } from '../support/sealing.ts'

const keysOf = ['yan', 'xian', 'ayiguli', 'elder'] as const

/** The types of the records of this server, and what stands in them. */
async function records(server: TestServer): Promise<readonly { type: string; facts?: Record<string, unknown> }[]> {
  const rows = await server.app.storage.audit.read(server.config.audit.node, 0, 100_000)
  return rows.map(({ body }) => JSON.parse(body) as { type: string })
}

describe('keys that change while a city signs in', () => {
  let keys: SealerKeys = sealerKeys([1], [1])
  let server: TestServer
  let party: RelyingParty
  const subjects = new Map<string, string>()
  const sessions = new Map<string, Tokens>()

  const signsIn = async (key: string): Promise<void> => {
    const { tokens } = await signedIn(server, party, await personOf(key))
    const { sub = '' } = await party.verify(tokens.id_token)
    assert.equal(sub, subjects.get(key) ?? sub, `${key} is somebody else`)
    subjects.set(key, sub)
    sessions.set(key, tokens)
  }
  const everybodySignsIn = async () => {
    server.clock.advance(120_000)
    for (const key of keysOf) await signsIn(key)
  }
  /** Nobody registers again with a number that is known. */
  const isTaken = async (key: string) => {
    server.clock.advance(120_000)
    const browser = openBrowser(server.url)
    const page = await provePhone(server, browser, await browser.get(party.request().path), '+8619900000098')
    assert.equal(stepOf(page), 'document')
    const answer = await giveDocument(browser, page, await personOf(key))
    assert.equal(answer.location, undefined)
    assert.ok(attemptOf(answer))
  }
  const progress = async () => {
    const out: string[] = []
    const env = { YIHAO_STORAGE__FILE: join(server.directory, 'yihao.db') }
    assert.equal(await runKeys(['progress'], { env, out: (line) => void out.push(line), err: assert.fail }), 0)
    return out.join('\n')
  }

  before(async () => {
    server = await startServer({ overrides: { sealerKeys: () => keys } })
    party = relyingParty(server.url, 'first')
    for (const key of keysOf) await signsIn(key)
  })
  after(() => server.close())

  it('lets everybody in before, from the first moment of the new keys, and during the work', async () => {
    await everybodySignsIn()
    keys = sealerKeys([2, 1], [2, 1])
    await Promise.all([server.app.renewal.wake(), everybodySignsIn()])
    await isTaken('yan')
    await server.app.renewal.wake()
    await everybodySignsIn()
  })

  it('shows the operator that nothing hangs on the old keys any more', async () => {
    const text = await progress()
    assert.match(text, /^wrapping {2}k2: 4 people, 3 keys of the store$/m)
    assert.ok(!text.includes('k1'))
    assert.match(text, /^index {5}version 1: finds 4 people, 0 of them by nothing else$/m)
    assert.match(text, /^index {5}version 2: finds 4 people, 0 of them by nothing else$/m)
    const told = (await records(server)).filter(({ type }) => type.startsWith('keys.'))
    assert.deepEqual(
      told.map(({ type, facts }) => `${type} ${String(facts?.['stage'])}`),
      ['keys.rewrapped begun', 'keys.rewrapped ended', 'keys.reindexed begun', 'keys.reindexed ended'],
    )
    assert.ok(server.logged.some((line) => line.includes('"stage":"ended"') && line.includes('"people":4')))
  })

  it('lets everybody in without the old keys, with the sessions and tokens from before', async () => {
    const before = new Map(sessions)
    keys = sealerKeys([2], [2])
    await server.app.renewal.wake()
    server.clock.advance(61_000)
    for (const tokens of before.values()) assert.equal((await party.userinfo(tokens.access_token)).status, 200)
    await everybodySignsIn()
    await isTaken('yan')
    assert.ok(!(await progress()).includes('version 1'))
  })

  it('starts again with the new keys alone', async () => {
    server = await server.restart()
    await everybodySignsIn()
    for (const { refresh_token } of sessions.values()) assert.equal((await party.refresh(refresh_token)).status, 200)
  })
})

describe('a database that somebody else writes to', () => {
  let server: TestServer
  let party: RelyingParty
  let db: DatabaseSync
  let signed: Awaited<ReturnType<typeof signedIn>>
  before(async () => {
    server = await startServer()
    party = relyingParty(server.url, 'first')
    signed = await signedIn(server, party, await personOf('yan'))
    db = new DatabaseSync(join(server.directory, 'yihao.db'))
  })
  after(async () => {
    db.close()
    await server.close()
  })

  it('ends what a raised account could do, and raises an alarm that names nobody', async () => {
    const { id } = db.prepare('SELECT id FROM people').get() as { id: string }
    const introspect = () =>
      fetch(`${server.url}/userinfo`, { headers: { authorization: `Bearer ${signed.tokens.access_token}` } })
    assert.equal((await introspect()).status, 200)
    db.exec('UPDATE people SET proofing = 4')
    assert.equal((await introspect()).status, 401)
    assert.equal((await party.refresh(signed.tokens.refresh_token)).status, 400)
    assert.notEqual(stepOf(await signed.browser.get(party.request({ prompt: 'none' }).path)), 'notice')
    const alarms = server.logged.filter((line) => line.includes('changed outside'))
    assert.equal(alarms.length, 1)
    assert.ok(!server.logged.some((line) => line.includes(id)))
    const told = (await server.app.storage.audit.read(server.config.audit.node, 0, 10_000)).filter(({ body }) =>
      body.includes('"person.tampered"'),
    )
    assert.equal(told.length, 1)
    assert.ok(!told[0]?.body.includes(id))
  })

  it('gives nobody the number of a changed account, and says so in words that help', async () => {
    db.exec('UPDATE people SET proofing = 4')
    server.clock.advance(120_000)
    const browser = openBrowser(server.url)
    const page = await provePhone(server, browser, await browser.get(party.request().path), '+8619900000098')
    const answer = await giveDocument(browser, page, await personOf('yan'))
    assert.equal(answer.status, 500)
    assert.match(answer.text, /校验未通过.*12345/)
    const people = db.prepare('SELECT count(*) AS n FROM people').get() as { n: number }
    assert.equal(people.n, 1)
    db.exec('UPDATE people SET proofing = 2')
  })

  it('prolongs no token', async () => {
    db.exec("UPDATE artifacts SET expires_at = expires_at + 1000 WHERE kind = 'RefreshToken'")
    assert.notEqual((await party.refresh(signed.tokens.refresh_token)).status, 200)
    db.exec('UPDATE people SET proofing = 2')
    assert.notEqual((await party.refresh(signed.tokens.refresh_token)).status, 200)
    db.exec("UPDATE artifacts SET expires_at = expires_at - 1000 WHERE kind = 'RefreshToken'")
    assert.equal((await party.refresh(signed.tokens.refresh_token)).status, 200, 'as it was, it is good')
  })
})
