import assert from 'node:assert/strict'
import { ageOver, birthDateOf, primaryDocument, type Citizen, type CitizenDocument } from '#src/identity/citizen.ts'

const now = Date.parse('2026-11-24T12:00:00+08:00')
const card: CitizenDocument = { kind: 'resident-id-card', number: '690101201006011031', status: 'proven', from: 1 }
const passport: CitizenDocument = { kind: 'passport', number: 'XX0000001', status: 'proven', from: 2 }

function citizen(...documents: CitizenDocument[]): Citizen {
  return { id: 'p1', documents, phones: [], proofing: 2, status: 'active' }
}

describe('a citizen', () => {
  it('goes by the proven document before the claimed, by the card before the passport', () => {
    assert.equal(primaryDocument(citizen(passport, card)), card)
    assert.equal(primaryDocument(citizen({ ...card, status: 'claimed' }, passport)), passport)
  })

  it('goes by the newer of two documents of a kind, and never by a replaced or void one', () => {
    const newer = { ...card, number: '690101201006011058', from: 3 }
    assert.equal(primaryDocument(citizen(card, newer)), newer)
    assert.equal(primaryDocument(citizen({ ...newer, status: 'replaced', to: 4 }, card)), card)
    assert.equal(primaryDocument(citizen({ ...card, status: 'void' })), undefined)
    assert.equal(primaryDocument(citizen()), undefined)
  })

  it('has the date of birth of the first document that says it', () => {
    assert.equal(birthDateOf(citizen(card)), '2010-06-01')
    assert.equal(birthDateOf(citizen({ ...card, status: 'claimed' }, passport)), '2010-06-01')
    assert.equal(birthDateOf(citizen(passport)), undefined)
  })

  it('is of an age, or of no known age', () => {
    assert.equal(ageOver(citizen(card), 16, now), true)
    assert.equal(ageOver(citizen(card), 18, now), false)
    assert.equal(ageOver(citizen(passport), 18, now), undefined)
  })
})
