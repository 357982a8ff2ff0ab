/**
 * Nothing tells a stranger whether a phone is known: neither what is done for it nor how long that takes
 * (facts/security §2, 52; OWASP ASVS 6.3.8). That the answers are the same byte for byte is tested in `sign-in.test.ts`.
 */
import { strict as assert } from 'node:assert'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, codeFor, personOf, signedIn } from '../support/citizen.ts'
import { relyingParty } from '../support/relying-party.ts'

const wrong = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN

describe('a known and an unknown phone', () => {
  let server: TestServer
  /** What was asked of the store, in order, without the values. */
  const calls: string[] = []
  before(async () => {
    server = await startServer({
      settings: (config) => {
        const { verifiers, login } = config as { verifiers: { sms: object }; login: object }
        Object.assign(verifiers.sms, { resendAfter: 1, perPhoneDaily: 10_000 })
        Object.assign(login, { failuresDaily: 10_000 })
      },
    })
    await signedIn(server, relyingParty(server.url, 'first'), await personOf('elder'))
    server.clock.advance(61_000)
    const { people, artifacts, counters } = server.app.storage
    for (const [port, methods] of Object.entries({ people, artifacts, counters })) {
      for (const [name, method] of Object.entries(
        methods as unknown as Record<string, (...given: unknown[]) => unknown>,
      )) {
        const listening = (...given: unknown[]) => {
          calls.push(`${port}.${name}${port === 'people' ? '' : ` ${String(given[0]).split(':')[0]}`}`)
          return method(...given)
        }
        Object.assign(methods, { [name]: listening })
      }
    }
  })
  after(() => server.close())

  interface Round {
    readonly phone: number
    readonly code: number
    readonly asked: readonly string[]
  }
  const begin = async (phone: string): Promise<() => Promise<Round>> => {
    const browser = openBrowser(server.url)
    const attempt = attemptOf(await browser.get(relyingParty(server.url, 'first').request().path))
    const timed = async (step: string, fields: Record<string, string>): Promise<number> => {
      const started = performance.now()
      const answer = await browser.once(`${attempt}/${step}`, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { origin: server.url },
      })
      const took = performance.now() - started
      assert.equal(answer.headers.get('location'), `${attempt}/code`)
      return took
    }
    return async () => {
      calls.length = 0
      const sent = await timed('phone', { phone })
      const judged = await timed('code', { code: wrong(codeFor(server, phone)) })
      return { phone: sent, code: judged, asked: [...calls] }
    }
  }

  it('ask the same of the store, and nobody is looked up before the phone is proven', async () => {
    const [known, unknown] = [await begin((await personOf('elder')).phone), await begin('+8619855700001')]
    const [one, other] = [await known(), await unknown()]
    assert.ok(one.asked.length > 10)
    assert.deepEqual(one.asked, other.asked)
    assert.deepEqual(
      one.asked.filter((call) => call.startsWith('people.')),
      [],
    )
  })

  it('take the same time, to have a code sent and to have a wrong one refused', async () => {
    const rounds = 80
    const [known, unknown] = [await begin((await personOf('elder')).phone), await begin('+8619855700002')]
    const [knownRounds, unknownRounds]: [Round[], Round[]] = [[], []]
    for (let round = -5; round < rounds; round += 1) {
      server.clock.advance(1_500)
      // By turns, so that a pause of the machine hits both; the first are for warming up.
      for (const who of round % 2 === 0 ? ['known', 'unknown'] : ['unknown', 'known']) {
        const measured = await (who === 'known' ? known : unknown)()
        if (round >= 0) (who === 'known' ? knownRounds : unknownRounds).push(measured)
      }
    }
    for (const step of ['phone', 'code'] as const) {
      const [a, b] = [knownRounds, unknownRounds].map((all) => median(all.map((round) => round[step])))
      const ratio = (a as number) / (b as number)
      assert.ok(ratio > 0.5 && ratio < 2, `${step}: known ${a} ms, unknown ${b} ms`)
    }
  }).timeout(60_000)
})
