import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isAppError, type ErrorCode } from '#src/errors.ts'
import { creditCheck, parseCreditCode } from '#src/identity/credit-code.ts'

function refused(code: ErrorCode, text: string): void {
  assert.throws(
    () => parseCreditCode(text),
    (error) => isAppError(error, code),
    text,
  )
}

const alphabet = '0123456789ABCDEFGHJKLMNPQRTUWXY'

describe('unified social credit codes (GB 32100-2015)', () => {
  it('reads codes in use, with letters in the organisation part and as the check', () => {
    for (const code of ['91350100M000100Y43', '91440300708461136T', '91110108551385082Q'])
      assert.equal(parseCreditCode(code), code)
  })

  it('folds lower case, full width and grouping', () => {
    assert.equal(parseCreditCode(' 91350100-m000100y43 '), '91350100M000100Y43')
    assert.equal(parseCreditCode('９１３５０１００Ｍ０００１００Ｙ４３'), '91350100M000100Y43')
  })

  it('says what is wrong', () => {
    refused('number_missing', ' ')
    refused('number_characters', '9135010OM000100Y43')
    refused('number_characters', '91350100M000I00Y43')
    refused('number_characters', '91A50100M000100Y43')
    refused('number_length', '91350100M000100Y4')
    refused('number_length', '350100100000001')
    refused('number_check', '91350100M000100Y44')
    refused('number_check', '91350100M000100YX3'.replace('X', '5'))
  })

  it('sees any one changed character', () => {
    const body = fc.stringMatching(/^[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{9}$/)
    fc.assert(
      fc.property(body, fc.nat(16), fc.integer({ min: 1, max: 30 }), (text, place, step) => {
        const check = creditCheck(text)
        assert.equal(parseCreditCode(text + check), text + check)
        const character = alphabet[(alphabet.indexOf(text.charAt(place)) + step) % 31]
        const changed = text.slice(0, place) + character + text.slice(place + 1)
        assert.throws(() => parseCreditCode(changed + check), isAppError)
      }),
    )
  })
})
