/**
 * Whose account is it? Random lives of a few people and phones: claims, proofs, recycled numbers, and what the register
 * tells, also twice and late. Whatever happens, no phone that the register calls somebody else's opens an account as
 * its owner's (L2), and no document and no account belongs to two people (DESIGN D6, D8).
 */
import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { checkCharacter } from '#src/identity/check-digit.ts'
import type { Citizen } from '#src/identity/citizen.ts'
import { parseDocument } from '#src/identity/id-number.ts'
import type { RegisterAnswer, RegisterChange, RegisterQuery } from '#src/identity/registry.ts'
import { createDirectory } from '#src/login/directory.ts'
import { createOwnership } from '#src/login/ownership.ts'
import { createPhoneConfirmation } from '#src/login/phone-confirmation.ts'
import { createProofing, type Proofed } from '#src/login/proofing.ts'
import { createRegisterChanges } from '#src/login/register-changes.ts'
import { trail } from '../support/login-rooms.ts'
import { openSealedStore } from '../support/sealing.ts'

const kind = 'resident-id-card'
const day = 86_400_000
const confirmDays = 30
/** Carriers keep a number back for as long before they give it out again. */
const carrierDays = 91

interface Human {
  name: string
  number: string
  phone: string | undefined
  state: 'living' | 'deceased' | 'document-void'
  readonly formerNames: string[]
  readonly formerNumbers: string[]
}

const phones = Array.from({ length: 4 }, (_, n) => `+861990000010${n}`)
const numberOf = (serial: number): string => {
  const body = `69010119800101${String(serial).padStart(3, '0')}`
  return body + checkCharacter(body)
}

async function openCity() {
  let time = Date.parse('2026-11-24T00:00:00Z')
  let serial = 100
  const now = () => time
  const { storage, sealing } = await openSealedStore(undefined, undefined, now)
  const directory = createDirectory({ storage, ...sealing, now })
  // The last has the number of the first (重号), and a name of his own.
  const humans: Human[] = ['甲', '乙', '丙', '丁'].map((name, at) => ({
    ...{ name, number: numberOf(at % 3), phone: phones[at], state: 'living', formerNames: [], formerNumbers: [] },
  }))
  const feed: RegisterChange[] = []
  let followed = 0

  const answer = ({ number, name, phone }: RegisterQuery): RegisterAnswer => {
    const named = humans.filter((human) => [human.name, ...human.formerNames].includes(name))
    const holder = named.find((human) => human.number === number)
    const human = holder ?? named.find(({ formerNumbers }) => formerNumbers.includes(number))
    if (!human) return { result: 'mismatch' }
    if (human.state !== 'living') return { result: human.state }
    if (!holder) return { result: 'renumbered' }
    if (human.name !== name) return { result: 'renamed' }
    if (phone === undefined || human.phone === undefined) return { result: 'match', phone: 'unknown' }
    return { result: 'match', phone: human.phone === phone ? 'match' : 'mismatch' }
  }
  const check = async (query: RegisterQuery) => answer(query)
  const recorder = { record: async () => undefined, checkpoint: async () => undefined, close: async () => undefined }
  const nothing = async () => undefined
  const notices = { tell: nothing, tellOfTry: nothing }
  const ownership = createOwnership({
    ...{ directory, recorder, notices },
    ...{ endWays: nothing, endSessions: nothing, hidePast: nothing },
  })
  const throttle = { take: async () => ({ allowed: true, left: 1 }) as const, giveBack: nothing }
  const fault = (error: unknown) => assert.fail(String(error))
  const apply = createRegisterChanges({ directory, check, recorder, endSessions: nothing, onFault: fault, now })
  const isShared = (number: string): boolean =>
    humans.filter((human) => [human.number, ...human.formerNumbers].includes(number)).length > 1
  const followFeed = async (again: boolean): Promise<void> => {
    for (const change of again ? feed : feed.slice(followed)) await apply(change)
    followed = feed.length
  }
  return {
    humans,
    directory,
    confirmation: createPhoneConfirmation({ directory, check, recorder, confirmDays, now }),
    proofing: createProofing({ directory, check, throttle, recorder, ownership, now }),
    /** @param again all of it, as after a lost cursor */
    followFeed,
    /** Two people have or had this number (重号). */
    isShared,
    /** Of such a pair nobody can tell apart two changes told at once: the first is followed. */
    async change(change: { readonly number: string; readonly [member: string]: string }) {
      if (isShared(change.number)) await followFeed(false)
      feed.push({ at: time, kind, ...change } as RegisterChange)
    },
    newNumber: () => numberOf(serial++),
    pass: (days: number) => void (time += days * day),
    close: () => storage.close(),
  }
}
type City = Awaited<ReturnType<typeof openCity>>

/** What the test itself knows: to whom each account was proven, and every account there ever was. */
interface Known {
  readonly owners: Map<string, Human>
  readonly accounts: Set<string>
}

const settled = (known: Known, proofed: Proofed, human: Human): void => {
  if (!proofed.ok) return
  const { id, proofing } = proofed.citizen
  known.accounts.add(id)
  if (proofing < 2) return
  assert.ok((known.owners.get(id) ?? human) === human, 'an account was given to a second person')
  known.owners.set(id, human)
}

/** Signs in at a phone, as `sign-in` does: whoever is opened as the owner must be one whose phone it is. */
async function signIn(city: City, known: Known, phone: string): Promise<readonly Citizen[]> {
  await city.confirmation.confirm(phone, trail)
  const atPhone = (await city.directory.byPhone(phone)).filter(({ status }) => status === 'active')
  const opened = atPhone.map((citizen) => city.confirmation.openedBy(phone, citizen))
  for (const { id, proofing } of opened.filter((citizen) => citizen.proofing >= 2)) {
    const human = known.owners.get(id)
    assert.ok(human, `an account nobody proved stands at level ${proofing}`)
    const holders = city.humans.filter((one) => one.phone === phone)
    assert.ok(holders.length === 0 || holders.includes(human), "somebody else's phone reached level 2")
  }
  return opened
}

async function invariants(city: City, { owners, accounts }: Known): Promise<void> {
  const holders = new Map<string, string>()
  for (const id of accounts) {
    const citizen = await city.directory.byId(id)
    assert.ok(citizen)
    const human = owners.get(id)
    for (const { number, status } of citizen.documents) {
      assert.ok(!holders.has(number), 'a document belongs to two')
      holders.set(number, id)
      assert.equal((await city.directory.byDocument(kind, number))?.id, id)
      if (status !== 'proven') continue
      assert.ok(human, 'a document is proven that nobody proved')
      assert.ok([human.number, ...human.formerNumbers].includes(number), 'a document was proven to another')
    }
    if (citizen.proofing < 2) continue
    assert.ok(human && [human.name, ...human.formerNames].includes(citizen.name ?? ''), 'it bears another’s name')
    assert.ok(
      citizen.documents.some(({ status }) => status === 'proven'),
      'a real name without a document',
    )
  }
}

type Action = (city: City, known: Known) => Promise<void>

const who = fc.nat(3)
const which = fc.nat(phones.length - 1)
const pick = <T>(items: readonly T[], at: number): T => items[at % items.length] as T

const comes = fc
  .record({ who, which, old: fc.boolean(), twice: fc.boolean() })
  .map(({ who: at, which: phoneAt, old, twice }): Action => async (city, known) => {
    const human = pick(city.humans, at)
    const phone = pick(phones, phoneAt)
    const [citizen] = await signIn(city, known, phone)
    const number = old ? (human.formerNumbers[0] ?? human.number) : human.number
    const document = parseDocument(kind, number)
    const input = { document, name: human.name, phone, trail, ...(citizen ? { citizen } : {}) }
    const all = await Promise.all(Array.from({ length: twice ? 2 : 1 }, () => city.proofing.prove(input)))
    for (const proofed of all) settled(known, proofed, human)
    if (human.state !== 'living') assert.ok(all.every(({ ok }) => !ok))
  })
const race = fc.tuple(who, which, which).map(([at, one, other]): Action => async (city, known) => {
  const human = pick(city.humans, at)
  const document = parseDocument(kind, human.number)
  const prove = (phone: string) => city.proofing.prove({ document, name: human.name, phone, trail })
  for (const proofed of await Promise.all([prove(pick(phones, one)), prove(pick(phones, other))]))
    settled(known, proofed, human)
})
const personally = fc.tuple(who, fc.boolean()).map(([at, own]): Action => async (city, known) => {
  const human = pick(city.humans, at)
  if (human.state !== 'living') return
  const document = parseDocument(kind, human.number)
  const brought = own && human.phone !== undefined ? { phone: human.phone } : {}
  const proof = { document, name: human.name, level: 3 as const, trail, ...brought }
  settled(known, await city.proofing.provePersonally(proof), human)
})
const signsIn = which.map(
  (at): Action =>
    async (city, known) =>
      void (await signIn(city, known, pick(phones, at))),
)
/** The phone is given up by whoever has it, and after a while it is somebody else's. */
const recycled = fc.tuple(who, which).map(([at, phoneAt]): Action => async (city) => {
  const phone = pick(phones, phoneAt)
  for (const human of city.humans) if (human.phone === phone) human.phone = undefined
  city.pass(carrierDays)
  pick(city.humans, at).phone = phone
})
const shares = fc.tuple(who, who).map(([at, with_]): Action => async (city) => {
  city.pass(confirmDays + 1)
  pick(city.humans, at).phone = pick(city.humans, with_).phone
})
const renamed = who.map((at): Action => async (city) => {
  const human = pick(city.humans, at)
  // A change names the number only: which of a pair was renamed, the register's port cannot say.
  if (city.isShared(human.number)) return
  const newName = `${human.name.slice(0, 1)}新${'一二三四五六七八九十'.charAt(human.formerNames.length)}`
  await city.change({ number: human.number, change: 'renamed', newName })
  human.formerNames.push(human.name)
  human.name = newName
})
const renumbered = who.map((at): Action => async (city) => {
  const human = pick(city.humans, at)
  const newNumber = city.newNumber()
  await city.change({ number: human.number, change: 'renumbered', newNumber })
  human.formerNumbers.unshift(human.number)
  human.number = newNumber
})
const ended = fc
  .tuple(who, fc.constantFrom('deceased' as const, 'document-void' as const))
  .map(([at, state]): Action => async (city) => {
    const human = pick(city.humans, at)
    if (human.state === 'deceased') return
    await city.change({ number: human.number, change: state })
    human.state = state
  })
const reissued = who.map((at): Action => async (city) => {
  const human = pick(city.humans, at)
  if (human.state === 'document-void') human.state = 'living'
})
/** The feed is followed; now and then all of it again, as after a lost cursor. */
const followed = fc.boolean().map(
  (again): Action =>
    (city) =>
      city.followFeed(again),
)

const action = fc.oneof(
  { weight: 8, arbitrary: comes },
  { weight: 3, arbitrary: race },
  { weight: 1, arbitrary: personally },
  { weight: 3, arbitrary: signsIn },
  { weight: 3, arbitrary: recycled },
  { weight: 1, arbitrary: shares },
  { weight: 1, arbitrary: renamed },
  { weight: 2, arbitrary: renumbered },
  { weight: 1, arbitrary: ended },
  { weight: 1, arbitrary: reissued },
  { weight: 4, arbitrary: followed },
)

describe('the ownership of accounts, whatever happens', () => {
  it('stays with one person, one document, and a phone that is his', async () => {
    let proven = 0
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
        const city = await openCity()
        const known: Known = { owners: new Map(), accounts: new Set() }
        try {
          for (const act of actions) {
            await act(city, known)
            await invariants(city, known)
          }
          for (const phone of phones) await signIn(city, known, phone)
          proven += known.owners.size
        } finally {
          await city.close()
        }
      }),
      { numRuns: 700 },
    )
    assert.ok(proven > 700, `only ${proven} accounts were proven`)
  })
})
