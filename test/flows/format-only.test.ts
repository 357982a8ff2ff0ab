/**
 * Passport, 港澳通行证 and 台胞证: what the register does not know is claimed by its format (L1), gives out nothing, and
 * stays free for its true holder, until a register or a window confirms it (DESIGN D8).
 */
import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { populationFile } from '#src/demo/cast.ts'
import { createFileRegister } from '#src/demo/population-register.ts'
import { startServer, testApplications, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { attemptOf, giveDocument, provePhone, signIn, stepOf, type Person } from '../support/citizen.ts'
import { relyingParty, type RelyingParty } from '../support/relying-party.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const scope = 'openid profile phone'
const permits: readonly Omit<Person, 'phone'>[] = [
  { kind: 'passport', name: 'ANNA EXAMPLE', number: 'XX1234567' },
  { kind: 'hk-macao-travel-permit', name: '陈大文', number: 'H12345678' },
  { kind: 'taiwan-travel-permit', name: '林小明', number: '12345678' },
]
const [passport] = permits as [Omit<Person, 'phone'>]

describe('a document that is judged by its format only', () => {
  const newDirectory = temporaryDirectories()
  let server: TestServer
  let population: string
  /** Asks for a real name. */
  let strict: RelyingParty
  /** Asks for none, and is granted name and phone. */
  let easy: RelyingParty
  let phones = 0

  before(async () => {
    population = join(newDirectory(), 'population.json')
    writeFileSync(population, readFileSync(populationFile))
    const applications = testApplications().map((application, at, all) =>
      at === 1 ? { ...application, level: 1 as const, grants: all[0]?.grants ?? [] } : application,
    )
    server = await startServer({ applications, overrides: { register: createFileRegister(population) } })
    strict = relyingParty(server.url, 'first')
    easy = relyingParty(server.url, 'second')
  })
  after(() => server.close())

  const newPhone = (): string => `+861985570${String(++phones).padStart(4, '0')}`
  const enter = async (party: RelyingParty, person: Person) => {
    server.clock.advance(61_000)
    const { location, request } = await signIn(server, openBrowser(server.url), party, person, { scope })
    return party.tokens(location, request)
  }
  const arrive = async (phone: string) => {
    server.clock.advance(61_000)
    const browser = openBrowser(server.url)
    return { browser, page: await provePhone(server, browser, await browser.get(strict.request().path), phone) }
  }

  for (const document of permits) {
    it(`${document.kind}: is a claim at level 1 that gives out nothing, for each who claims the number`, async () => {
      const subjects = new Set<unknown>()
      for (const name of [document.name, 'SOMEBODY ELSE']) {
        const tokens = await enter(easy, { ...document, name, phone: newPhone() })
        const { acr, sub } = decodeJwt(tokens.id_token)
        assert.equal(acr, 'urn:yihao:loa:1')
        subjects.add(sub)
        const claims = await easy.claims(tokens.access_token)
        for (const claim of ['name', 'id_number', 'id_number_masked']) assert.equal(claims[claim], undefined)
      }
      assert.equal(subjects.size, 2, 'two accounts')
    })
  }

  it('leads to a window where a real name is needed', async () => {
    const { browser, page } = await arrive(newPhone())
    const low = await giveDocument(browser, page, { ...passport, phone: '' })
    assert.equal(stepOf(low), 'low')
    assert.match(low.text, /这种证件在网上一般核实不了，带证件到窗口核验一次即可/)
    assert.match((await browser.get(`${low.url}?lang=en`)).text, /can rarely be verified online/)
  })

  it('is one account for one phone, also where the form is sent several times at once', async () => {
    const phone = newPhone()
    const { browser, page } = await arrive(phone)
    await browser.post(`${attemptOf(page)}/document`, { kind: passport.kind })
    await browser.post(`${attemptOf(page)}/name`, { name: passport.name })
    const send = () => browser.post(`${attemptOf(page)}/number`, { number: passport.number })
    await Promise.all([send(), send(), send()])
    assert.equal((await server.app.directory.byPhone(phone)).length, 1)
  })

  it('becomes real in the same account once the register knows it and the phone; other claims stay claims', async () => {
    const [phone, other] = [newPhone(), newPhone()]
    const person = { ...passport, number: 'XX7654321', phone }
    const claimed = await enter(easy, person)
    await enter(easy, { ...person, phone: other })
    const file = JSON.parse(readFileSync(population, 'utf8')) as { people: object[] }
    file.people.push({ key: 'anna', about: 'a register with passports', ...person })
    writeFileSync(population, JSON.stringify(file))
    const real = await enter(strict, person)
    assert.equal(decodeJwt(real.id_token)['acr'], 'urn:yihao:loa:2')
    assert.equal((await strict.claims(real.access_token))['name'], person.name)
    const [citizen, ...more] = await server.app.directory.byPhone(phone)
    assert.deepEqual(more, [])
    assert.deepEqual(
      citizen?.documents.map(({ status, number }) => [status, number]),
      [
        ['replaced', person.number],
        ['proven', person.number],
      ],
    )
    assert.equal((await easy.userinfo(claimed.access_token)).status, 200)
    assert.equal((await server.app.directory.byPhone(other))[0]?.proofing, 1)
  })

  it('is refused like any other where its number was never one', async () => {
    const { browser, page } = await arrive(newPhone())
    const refused = await giveDocument(browser, page, { ...passport, number: '12', phone: '' })
    assert.equal(stepOf(refused), 'number')
  })
})
