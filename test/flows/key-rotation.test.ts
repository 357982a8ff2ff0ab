/**
 * Keys rotate through next, active, retired and gone while citizens sign in and out: an application that keeps the key
 * set for as long as a key is published ahead never meets a token that it cannot verify.
 */
import { strict as assert } from 'node:assert'
import { copyFileSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet, type JWK } from 'jose'
import { runAudit } from '#src/cli/audit.ts'
import { runKeys } from '#src/cli/keys.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { attemptOf, codeFor, giveDocument, personOf, signIn, stepOf, type Person } from '../support/citizen.ts'
import { secretsOf } from '../support/keys.ts'
import { smOnly, standardAlg } from '../support/policy.ts'
import { relyingParty, type RelyingParty, type Tokens } from '../support/relying-party.ts'

/** Seconds. */
const publishAhead = 7200
const session = { absolute: 7200, idle: 7200 }
const step = 600_000

interface Kept {
  readonly type: string
  readonly facts?: { readonly kid?: string; readonly use?: string; readonly alg?: string }
}

describe('key rotation', function () {
  this.timeout(120_000)

  const settings = (config: Record<string, unknown>): void => {
    Object.assign(config['keys'] as object, { publishAhead })
    Object.assign((config['channels'] as { web: object }).web, { session })
    Object.assign(config['tokens'] as object, { refreshToken: 7200, refreshTokenIdle: 3600 })
    Object.assign((config['verifiers'] as { sms: object }).sms, { resendAfter: 1, perPhoneDaily: 50 })
    Object.assign(config['audit'] as object, { checkpointRecords: 20 })
  }

  let server: TestServer
  let twin: TestServer
  const parties = () => [relyingParty(server.url, 'first'), relyingParty(server.url, 'second')] as const

  /** The command of an operator, beside the running server. */
  async function keys(...args: readonly string[]): Promise<void> {
    const err: string[] = []
    const env = {
      YIHAO_KEYS__DIRECTORY: server.config.keys.directory,
      YIHAO_KEYS__PUBLISH_AHEAD: String(publishAhead),
    }
    const code = await runKeys(args, { env, out: () => undefined, err: (line) => void err.push(line) })
    assert.equal(code, 0, err.join('\n'))
  }

  const copyKeys = (to: string) => {
    mkdirSync(to, { recursive: true })
    for (const name of ['keyring.json', 'kek']) copyFileSync(join(server.config.keys.directory, name), join(to, name))
  }

  beforeEach(async () => {
    server = await startServer({ settings })
    const directory = mkdtempSync(join(tmpdir(), 'yihao-twin-'))
    copyKeys(join(directory, 'keys'))
    twin = await startServer({ directory, settings, clock: server.clock })
  })
  afterEach(async () => {
    await server.close()
    await twin.close()
  })

  /** Where SM stands alone, its keys are `keys`. */
  async function published({ url }: TestServer): Promise<JSONWebKeySet & { sm_keys: JWK[] }> {
    const set = (await (await fetch(`${url}/jwks`)).json()) as JSONWebKeySet & { sm_keys?: JWK[] }
    return { ...set, sm_keys: set.sm_keys ?? (set.keys as JWK[]) }
  }

  /** An application that keeps the key set as long as it may, and never fetches it for an unknown key. */
  function patient({ id, ...party }: RelyingParty) {
    let kept: { readonly at: number; readonly set: JSONWebKeySet } | undefined
    const verify = async (token: string) => {
      if (!kept || server.clock.now() - kept.at >= publishAhead * 1000) {
        const set = (await (
          await fetch(`${server.url}${id === 'first' ? '/jwks/sm' : '/jwks'}`)
        ).json()) as JSONWebKeySet
        kept = { at: server.clock.now(), set }
      }
      const options = { issuer: server.url, audience: id }
      return (await jwtVerify(token, createLocalJWKSet(kept.set), options)).payload
    }
    return { ...party, id, verify }
  }

  /** Signs in, or passes by single sign-on, and verifies everything that is signed on the way. */
  async function visit(browser: Browser, party: ReturnType<typeof patient>, person: Person): Promise<Tokens> {
    const { location, request } = await signIn(server, browser, party, person)
    const tokens = await party.tokens(location, request)
    assert.equal((await party.verify(tokens.id_token))['nonce'], request.nonce)
    await party.verify(await (await party.userinfo(tokens.access_token)).text())
    return tokens
  }

  async function signOut(browser: Browser, idToken: string): Promise<void> {
    const page = await browser.get(
      `/session/end?${new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: 'http://localhost:4001/signed-out' })}`,
    )
    const xsrf = /name="xsrf" value="([0-9a-f]+)"/.exec(page.text)?.[1]
    assert.ok(xsrf, `no form to confirm: ${page.status}`)
    const { location } = await browser.post('/session/end/confirm', { xsrf, logout: 'yes' })
    assert.equal(location, 'http://localhost:4001/signed-out')
  }

  const kidOf = (token: string) => decodeProtectedHeader(token).kid as string

  const trail = async (): Promise<readonly Kept[]> =>
    (await server.app.storage.audit.read('node-1', 0, 100_000)).map(({ body }) => JSON.parse(body) as Kept)

  it('fails no verification and no sign-in from next to gone, and both nodes change at the same moment', async () => {
    const person = await personOf('yan')
    const [first, second] = parties().map(patient) as [ReturnType<typeof patient>, ReturnType<typeof patient>]
    let browser = openBrowser(server.url)
    let newest = await visit(browser, first, person)
    const firstKids = [kidOf(newest.id_token), kidOf((await visit(browser, second, person)).id_token)]
    await keys('rotate')
    copyKeys(twin.config.keys.directory)

    const signedBy: string[][] = [[...firstKids]]
    const shapes = new Set<string>()
    let hintsEnded = 0
    const end = server.clock.now() + (publishAhead + session.absolute) * 1000 + 2 * step
    for (let turn = 0; server.clock.now() < end; turn += 1) {
      // Citizens are under way while the keys change.
      const during = Array.from({ length: 4 }, () => visit(browser, turn % 2 ? first : second, person))
      await Promise.all([server.app.takeUpKeys(), twin.app.takeUpKeys(), ...during])
      const [mine, theirs] = [await published(server), await published(twin)]
      assert.deepEqual(theirs, mine, 'the nodes disagree')
      shapes.add([mine.keys, mine.sm_keys].map(({ length }) => length).join())

      const tokens = [await visit(browser, first, person), await visit(browser, second, person)]
      const kids = tokens.map(({ id_token }) => kidOf(id_token))
      assert.equal(kids[0], mine.sm_keys[0]?.kid, 'the first key of the set is the one that signs')
      assert.equal(kids[1], mine.keys.find(({ alg }) => alg === standardAlg)?.kid)
      if (kids.join() !== signedBy.at(-1)?.join()) signedBy.push(kids)
      // Every hour he signs out with the oldest hint he has, and in again.
      if (turn % 6 === 5) {
        await signOut(browser, newest.id_token)
        hintsEnded += 1
        browser = openBrowser(server.url)
        newest = await visit(browser, first, person)
        await visit(browser, second, person)
      }
      server.clock.advance(step)
    }
    assert.equal(signedBy.length, 2, 'each key signed, one after the other')
    assert.ok(signedBy[1]?.every((kid) => !firstKids.includes(kid)))
    // Signing keys and the one that tokens to us are encrypted to: nobody is shown a retired one of those.
    assert.deepEqual(
      [...shapes],
      smOnly ? ['4,4', '3,3', '2,2'] : ['4,4', '4,3', '2,2'],
      'two of each while next and retired, one when the old are gone',
    )
    assert.ok(hintsEnded >= 4)
    assert.ok(server.logged.filter((line) => line.includes('"msg":"request"')).length > 500)

    const told = (await trail()).filter(({ facts }) => facts?.use === 'sig')
    for (const [alg, old] of [['SGD_SM3_SM2', firstKids[0]] as const, [standardAlg, firstKids[1]] as const])
      assert.deepEqual(
        told
          .filter(({ facts }) => facts?.alg === alg)
          .map(({ type, facts }) => `${type} ${facts?.kid === old ? 'old' : 'new'}`),
        ['key.activated old', 'key.published new', 'key.activated new', 'key.retired old', 'key.removed old'],
      )
    assert.ok(
      server.logged.every((line) => !/"level":(50|60)/.test(line)),
      'nothing failed on the way',
    )
    const said = server.logged.join('')
    for (const secret of secretsOf(server.config.keys.directory)) assert.ok(!said.includes(secret))
  })

  it('lets a sign-in, a code and a hint from before the change go on after it', async () => {
    const person = await personOf('yan')
    const [first, second] = parties()
    const earlier = openBrowser(server.url)
    const before = await first.tokens(...(await arrived(earlier, first, person)))
    await keys('rotate', '--after', '60')
    await server.app.takeUpKeys()

    server.clock.advance(5_000)
    const browser = openBrowser(server.url)
    const request = second.request()
    const page = await browser.get(request.path)
    await browser.post(`${attemptOf(page)}/phone`, { phone: person.phone })
    const code = await signIn(server, earlier, second, person)
    server.clock.advance(40_000)
    const late = await signIn(server, earlier, first, person)
    server.clock.advance(15_000)
    await server.app.takeUpKeys()

    let after = await browser.post(`${attemptOf(page)}/code`, { code: codeFor(server, person.phone) })
    if (stepOf(after) === 'document') after = await giveDocument(browser, after, person)
    if (after.location === undefined) after = await browser.post(`${attemptOf(after)}/notice`, { answer: 'agree' })
    const tokens = await second.tokens(after.location ?? '', request)
    assert.equal((await second.verify(tokens.id_token))['nonce'], request.nonce)

    await second.verify((await second.tokens(code.location, code.request)).id_token)
    const redeemed = await first.tokens(late.location, late.request)
    await first.verify(redeemed.id_token)
    assert.notEqual(kidOf(redeemed.id_token), kidOf(before.id_token), 'signed by the new key')
    assert.equal((await first.refresh(redeemed.refresh_token)).status, 200)
    await signOut(earlier, before.id_token)
    assert.equal((await first.userinfo(redeemed.access_token)).status, 401)
  })

  const arrived = async (browser: Browser, party: RelyingParty, person: Person) => {
    const { location, request } = await signIn(server, browser, party, person)
    return [location, request] as const
  }

  it('takes a key that became known to others out of the set at once, on record', async () => {
    const person = await personOf('yan')
    const [, second] = parties()
    const browser = openBrowser(server.url)
    const before = await second.tokens(...(await arrived(browser, second, person)))
    const known = kidOf(before.id_token)
    await keys('rotate', '--alg', standardAlg)
    await keys('retire', '--now', '--kid', known)
    await server.app.takeUpKeys()
    assert.ok((await published(server)).keys.every(({ kid }) => kid !== known))
    const [, fresh] = parties()
    await assert.rejects(fresh.verify(before.id_token))
    const after = await second.tokens(...(await arrived(browser, second, person)))
    await fresh.verify(after.id_token)
    const told = (await trail()).filter(({ facts }) => facts?.alg === standardAlg && facts.use === 'sig')
    assert.deepEqual(
      told.slice(1).map(({ type, facts }) => [type, facts?.kid === known]),
      [
        ['key.activated', false],
        ['key.removed', true],
      ],
    )
  })

  it('signs the trail with a new audit key, and the trail verifies by the old one and the new', async () => {
    const { directory } = server.config.keys
    const verified = async () => {
      const out: string[] = []
      const env = { YIHAO_KEYS__DIRECTORY: directory, YIHAO_STORAGE__FILE: join(server.directory, 'yihao.db') }
      const edge = { env, out: (line: string) => void out.push(line), err: (line: string) => void out.push(line) }
      assert.equal(await runAudit(['verify'], edge), 0, out.join('\n'))
    }
    const kids = async () => {
      const rows = await server.app.storage.audit.checkpoints('node-1', 0, 1000)
      return new Set(rows.map(({ jws }) => kidOf(jws))).size
    }
    await server.app.recorder.checkpoint()
    await keys('rotate', 'audit', '--after', '0')
    await server.app.takeUpKeys()
    await server.app.recorder.checkpoint()
    assert.equal(await kids(), 2)
    await verified()
  })

  it('goes on with cookies and codes from before their keys were rotated', async () => {
    const person = await personOf('yan')
    const [first, second] = parties()
    const browser = openBrowser(server.url)
    await first.tokens(...(await arrived(browser, first, person)))
    server.clock.advance(5_000)
    const other = openBrowser(server.url)
    const page = await other.get(second.request().path)
    await other.post(`${attemptOf(page)}/phone`, { phone: person.phone })
    await keys('rotate', 'cookies', '--after', '0')
    await keys('rotate', 'codes', '--after', '0')
    await server.app.takeUpKeys()
    const { location } = await browser.get(second.request().path)
    assert.match(location ?? '', /code=/, 'he is still signed in')
    const answered = await other.post(`${attemptOf(page)}/code`, { code: codeFor(server, person.phone) })
    assert.notEqual(stepOf(answered), 'code', 'the code was taken')
  })

  it('puts on record at the start what was rotated while the server was down', async () => {
    const count = (await trail()).length
    await keys('rotate', 'cookies', '--after', '0')
    server = await server.restart()
    const told = (await trail()).slice(count).filter(({ type }) => type.startsWith('key.'))
    assert.deepEqual(
      told.map(({ type, facts }) => `${type} ${facts?.kid}`),
      ['key.activated cookies-2', 'key.retired cookies-1'],
    )
    server = await server.restart()
    assert.equal((await trail()).filter(({ type }) => type.startsWith('key.')).length, told.length + 11)
  })
})
