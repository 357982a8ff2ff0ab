import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { AppError, isAppError, publicSentence, type ErrorCode } from '#src/errors.ts'

const table = readFileSync(resolve(import.meta.dirname, '../src/errors.ts'), 'utf8')
const codes = [...table.slice(0, table.indexOf('as const satisfies')).matchAll(/^ {2}(\w+): \{/gm)].map(
  ([, code]) => code as ErrorCode,
)

describe('An AppError', () => {
  it('knows its code, and keeps detail and cause for the log', () => {
    const cause = new TypeError('x')
    const error = new AppError('conflict', { detail: 'the version moved on', cause })
    assert.ok(error instanceof Error)
    assert.deepEqual(
      [error.name, error.code, error.status, error.detail, error.cause],
      ['AppError', 'conflict', 409, 'the version moved on', cause],
    )
    assert.equal(error.message, 'conflict: the version moved on')
    assert.equal(new AppError('conflict').message, 'conflict')
  })

  it('says to a citizen its public sentence and nothing of the detail', () => {
    const error = new AppError('internal', { detail: 'the wiring' })
    assert.notEqual(error.sentence('zh'), error.sentence('en'))
    for (const locale of ['zh', 'en'] as const) {
      assert.ok(!error.sentence(locale).includes('wiring'))
      assert.equal(error.sentence(locale), publicSentence('internal', locale))
    }
  })

  it('is told from other errors, and by its code', () => {
    const error: unknown = new AppError('not_found')
    assert.equal(isAppError(error), true)
    assert.equal(isAppError(error, 'not_found'), true)
    assert.equal(isAppError(error, 'conflict'), false)
    for (const other of [new Error('not_found'), { code: 'not_found' }, null, undefined, 'not_found'])
      assert.equal(isAppError(other), false)
  })

  it('has a sentence in both languages and a fitting status for every code', () => {
    assert.ok(codes.length > 20)
    for (const code of codes) {
      const error = new AppError(code)
      assert.ok(error.status >= 400 && error.status < 600, code)
      assert.match(error.sentence('zh'), /\p{Script=Han}.*。$/u, code)
      assert.match(error.sentence('en'), /^[A-Z][^\p{Script=Han}]*\.$/u, code)
    }
  })

  it('gives no sentence for what is no code, also not for what every object has', () => {
    for (const text of ['', 'nonsense', 'toString', '__proto__', 'constructor'])
      assert.equal(publicSentence(text, 'zh'), undefined, text)
  })
})
