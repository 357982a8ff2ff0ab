/**
 * Sign-ins, codes, refresh tokens and sign-outs in any order, over two applications, against a model of a few lines:
 * which tokens live (RFC 6749 §4.1.2, RFC 9700 §4.14.2, ASVS 10.4.2 and 7.4.1).
 */
import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { personOf, signIn, type Person } from '../support/citizen.ts'
import { relyingParty, type RelyingParty, type Request, type Tokens } from '../support/relying-party.ts'

type AppId = 'first' | 'second'

/** What an application holds of one session; it lives and dies as a whole. */
interface Grant {
  readonly app: AppId
  alive: boolean
}

interface Code {
  readonly grant: Grant
  readonly location: string
  readonly request: Request
  spent: boolean
}

interface Token {
  readonly grant: Grant
  readonly access: string
  readonly refresh: string
  spent: boolean
}

/** The model. */
interface State {
  readonly grants: Partial<Record<AppId, Grant>>
  signedIn: boolean
  readonly codes: Code[]
  readonly tokens: Token[]
}

interface Real {
  readonly browser: Browser
  readonly parties: Readonly<Record<AppId, RelyingParty>>
  signIn(party: RelyingParty): ReturnType<typeof signIn>
}

type Command = fc.AsyncCommand<State, Real>

/** The newest thing of an application that fits. */
const newest = <T extends { readonly grant: Grant }>(all: readonly T[], app: AppId, fits: (one: T) => boolean) =>
  all.findLast((one) => one.grant.app === app && fits(one))

const keep = (state: State, grant: Grant, { access_token: access, refresh_token: refresh }: Tokens) =>
  void state.tokens.push({ grant, access, refresh, spent: false })

/** Every access token that was ever given is worth exactly what the model says. */
async function agree(state: State, { parties }: Real): Promise<void> {
  const found = await Promise.all(
    state.tokens.map(async ({ grant, access }) => (await parties[grant.app].userinfo(access)).status),
  )
  assert.deepEqual(
    found,
    state.tokens.map(({ grant }) => (grant.alive ? 200 : 401)),
  )
}

const command = (
  name: string,
  check: (state: State) => boolean,
  run: (state: State, real: Real) => Promise<void>,
): Command => ({
  check: (state) => check(state),
  async run(state, real) {
    await run(state, real)
    await agree(state, real)
  },
  toString: () => name,
})

const signsIn = (app: AppId): Command =>
  command(
    `${app}: sign in`,
    () => true,
    async (state, { parties, signIn: enter }) => {
      const { location, request } = await enter(parties[app])
      const standing = state.grants[app]
      const grant = standing?.alive ? standing : { app, alive: true }
      state.grants[app] = grant
      state.signedIn = true
      state.codes.push({ grant, location, request, spent: false })
    },
  )

const redeems = (app: AppId): Command => {
  const fresh = (state: State) => newest(state.codes, app, ({ spent }) => !spent)
  return command(
    `${app}: redeem`,
    (state) => fresh(state) !== undefined,
    async (state, { parties }) => {
      const code = fresh(state) as Code
      const answer = await parties[app].redeem(code.location, code.request)
      assert.equal(answer.status, code.grant.alive ? 200 : 400)
      code.spent = true
      if (code.grant.alive) keep(state, code.grant, (await answer.json()) as Tokens)
    },
  )
}

const redeemsAgain = (app: AppId): Command => {
  const used = (state: State) => newest(state.codes, app, ({ spent }) => spent)
  return command(
    `${app}: redeem again`,
    (state) => used(state) !== undefined,
    async (state, { parties }) => {
      const code = used(state) as Code
      assert.equal((await parties[app].redeem(code.location, code.request)).status, 400)
      code.grant.alive = false
    },
  )
}

const refreshes = (app: AppId): Command => {
  const current = (state: State) => newest(state.tokens, app, ({ spent }) => !spent)
  return command(
    `${app}: refresh`,
    (state) => current(state) !== undefined,
    async (state, { parties }) => {
      const token = current(state) as Token
      const answer = await parties[app].refresh(token.refresh)
      assert.equal(answer.status, token.grant.alive ? 200 : 400)
      token.spent = true
      if (token.grant.alive) keep(state, token.grant, (await answer.json()) as Tokens)
    },
  )
}

const refreshesOld = (app: AppId): Command => {
  const old = (state: State) => newest(state.tokens, app, ({ spent }) => spent)
  return command(
    `${app}: refresh with an old one`,
    (state) => old(state) !== undefined,
    async (state, { parties }) => {
      const token = old(state) as Token
      assert.equal((await parties[app].refresh(token.refresh)).status, 400)
      token.grant.alive = false
    },
  )
}

const asksUserinfo = (app: AppId): Command =>
  command(
    `${app}: userinfo`,
    (state) => newest(state.tokens, app, () => true) !== undefined,
    async (state, { parties }) => {
      const token = newest(state.tokens, app, () => true) as Token
      assert.equal((await parties[app].userinfo(token.access)).status, token.grant.alive ? 200 : 401)
    },
  )

const signsOut = command(
  'sign out',
  ({ signedIn }) => signedIn,
  async (state, { browser }) => {
    const xsrf = /name="xsrf" value="([\w-]+)"/.exec((await browser.get('/session/end')).text)?.[1]
    assert.ok(xsrf)
    assert.equal((await browser.post('/session/end/confirm', { xsrf, logout: 'yes' })).status, 200)
    state.signedIn = false
    for (const { grant } of [...state.tokens, ...state.codes]) grant.alive = false
  },
)

describe('tokens, in any order of events', () => {
  let server: TestServer
  let person: Person
  before(async () => {
    server = await startServer({
      settings: (config) => {
        const { sms, ...others } = config['verifiers'] as { sms: object }
        config['verifiers'] = { ...others, sms: { ...sms, resendAfter: 1, perPhoneDaily: 100_000 } }
      },
    })
    person = await personOf('yan')
  })
  after(() => server.close())

  const begin = () => {
    const browser = openBrowser(server.url)
    const real: Real = {
      browser,
      parties: { first: relyingParty(server.url, 'first'), second: relyingParty(server.url, 'second') },
      signIn(party) {
        server.clock.advance(1_100)
        return signIn(server, browser, party, person)
      },
    }
    const model: State = { grants: {}, signedIn: false, codes: [], tokens: [] }
    return { model, real }
  }

  it('live and die as the model says', async () => {
    const apps = ['first', 'second'] as const
    const makers = [signsIn, redeems, redeemsAgain, refreshes, refreshesOld, asksUserinfo]
    const seen = new Map<string, number>()
    const commands = [...apps.flatMap((app) => makers.map((make) => make(app))), signsOut].map((each) => ({
      ...each,
      async run(state: State, real: Real) {
        await each.run(state, real)
        seen.set(String(each), (seen.get(String(each)) ?? 0) + 1)
      },
    }))
    await fc.assert(
      fc.asyncProperty(
        fc.commands(
          commands.map((each) => fc.constant(each)),
          { maxCommands: 40, size: 'max' },
        ),
        (sequence) => fc.asyncModelRun(begin, sequence),
      ),
      { numRuns: 100, endOnFailure: false },
    )
    for (const each of commands) assert.ok((seen.get(String(each)) ?? 0) >= 2, `${String(each)} hardly ran`)
  })
})
