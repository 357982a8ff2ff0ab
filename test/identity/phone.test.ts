import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isAppError, type ErrorCode } from '#src/errors.ts'
import { groupPhone, maskPhone, parsePhone } from '#src/identity/phone.ts'

function refused(code: ErrorCode, text: string): void {
  assert.throws(
    () => parsePhone(text),
    (error) => isAppError(error, code),
    text,
  )
}

describe('mobile numbers', () => {
  it('reads every common way of writing one', () => {
    for (const text of [
      '19900000001',
      '+8619900000001',
      '8619900000001',
      '008619900000001',
      '+86 199-0000-0001',
      '(+86) 199 0000 0001',
      '（＋８６）１９９０００００００１',
      ' 199　0000　0001 ',
      '\u202d199 0000 0001\u202c',
    ])
      assert.equal(parsePhone(text), '+8619900000001', text)
  })

  it('refuses what is not a mainland mobile number', () => {
    refused('phone_missing', '')
    refused('phone_missing', ' - ')
    for (const text of [
      '1990000000',
      '199000000011',
      '12900000001',
      '29900000001',
      '01012345678',
      '+85290000001',
      '+8519900000001',
      '+868619900000001',
      '1990000000a',
      '19900000001;ext=1',
    ])
      refused('phone_invalid', text)
  })

  it('reads back what it shows', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^1[3-9]\d{9}$/), (text) => {
        const phone = parsePhone(text)
        assert.equal(phone, `+86${text}`)
        assert.equal(parsePhone(phone), phone)
        assert.equal(parsePhone(groupPhone(phone)), phone)
      }),
    )
  })

  it('groups 3-4-4 and masks to the first three and the last four', () => {
    assert.equal(groupPhone('+8619900000012'), '199 0000 0012')
    assert.equal(maskPhone('+8619912340012'), '199****0012')
  })
})
