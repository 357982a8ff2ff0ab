import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isAppError, type ErrorCode } from '#src/errors.ts'
import { checkCharacter } from '#src/identity/check-digit.ts'
import {
  birthDateIn,
  documentKinds,
  groupNumber,
  maskNumber,
  parseDocument,
  parseDocumentKind,
  type DocumentKind,
} from '#src/identity/id-number.ts'

const now = Date.parse('2026-11-24T12:00:00+08:00')
const citizen = 'resident-id-card'
const permit = 'hk-macao-taiwan-residence-permit'
const foreigner = 'foreigner-permanent-resident-card'

function refused(code: ErrorCode, kind: DocumentKind, text: string, at = now): void {
  assert.throws(
    () => parseDocument(kind, text, at),
    (error) => isAppError(error, code),
    `${kind} ${text}`,
  )
}

/** A whole number from its first 17 digits. */
function whole(body: string): string {
  return body + checkCharacter(body)
}

const validBody = fc
  .record({
    area: fc.integer({ min: 100000, max: 799999 }),
    day: fc.date({ min: new Date('1800-01-01'), max: new Date('2026-11-23'), noInvalidDate: true }),
    sequence: fc.integer({ min: 0, max: 999 }),
  })
  .map(
    ({ area, day, sequence }) =>
      `${area}${day.toISOString().slice(0, 10).replaceAll('-', '')}${String(sequence).padStart(3, '0')}`,
  )

describe('citizen numbers (GB 11643-1999)', () => {
  it('reads the samples printed in the standard', () => {
    assert.deepEqual(parseDocument(citizen, '11010519491231002X', now), {
      kind: citizen,
      number: '11010519491231002X',
      birthDate: '1949-12-31',
      sex: 'female',
      checked: true,
    })
    assert.deepEqual(parseDocument(citizen, '440524188001010014', now), {
      kind: citizen,
      number: '440524188001010014',
      birthDate: '1880-01-01',
      sex: 'male',
      checked: true,
    })
  })

  it('upgrades a 15-digit number of 1989, and says that no check character vouched for it', () => {
    const upgraded = parseDocument(citizen, '110105491231002', now)
    assert.equal(upgraded.number, '11010519491231002X')
    assert.equal(upgraded.birthDate, '1949-12-31')
    assert.equal(upgraded.checked, false)
    refused('number_date', citizen, '110105490231002')
  })

  it('takes every way of writing one number for that number', () => {
    const written = [
      '11010519491231002x',
      ' 110105 19491231 002X ',
      '110105-19491231-002X',
      '１１０１０５１９４９１２３１００２Ｘ',
      '11010519491231002ｘ',
      '11010519491231002Ⅹ',
      '\u202a11010519491231002X\u202c',
      '110105　19491231—002X',
      '\u200b11010519491231002X\ufeff',
    ]
    for (const text of written) assert.equal(parseDocument(citizen, text, now).number, '11010519491231002X', text)
  })

  it('accepts area codes that no table knows', () => {
    assert.equal(parseDocument(citizen, whole('69010119920305101'), now).checked, true)
  })

  it('says what is wrong with a number, one thing at a time', () => {
    refused('number_missing', citizen, '')
    refused('number_missing', citizen, ' - 　')
    refused('number_characters', citizen, '1101051949123100ZX')
    refused('number_characters', citizen, '1101051949123100X2')
    refused('number_characters', citizen, '110105194912310０2Ⅸ')
    refused('number_length', citizen, '1101051949123100')
    refused('number_length', citizen, '11010519491231002X0')
    refused('number_length', citizen, '11010549123100X')
    refused('number_region', citizen, whole('01010519491231002'))
    refused('number_date', citizen, whole('69010119901301001'))
    refused('number_check', citizen, '110105194912310021')
  })

  it('knows the calendar', () => {
    assert.equal(parseDocument(citizen, whole('69010120000229001'), now).birthDate, '2000-02-29')
    assert.equal(parseDocument(citizen, whole('69010119960229001'), now).birthDate, '1996-02-29')
    for (const date of ['19000229', '20010229', '19900230', '19900431', '19900001', '19900100', '19901232'])
      refused('number_date', citizen, whole(`690101${date}001`))
  })

  it('refuses births before 1800 and after today, the day being counted in China', () => {
    refused('number_date', citizen, whole('69010117991231001'))
    assert.equal(parseDocument(citizen, whole('69010118000101001'), now).birthDate, '1800-01-01')
    const bornToday = whole('69010120261125001')
    refused('number_date', citizen, bornToday, Date.parse('2026-11-24T23:59:59+08:00'))
    assert.equal(parseDocument(citizen, bornToday, Date.parse('2026-11-25T00:00:00+08:00')).birthDate, '2026-11-25')
  })

  it('refuses what belongs to another kind of document', () => {
    refused('number_region', citizen, '932682198501010017')
    refused('number_region', citizen, '810000199001010019')
    refused('number_region', citizen, '820000199001010010')
    refused('number_region', citizen, '830000199001010012')
    refused('number_region', permit, '11010519491231002X')
    refused('number_region', foreigner, '11010519491231002X')
    refused('number_length', permit, '110105491231002')
  })

  it('sees any one changed digit', () => {
    fc.assert(
      fc.property(validBody, fc.nat(16), fc.integer({ min: 1, max: 9 }), (body, place, step) => {
        const digit = (Number(body[place]) + step) % 10
        const changed = body.slice(0, place) + digit + body.slice(place + 1)
        assert.notEqual(checkCharacter(changed), checkCharacter(body))
        assert.throws(() => parseDocument(citizen, changed + checkCharacter(body), now), isAppError)
      }),
    )
  })

  it('reads back its own number, however grouped, as the same document', () => {
    fc.assert(
      fc.property(validBody, (body) => {
        const first = parseDocument(citizen, whole(body), now)
        assert.deepEqual(parseDocument(citizen, groupNumber(first.number), now), first)
        assert.equal(birthDateIn(first.number), first.birthDate)
      }),
    )
  })

  it('answers any text with a document or one of its own errors', () => {
    fc.assert(
      fc.property(fc.constantFrom(...documentKinds), fc.string({ unit: 'binary', maxLength: 30 }), (kind, text) => {
        try {
          assert.match(parseDocument(kind, text, now).number, /^[\dA-Z]+$/)
        } catch (error) {
          assert.ok(isAppError(error) && error.code.startsWith('number_'), String(error))
        }
      }),
    )
  })
})

describe('residence permits of Hong Kong, Macao and Taiwan residents', () => {
  it('reads their three own area codes, by the same check', () => {
    for (const number of ['810000199001010019', '820000199001010010', '830000199001010012']) {
      const document = parseDocument(permit, number, now)
      assert.equal(document.number, number)
      assert.equal(document.birthDate, '1990-01-01')
      assert.equal(document.checked, true)
    }
    refused('number_check', permit, '810000199001010018')
    refused('number_region', permit, whole('71000019900101001'))
  })
})

describe('foreigner permanent resident cards', () => {
  it('reads the official samples of 2023', () => {
    assert.deepEqual(parseDocument(foreigner, '932682198501010017', now), {
      kind: foreigner,
      number: '932682198501010017',
      birthDate: '1985-01-01',
      sex: 'male',
      checked: true,
    })
    const second = parseDocument(foreigner, '911124198108030024', now)
    assert.equal(second.birthDate, '1981-08-03')
    assert.equal(second.sex, 'female')
    refused('number_check', foreigner, '911124198108030025')
  })

  it('still reads the older cards of three letters and twelve digits, by format only', () => {
    assert.deepEqual(parseDocument(foreigner, 'esp 690190041701', now), {
      kind: foreigner,
      number: 'ESP690190041701',
      checked: false,
    })
    refused('number_length', foreigner, 'ESP69019004170')
    refused('number_characters', foreigner, 'ES1690190041701')
    refused('number_characters', foreigner, 'ESP69019004170X')
  })
})

describe('documents known by format only', () => {
  it('keeps of a Hong Kong or Macao travel permit what stays for life', () => {
    const kind = 'hk-macao-travel-permit'
    assert.deepEqual(parseDocument(kind, 'h00000001', now), { kind, number: 'H00000001', checked: false })
    assert.equal(parseDocument(kind, 'H0000000102', now).number, 'H00000001')
    assert.equal(parseDocument(kind, 'M00000001', now).number, 'M00000001')
    refused('number_region', kind, 'C00000001')
    refused('number_length', kind, 'H0000001')
    refused('number_characters', kind, 'H0000000A')
    refused('number_characters', kind, 'H0000/001')
  })

  it('keeps of a Taiwan travel permit what stays for life', () => {
    const kind = 'taiwan-travel-permit'
    assert.deepEqual(parseDocument(kind, '00000001', now), { kind, number: '00000001', checked: false })
    assert.equal(parseDocument(kind, '0000000102(B)', now).number, '00000001')
    assert.equal(parseDocument(kind, '0000000102（Ｂ）', now).number, '00000001')
    refused('number_length', kind, '000000010')
    refused('number_characters', kind, '0000000A')
    refused('number_characters', kind, '00000001(B)')
  })

  it('takes passports of five to nine letters and digits', () => {
    const kind = 'passport'
    assert.deepEqual(parseDocument(kind, 'xx 0000001', now), { kind, number: 'XX0000001', checked: false })
    refused('number_length', kind, 'X001')
    refused('number_length', kind, 'XX00000001')
    refused('number_characters', kind, 'XX00ß001')
  })
})

describe('document kinds', () => {
  it('are a closed list', () => {
    for (const kind of documentKinds) assert.equal(parseDocumentKind(kind), kind)
    for (const text of ['', 'driving-licence', 'constructor', '__proto__'])
      assert.throws(
        () => parseDocumentKind(text),
        (error) => isAppError(error, 'document_kind_unknown'),
      )
    refused('document_kind_unknown', 'toString' as DocumentKind, '1')
  })
})

describe('showing numbers', () => {
  it('groups 6-8-4 and leaves other lengths alone', () => {
    assert.equal(groupNumber('11010519491231002X'), '110105 19491231 002X')
    assert.equal(groupNumber('H00000001'), 'H00000001')
  })

  it('masks all but the first and the last character', () => {
    assert.equal(maskNumber('11010519491231002X'), '1****************X')
    assert.equal(maskNumber('H00000001'), 'H*******1')
    assert.equal(maskNumber('12'), '**')
    assert.equal(maskNumber(''), '')
  })

  it('finds no date of birth where a number holds none', () => {
    assert.equal(birthDateIn('ESP690190041701'), undefined)
    assert.equal(birthDateIn('00000001'), undefined)
  })
})
