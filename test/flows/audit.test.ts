import { strict as assert } from 'node:assert'
import { verifyTrail } from '#src/audit/verify.ts'
import { AppError } from '#src/errors.ts'
import type { AuditRow } from '#src/storage/storage.ts'
import { manyTexts, startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { personOf, signedIn, signIn } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'

interface Body {
  readonly type: string
  readonly outcome: string
  readonly reason?: string
  readonly application?: string
  readonly who?: string
  readonly facts?: Readonly<Record<string, unknown>>
}

describe('the audit trail of a running server', () => {
  let server: TestServer
  let party: RelyingParty
  before(async () => {
    server = await startServer({ settings: manyTexts })
    party = relyingParty(server.url, 'first')
  })
  after(() => server.close())
  beforeEach(() => server.clock.advance(61_000))

  const rowsAfter = async (seq: number): Promise<readonly AuditRow[]> =>
    server.app.storage.audit.read(server.config.audit.node, seq, 1000)
  const lastSeq = async () => (await server.app.storage.audit.last(server.config.audit.node))?.seq ?? 0
  const told = (rows: readonly AuditRow[]) => rows.map(({ body }) => JSON.parse(body) as Body)

  it('tells the story of a sign-in, one record a step, each with its outcome', async () => {
    const before = await lastSeq()
    const { tokens } = await signedIn(server, party, await personOf('yan'))
    await party.claims(tokens.access_token)
    const records = told(await rowsAfter(before))
    assert.deepEqual(
      records.map(({ type, outcome }) => `${type} ${outcome}`),
      [
        'challenge.sent ok',
        'challenge.answered ok',
        'register.checked ok',
        'account.opened ok',
        'account.proofed ok',
        'login ok',
        'notice.answered ok',
        'authorization ok',
        'token ok',
        'claims.released ok',
      ],
    )
    for (const record of records) assert.equal(record.application, 'first')
    assert.ok(records.filter(({ who }) => who !== undefined).length >= 8)
  })

  it('holds no name, number, phone, code or token in the open', async () => {
    const person = await personOf('xian')
    const { tokens, location } = await signedIn(server, party, person)
    const text = (await rowsAfter(0)).map(({ body }) => body).join('\n')
    const code = new URL(location).searchParams.get('code') ?? ''
    const { name, number, phone } = person
    const account = (await server.app.directory.byPhone(phone))[0]?.id ?? ''
    for (const secret of [name, number, phone, phone.slice(3), code, tokens.access_token, tokens.id_token, account]) {
      assert.ok(secret.length > 1)
      assert.ok(!text.includes(secret))
    }
  })

  it('records what was refused, and a replay by its own reason', async () => {
    const { location, request } = await signIn(server, openBrowser(server.url), party, await personOf('yan'))
    await party.redeem(location, request)
    const before = await lastSeq()
    await party.redeem(location, request)
    await party.redeem(location, { ...request, verifier: 'x'.repeat(43) })
    await openBrowser(server.url).get(party.request({ redirect_uri: 'https://evil.example/' }).path)
    await openBrowser(server.url).get(party.request({ scope: 'openid id_number' }).path)
    await party.userinfo('x')
    assert.deepEqual(
      told(await rowsAfter(before)).map(({ type, outcome, reason }) => [type, outcome, reason]),
      [
        ['token', 'refused', 'replayed'],
        ['token', 'refused', 'invalid_grant'],
        ['authorization', 'refused', 'invalid_redirect_uri'],
        ['authorization', 'refused', 'invalid_scope'],
        ['claims.released', 'refused', 'invalid_token'],
      ],
    )
  })

  it('finds the records behind the number that an error page shows', async () => {
    const page = await openBrowser(server.url).get(party.request({ redirect_uri: 'https://evil.example/' }).path)
    const reference = /<strong class="reference">([^<]+)/.exec(page.text)?.[1] ?? ''
    assert.equal(reference, page.headers.get('x-request-id'))
    const found = await server.app.storage.audit.byReference(reference, 10)
    assert.equal(told(found)[0]?.reason, 'invalid_redirect_uri')
  })

  it('lets nobody in whose record cannot be written, and goes on without a gap afterwards', async () => {
    const person = await personOf('ayiguli')
    const { location, request } = await signIn(server, openBrowser(server.url), party, person)
    const { audit } = server.app.storage
    const append = audit.append
    const broken = () => Promise.reject(new AppError('storage_unavailable'))
    Object.assign(audit, { append: broken })
    try {
      const answer = await party.redeem(location, request)
      assert.equal(answer.status, 503)
      assert.equal((await answer.text()).includes('access_token'), false)
      const browser = openBrowser(server.url)
      const page = await browser.get(party.request().path)
      const attempt = new URL(page.url).pathname.replace(/\/phone$/, '')
      const sent = await browser.post(`${attempt}/phone`, { phone: person.phone })
      assert.equal(sent.status, 503)
    } finally {
      Object.assign(audit, { append })
    }
    server.clock.advance(120_000)
    const { tokens } = await signedIn(server, party, person)
    assert.ok(tokens.id_token)
    await server.app.recorder.checkpoint()
    const { loadKeys } = await import('#src/crypto/key-store.ts')
    const keys = await loadKeys(server.config.keys.directory, { production: false })
    const verdicts = await verifyTrail(audit, [{ ...keys.audit.publicJwk }])
    assert.deepEqual(
      verdicts.map(({ intact, signedTo }) => [intact, signedTo]),
      [[true, await lastSeq()]],
    )
  })

  it('keeps the log free of personal data, codes and tokens', async () => {
    const person = await personOf('renumbered')
    const { tokens, location } = await signedIn(server, party, person)
    const log = server.logged.join('\n')
    assert.ok(server.logged.length > 50)
    const code = new URL(location).searchParams.get('code') ?? ''
    for (const secret of [
      person.name,
      person.number,
      person.phone.slice(3),
      code,
      tokens.access_token,
      tokens.refresh_token,
    ]) {
      assert.ok(!log.includes(secret))
    }
  })
})
