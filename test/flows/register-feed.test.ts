/** What the register tells of people who have an account: they signed in before, the change comes, and then. */
import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt, sm3 } from 'jose'
import { populationFile, readPopulation, type CastMember } from '#src/demo/cast.ts'
import { createFileRegister } from '#src/demo/population-register.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { startServer, type TestServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { giveDocument, personOf, provePhone, signIn, stepOf, type Person } from '../support/citizen.ts'
import { relyingParty, type RelyingParty, type Tokens } from '../support/relying-party.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const keys = ['renamed', 'renumbered', 'deceased', 'cancelled', 'void'] as const
type Key = (typeof keys)[number]
/** Where the store keeps how far the demo register was followed. */
const cursorPlace = sm3('demo').toString('base64url')

describe('the register’s feed of changes', () => {
  const newDirectory = temporaryDirectories()
  let server: TestServer
  let party: RelyingParty
  let population: string
  let today: string
  let people: Record<Key, Person>
  let signed: Record<Key, { tokens: Tokens; id: string }>

  /** As they were before their changes. */
  function past(member: CastMember): object {
    const { formerNames, formerNumbers, state: _, ...rest } = member
    return { ...rest, name: formerNames[0] ?? member.name, number: formerNumbers[0] ?? member.number }
  }

  beforeEach(async () => {
    today = readFileSync(populationFile, 'utf8')
    const { people: members } = await readPopulation()
    population = join(newDirectory(), 'population.json')
    writeFileSync(population, JSON.stringify({ about: 'before', people: members.map(past), changes: [] }))
    server = await startServer({ overrides: { register: createFileRegister(population) } })
    party = relyingParty(server.url, 'first')
    people = {} as typeof people
    signed = {} as typeof signed
    for (const key of keys) {
      const member = members.find((one) => one.key === key)
      assert.ok(member)
      people[key] = { ...(await personOf(key)), ...(past(member) as Person) }
      signed[key] = await signs(people[key])
    }
  })
  afterEach(() => server.close())

  async function signs(person: Person) {
    server.clock.advance(61_000)
    const { location, request } = await signIn(server, openBrowser(server.url), party, person)
    const tokens = await party.tokens(location, request)
    const citizen = (await server.app.directory.byPhone(person.phone))[0]
    assert.ok(citizen)
    return { tokens, id: citizen.id }
  }
  const happen = () => writeFileSync(population, today)
  const citizen = async (key: Key): Promise<Citizen> => {
    const found = await server.app.directory.byId(signed[key].id)
    assert.ok(found)
    return found
  }
  const records = async () =>
    (await server.app.storage.audit.read('node-1', 0, 10_000))
      .map(({ body }) => JSON.parse(body) as { type: string; reason?: string; facts?: { from?: string } })
      .filter(({ facts }) => facts?.from === 'register')
  const isDead = async (key: Key) => {
    const { access_token, refresh_token } = signed[key].tokens
    assert.equal((await party.userinfo(access_token)).status, 401, key)
    assert.equal((await party.refresh(refresh_token)).status, 400, key)
  }
  /** What somebody meets who comes with his phone. */
  const meets = async (phone: string, person?: Person) => {
    server.clock.advance(61_000)
    const browser = openBrowser(server.url)
    const page = await provePhone(server, browser, await browser.get(party.request().path), phone)
    return person ? giveDocument(browser, page, person) : page
  }

  it('changes nothing before it is told', async () => {
    await server.app.registerFollower.follow()
    for (const key of keys) assert.equal((await party.userinfo(signed[key].tokens.access_token)).status, 200)
    assert.deepEqual(await records(), [])
  })

  it('leaves one record for each change, names nobody in it, and none when it is told again', async () => {
    happen()
    await server.app.registerFollower.follow()
    assert.deepEqual(
      (await records()).map(({ type, reason }) => [type, reason]),
      [
        ['person.renamed', 'renamed'],
        ['document.renumbered', 'renumbered'],
        ['account.suspended', 'deceased'],
        ['account.suspended', 'cancelled'],
        ['document.void', 'document-void'],
      ],
    )
    const rows = (await server.app.storage.audit.read('node-1', 0, 10_000)).map(({ body }) => body).join()
    const now = JSON.parse(today) as { people: { name: string; number: string }[] }
    for (const { name, number } of now.people) assert.ok(!rows.includes(name) && !rows.includes(number))

    await server.app.storage.artifacts.remove('RegisterCursor', cursorPlace)
    await server.app.registerFollower.follow()
    assert.equal((await records()).length, 5)
  })

  for (const key of ['deceased', 'cancelled'] as const) {
    it(`ends everything of whoever is ${key}`, async () => {
      happen()
      await server.app.registerFollower.follow()
      assert.equal((await citizen(key)).status, 'suspended')
      await isDead(key)
      assert.equal(stepOf(await meets(people[key].phone)), 'document', 'his phone opens nothing')
      assert.match((await meets(people[key].phone, people[key])).text, /不能在网上登记/)
    })
  }

  it('makes a document void: the account is no better than a claim, until there is a new one', async () => {
    happen()
    await server.app.registerFollower.follow()
    const { proofing, documents, status } = await citizen('void')
    assert.deepEqual([proofing, status, documents[0]?.status], [1, 'active', 'void'])
    await isDead('void')
    assert.match((await meets(people.void.phone, people.void)).text, /这份证件已经失效/)

    const reissued = JSON.parse(today) as { people: { key: string; state?: string }[] }
    for (const person of reissued.people) if (person.key === 'void') delete person.state
    writeFileSync(population, JSON.stringify(reissued))
    const again = await signs(people.void)
    assert.equal(again.id, signed.void.id)
    assert.equal(decodeJwt(again.tokens.id_token)['acr'], 'urn:yihao:loa:2')
    assert.deepEqual(
      server.gateway.texts(people.void.phone).filter(({ text }) => text.template === 'notice'),
      [],
    )
  })

  it('takes over a new name, which the application is given', async () => {
    happen()
    await server.app.registerFollower.follow()
    const { name } = await personOf('renamed')
    assert.equal((await citizen('renamed')).name, name)
    assert.equal((await party.claims(signed.renamed.tokens.access_token))['name'], name)
  })

  it('takes over a corrected number and keeps the old one reserved', async () => {
    happen()
    await server.app.registerFollower.follow()
    const { number } = await personOf('renumbered')
    const { documents, proofing } = await citizen('renumbered')
    assert.deepEqual(
      documents.map((document) => [document.number, document.status]),
      [
        [people.renumbered.number, 'replaced'],
        [number, 'proven'],
      ],
    )
    assert.equal(proofing, 2)
    assert.equal((await party.userinfo(signed.renumbered.tokens.access_token)).status, 200, 'he stays signed in')
    for (const known of [number, people.renumbered.number])
      assert.equal((await server.app.directory.byDocument('resident-id-card', known))?.id, signed.renumbered.id)
  })

  it('leaves a corrected number with the account that has it already, and the other without', async () => {
    const { number } = await personOf('renumbered')
    const other = await server.app.directory.open({
      name: people.renumbered.name,
      document: { kind: 'resident-id-card', number, status: 'proven' },
      phone: '+8619855580001',
      proven: true,
      proofing: 2,
    })
    happen()
    await server.app.registerFollower.follow()
    assert.equal((await citizen('renumbered')).proofing, 1)
    await isDead('renumbered')
    assert.equal((await server.app.directory.byDocument('resident-id-card', number))?.id, other.id)
    assert.equal((await records()).length, 5)
  })

  it('finishes the correction of a number that a restore knows only the first half of', async () => {
    const old = { kind: 'resident-id-card', number: people.renumbered.number } as const
    await server.app.directory.endDocument(signed.renumbered.id, old, 'replaced')
    happen()
    await server.app.registerFollower.follow()
    const person = await personOf('renumbered')
    const { documents, proofing } = await citizen('renumbered')
    const claimed = [old.number, 'replaced', person.number, 'claimed']
    assert.deepEqual(
      documents.flatMap(({ number, status }) => [number, status]),
      claimed,
    )
    assert.equal(proofing, 1, 'nobody knows any more that it was proven')
    assert.equal((await records()).length, 5)
    const again = await signs(person)
    assert.equal(again.id, signed.renumbered.id)
    assert.equal(decodeJwt(again.tokens.id_token)['acr'], 'urn:yihao:loa:2')
    await server.app.storage.artifacts.remove('RegisterCursor', cursorPlace)
    await server.app.registerFollower.follow()
    assert.equal((await citizen('renumbered')).proofing, 2, 'told again, nothing more happens')
    assert.equal((await records()).length, 5)
  })

  it('suspends nobody for a number that was his and is another’s now', async () => {
    happen()
    await server.app.registerFollower.follow()
    const old = people.renumbered.number
    const more = JSON.parse(today) as { changes: object[] }
    const at = '2026-11-07T09:00:00+08:00'
    more.changes.push({ at, kind: 'resident-id-card', number: old, change: 'deceased' })
    writeFileSync(population, JSON.stringify(more))
    await server.app.registerFollower.follow()
    assert.equal((await citizen('renumbered')).status, 'active')
  })

  it('follows on after a restart, and bears a batch whose cursor a crash has lost', async () => {
    happen()
    await server.app.registerFollower.follow()
    // The crash: everything was applied, the cursor was not kept.
    assert.ok(await server.app.storage.artifacts.get('RegisterCursor', cursorPlace))
    await server.app.storage.artifacts.remove('RegisterCursor', cursorPlace)
    const before = await Promise.all(keys.map(citizen))
    server = await server.restart()
    party = relyingParty(server.url, 'first')
    await server.app.registerFollower.follow()
    assert.ok(await server.app.storage.artifacts.get('RegisterCursor', cursorPlace), 'kept now')
    assert.deepEqual(await Promise.all(keys.map(citizen)), before)
    assert.equal((await records()).length, 5, 'nothing is done twice')
  })

  it('waits for a register that is down, and signs people in meanwhile', async () => {
    happen()
    writeFileSync(population, 'torn')
    await server.app.registerFollower.follow()
    assert.equal((await party.userinfo(signed.deceased.tokens.access_token)).status, 200)
    await signs(people.renamed)
    happen()
    await server.app.registerFollower.follow()
    await isDead('deceased')
  })

  it('passes over a change that nobody can read, and applies those behind it', async () => {
    const unreadable = JSON.parse(today) as { changes: object[] }
    const at = '2026-11-01T09:00:00+08:00'
    unreadable.changes.unshift({ at, kind: 'resident-id-card', number: '1', change: 'deceased' })
    writeFileSync(population, JSON.stringify(unreadable))
    await server.app.registerFollower.follow()
    await isDead('deceased')
  })
})
