import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isAppError, type ErrorCode } from '#src/errors.ts'
import { maskName, parseName, sameName } from '#src/identity/name.ts'

function refused(code: ErrorCode, text: string): void {
  assert.throws(
    () => parseName(text),
    (error) => isAppError(error, code),
    JSON.stringify(text),
  )
}

describe('names as stored', () => {
  it('keeps what the document says, rare characters and private-use ones included', () => {
    for (const name of [
      '刘䶮',
      '王𬎆',
      '刘\ue863',
      '〇一',
      '葛\u{e0100}氏',
      '阿依古丽·买买提',
      "Seán O'Brien-Ní Dhónaill",
      'GARCIA LOPEZ, MARIA J.',
      'Мария Иванова',
      'ئايگۈل',
      '𰻝\u{323b0}',
      '张\u{3f000}', // a place for ideographs that no Unicode has filled yet
    ])
      assert.equal(parseName(name), name)
  })

  it('trims and shrinks spaces', () => {
    assert.equal(parseName('　 张三 '), '张三')
    assert.equal(parseName('MARIA \t  GARCIA　LOPEZ'), 'MARIA GARCIA LOPEZ')
  })

  it('stores every middle dot as U+00B7', () => {
    for (const dot of ['·', '•', '‧', '・', '．', '˙', '∙', '⋅', '･', '.', ' · '])
      assert.equal(parseName(`阿依古丽${dot}买买提`), '阿依古丽\u00b7买买提', dot)
    assert.equal(parseName('John F. Smith'), 'John F. Smith')
  })

  it('never normalises: a compatibility ideograph and a decomposed letter stay what they are', () => {
    for (const name of ['\uf9b8山', '\u{2f800}', 'Jose\u0301', '㐀']) assert.equal(parseName(name), name)
  })

  it('takes 100 code points and no more', () => {
    assert.equal(parseName('𬎆'.repeat(100)), '𬎆'.repeat(100))
    refused('name_length', '张'.repeat(101))
  })

  it('refuses what no name holds', () => {
    refused('name_missing', '')
    refused('name_missing', ' 　\n')
    for (const text of [
      '张3',
      '张三１',
      '<b>张',
      '张&三',
      '张\u0000三',
      '张\u200b三',
      '张\u202e三',
      'a\u3164b',
      '张\ud86c',
      '张😀',
      '张\ufffd',
      '·',
      '- .',
      '\u0301a',
      '张@三',
      '张/三',
      '张_三',
    ])
      refused('name_characters', text)
  })

  it('reads back what it stored, and answers anything else with its own errors', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: fc.constantFrom('张', '䶮', '𬎆', '·', '．', '.', ' ', '　', 'a', 'É', '-', "'") }),
    )
    fc.assert(
      fc.property(text, (given) => {
        try {
          const name = parseName(given)
          assert.equal(parseName(name), name)
          assert.ok(sameName(name, given))
        } catch (error) {
          if (!isAppError(error)) throw error
          assert.match(error.code, /^name_/)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('comparing names', () => {
  it('reads an old private-use character as what it stands for', () => {
    assert.ok(sameName('刘\ue863', '刘䶮'))
    assert.ok(sameName('\ue81e', '龴'))
    assert.ok(
      sameName('\ue816\ue817\ue818\ue831\ue83b\ue855', '\u{20087}\u{20089}\u{200cc}\u{215d7}\u{2298f}\u{241fe}'),
    )
    assert.ok(!sameName('刘\ue862', '刘䶮'))
    assert.ok(!sameName('刘\ue865', '刘\ue866'))
  })

  it('agrees with the runtime’s GB 18030 table wherever that left private use', () => {
    const decoder = new TextDecoder('gb18030', { fatal: true })
    let compared = 0
    for (let trail = 0x50, place = 0; trail <= 0xa0; trail++) {
      if (trail === 0x7f) continue
      const decoded = decoder.decode(Uint8Array.of(0xfe, trail))
      const old = String.fromCharCode(0xe815 + place++)
      if (/\p{Co}/u.test(decoded)) continue
      assert.ok(sameName(old, decoded), `FE${trail.toString(16)}`)
      compared++
    }
    assert.ok(compared >= 50, `only ${compared} compared`)
  })

  it('compares Latin names whatever their case, spaces, width and composition', () => {
    assert.ok(sameName('Maria Garcia Lopez', 'MARIA  GARCIA LOPEZ'))
    assert.ok(sameName('Maria Garcia Lopez', 'MARIA GARCIALOPEZ'))
    assert.ok(sameName('ＭＡＲＩＡ', 'maria'))
    assert.ok(sameName('Jose\u0301', 'JOSÉ'))
    assert.ok(sameName('GARCIA LOPEZ, MARIA', 'Garcia Lopez Maria'))
    assert.ok(sameName('O’Brien', "O'BRIEN"))
    assert.ok(!sameName('Maria', 'Mario'))
    assert.ok(!sameName('José', 'Jose'))
  })

  it('compares ideographs exactly', () => {
    assert.ok(sameName('张　三', '张三'))
    assert.ok(sameName('阿依古丽•买买提', '阿依古丽·买买提'))
    for (const [a, b] of [
      ['张三', '張三'],
      ['戸', '户'],
      ['\uf9b8', '\u96b8'],
      ['阿依古丽买买提', '阿依古丽·买买提'],
      ['王𬎆', '王𬎇'],
      ['张三', '张三三'],
    ] as const)
      assert.ok(!sameName(a, b), `${a} ${b}`)
  })

  it('never takes nothing for a name', () => {
    assert.ok(!sameName('', ''))
    assert.ok(!sameName(' ', ''))
  })
})

describe('masking names', () => {
  it('shows the last character only, whole', () => {
    assert.equal(maskName('王𬎆'), '*𬎆')
    assert.equal(maskName('刘䶮'), '*䶮')
    assert.equal(maskName('阿依古丽·买买提'), '*******提')
    assert.equal(maskName('诸葛\u{e0100}'), '*葛\u{e0100}')
    assert.equal(maskName('Jose\u0301'), '***e\u0301')
  })

  it('shows nothing of a single character', () => {
    assert.equal(maskName('𬎆'), '*')
    assert.equal(maskName(''), '')
  })
})
