/** kill -9 between any two steps: what was acknowledged stands, what was spent stays spent, what was begun goes on. */
import { strict as assert } from 'node:assert'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { verifyTrail } from '#src/audit/verify.ts'
import { publicKeys } from '#src/crypto/key-store.ts'
import { openAuditReader } from '#src/storage/open.ts'
import { openBrowser, type Browser, type Page } from '../support/browser.ts'
import { childServer, type ChildServer } from '../support/child-server.ts'
import { attemptOf, personOf, stepOf } from '../support/citizen.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const wrongFor = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

interface Kept {
  readonly type: string
  readonly outcome: string
  readonly reason?: string
}

describe('a server that is killed', function () {
  this.timeout(60_000)
  const newDirectory = temporaryDirectories()
  let server: ChildServer
  let browser: Browser
  let secret: string
  const starts: number[] = []
  /** What the trail must hold since the last look: every record whose answer has been given. */
  let acknowledged: string[] = []

  before(async () => {
    server = await childServer(newDirectory(), { YIHAO_VERIFIERS__SMS__RESEND_AFTER: '1' })
    await server.start()
    browser = openBrowser(server.url)
    secret = readFileSync(join(server.keys, 'demo', 'social-insurance.secret'), 'utf8').trim()
  })
  after(() => server.kill().catch(() => undefined))

  async function trail(): Promise<{ kept: readonly Kept[]; signedTo: number }> {
    const reader = await openAuditReader(server.file)
    try {
      const verdicts = await verifyTrail(reader, publicKeys(server.keys).audit)
      const [verdict] = verdicts
      assert.ok(verdict && verdicts.length === 1)
      assert.ok(verdict.intact, verdict.fault)
      const rows = await reader.read('node-1', 0, 1_000_000)
      assert.equal(verdict.records, rows.length)
      return { kept: rows.map(({ body }) => JSON.parse(body) as Kept), signedTo: verdict.signedTo }
    } finally {
      await reader.close()
    }
  }

  const named = ({ type, outcome, reason }: Kept) => [type, outcome, ...(reason ? [reason] : [])].join(' ')

  /** kill -9, look at what is on the disk, start again. */
  async function crash(): Promise<void> {
    await server.kill()
    const seen = (await trail()).kept.map(named).filter((line) => !/^(application|key)\./.test(line))
    assert.deepEqual(seen, acknowledged)
    starts.push(await server.start())
  }

  const verifier = randomBytes(32).toString('base64url')
  const authorize = () =>
    `/auth?${new URLSearchParams({
      client_id: 'social-insurance',
      response_type: 'code',
      redirect_uri: `${server.application}/callback`,
      scope: 'openid profile phone',
      state: randomBytes(16).toString('base64url'),
      nonce: randomBytes(16).toString('base64url'),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })}`
  const token = (parameters: Readonly<Record<string, string>>) =>
    fetch(`${server.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`social-insurance:${secret}`)}` },
      body: new URLSearchParams(parameters),
    })
  const redeem = (location: string) =>
    token({
      grant_type: 'authorization_code',
      code: new URL(location).searchParams.get('code') ?? '',
      redirect_uri: `${server.application}/callback`,
      code_verifier: verifier,
    })
  const errorOf = async (answer: Response) => ((await answer.json()) as { error: string }).error

  it('goes on with the story after each step, and keeps each record it has acknowledged', async () => {
    const person = await personOf('yan')
    let page: Page = await browser.get(authorize())
    const attempt = attemptOf(page)
    const post = async (step: string, fields: Readonly<Record<string, string>>, ...records: readonly string[]) => {
      page = await browser.post(`${attempt}/${step}`, fields)
      acknowledged.push(...records)
    }
    await crash()

    await post('phone', { phone: person.phone }, 'challenge.sent ok')
    const code = await server.newestCode()
    await crash()

    await post('code', { code: wrongFor(code) }, 'challenge.answered refused code_wrong')
    assert.match(page.text, /还可以试4次/)
    await crash()

    await post('code', { code: wrongFor(code) }, 'challenge.answered refused code_wrong')
    assert.match(page.text, /还可以试3次/, 'the count of tries survives')
    await post('code', { code }, 'challenge.answered ok')
    assert.equal(stepOf(page), 'document')
    await crash()

    await post('code', { code })
    assert.equal(stepOf(page), 'document', 'a used code is no answer any more, and does not count')
    await post('document', { kind: person.kind })
    await crash()

    await post('name', { name: person.name })
    await crash()

    const opened = ['register.checked ok', 'account.opened ok', 'account.proofed ok', 'login ok']
    await post('number', { number: person.number }, ...opened)
    assert.equal(stepOf(page), '', 'the notice')
    const notice = attemptOf(page)
    await crash()

    page = await browser.post(`${notice}/notice`, { answer: 'agree' })
    acknowledged.push('notice.answered ok', 'authorization ok')
    const location = page.location ?? ''
    assert.ok(location, 'back at the application')
    await crash()

    const first = await redeem(location)
    assert.equal(first.status, 200)
    acknowledged.push('token ok')
    const tokens = (await first.json()) as { access_token: string; refresh_token: string }
    await crash()

    const userinfo = await fetch(`${server.url}/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    assert.equal(userinfo.status, 200)
    acknowledged.push('claims.released ok')
    const refreshed = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
    assert.equal(refreshed.status, 200)
    acknowledged.push('token ok')
    await crash()

    assert.equal(await errorOf(await redeem(location)), 'invalid_grant', 'a spent authorization code is not revived')
    acknowledged.push('token refused replayed')
    await crash()
    const old = await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
    assert.equal(await errorOf(old), 'invalid_grant', 'its reuse has revoked the grant')
    acknowledged.push('token refused invalid_grant')
    await crash()
  })

  it('is ready again within three seconds', () => {
    assert.ok(starts.length >= 10)
    // A busy machine may be slow at some of them, the code would be at all.
    assert.ok(Math.min(...starts) < 3_000, `it took ${starts.map(Math.round).join(', ')} ms`)
  })

  it('spends an authorization code at most once when it dies while it answers', async () => {
    let acknowledgedOnce = 0
    for (const delay of [0, 3, 6, 9, 14, 20]) {
      let page = await browser.get(authorize())
      if (!page.location) page = await browser.post(`${attemptOf(page)}/notice`, { answer: 'agree' })
      const location = page.location ?? ''
      const racing = redeem(location).then(
        ({ status }) => status,
        () => undefined,
      )
      await sleep(delay)
      await server.kill()
      const status = await racing
      const { kept } = await trail()
      if (status === 200) assert.equal(named(kept.at(-1) as Kept), 'token ok', 'acknowledged but not on record')
      await server.start()
      const again = await redeem(location)
      if (status === 200) assert.equal(await errorOf(again), 'invalid_grant')
      assert.ok(again.status === 200 || again.status === 400)
      if (status === 200 || again.status === 200) acknowledgedOnce += 1
      if (again.status === 200) assert.equal(await errorOf(await redeem(location)), 'invalid_grant')
    }
    assert.ok(acknowledgedOnce > 0)
  })

  it('does not take a code by SMS twice when it dies while it takes it', async () => {
    let alive = 0
    for (const delay of [0, 2, 4, 7, 11]) {
      const phone = `+86198555000${10 + delay}`
      const visitor = openBrowser(server.url)
      const attempt = attemptOf(await visitor.get(authorize()))
      assert.equal(stepOf(await visitor.post(`${attempt}/phone`, { phone })), 'code')
      const code = await server.newestCode()
      const before = await countOk()
      const racing = visitor.post(`${attempt}/code`, { code }).catch(() => undefined)
      await sleep(delay)
      await server.kill()
      await racing
      await server.start()
      const page = await visitor.post(`${attempt}/code`, { code })
      // Either it was not taken yet and is now, or it stays taken: with its evidence, or to be asked for anew.
      if (stepOf(page) === 'code') assert.match(page.text, /这个验证码已经用过，请重新获取/)
      else assert.equal(stepOf(page), 'document')
      if (stepOf(page) === 'document') alive += 1
      assert.ok((await countOk()) - before <= 1, 'taken twice')
    }
    assert.ok(alive > 0)
  })

  const countOk = async () => (await trail()).kept.filter((kept) => named(kept) === 'challenge.answered ok').length

  it('answers what it has begun when it is asked to end, signs its trail and leaves the store closed', async () => {
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'none' }).toString()
    const inFlight = httpRequest(`${server.url}/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`social-insurance:${secret}`)}`,
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': body.length,
      },
    })
    const answered = new Promise<number | undefined>((done, fail) => {
      inFlight.on('response', (response) => response.resume().on('end', () => done(response.statusCode)))
      inFlight.on('error', fail)
    })
    inFlight.write(body.slice(0, 10))
    await sleep(100)
    const started = performance.now()
    const ended = server.terminate()
    await sleep(200)
    await assert.rejects(fetch(`${server.url}/health`), 'it takes nothing new')
    inFlight.end(body.slice(10))
    assert.equal(await answered, 400)
    assert.equal(await ended, 0)
    assert.ok(performance.now() - started < 3_000, 'it waits for nobody who has his answer')

    const { kept, signedTo } = await trail()
    assert.equal(named(kept.at(-1) as Kept), 'token refused invalid_grant')
    assert.equal(signedTo, kept.length, 'the head of the trail is signed')
    const log = `${server.file}-wal`
    assert.ok(!existsSync(log) || statSync(log).size === 0, 'nothing waits in the write-ahead log')
    await server.start()
  })
})
