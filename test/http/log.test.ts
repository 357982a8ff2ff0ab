import { strict as assert } from 'node:assert'
import { AppError } from '#src/errors.ts'
import { createLogger } from '#src/http/log.ts'

describe('The log', () => {
  function logged(level: string, write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
    const lines: string[] = []
    write(createLogger(level, { write: (line: string) => void lines.push(line) }))
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  it('writes one JSON line with time and message', () => {
    const [line] = logged('info', (log) => log.info({ reference: 'ABCDE-FGHJK', status: 200 }, 'request'))
    assert.deepEqual(
      { ...line, time: 0 },
      { level: 30, time: 0, reference: 'ABCDE-FGHJK', status: 200, msg: 'request' },
    )
    assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  it('leaves out what names somebody or opens something, at any depth and inside lists', () => {
    const secret = 'SECRET'
    const names = ['phone', 'number', 'name', 'code', 'token', 'secret', 'authorization', 'cookie', 'password', 'body']
    names.push('url', 'address', 'person', 'id_token', 'client_secret', 'phone_number', 'id_number', 'headers', 'query')
    const leaf = { ...Object.fromEntries(names.map((name) => [name, { deeper: secret }])), kept: 1 }
    const [line] = logged('info', (log) =>
      log.info({ ...leaf, a: leaf, b: { c: { d: { e: leaf } } }, list: [[leaf]] }, 'm'),
    )
    const text = JSON.stringify(line)
    assert.ok(!text.includes(secret), text)
    assert.equal(text.match(/"kept":1/g)?.length, 4)
  })

  it('ends at a circle', () => {
    const circle: Record<string, unknown> = { kept: 1 }
    circle['self'] = circle
    assert.equal(logged('info', (log) => log.info({ circle }, 'm')).length, 1)
  })

  it('tells kind, code, detail and place of an error and its causes, and no message of theirs', () => {
    const cause = Object.assign(new TypeError('quotes 13800000000'), { code: 'EINPUT' })
    const error = new AppError('storage_unavailable', { detail: 'the disk is full', cause })
    for (const key of ['err', 'other']) {
      const [line] = logged('info', (log) => log.error({ [key]: error }, 'refused'))
      const said = line?.[key] as Record<string, unknown> & { cause: Record<string, unknown> }
      assert.deepEqual(
        [said['kind'], said['code'], said['detail']],
        ['AppError', 'storage_unavailable', 'the disk is full'],
      )
      assert.match(String(said['stack']), /^ {4}at .*log\.test\.ts/)
      assert.deepEqual([said.cause['kind'], said.cause['code']], ['TypeError', 'EINPUT'])
      assert.ok(!JSON.stringify(line).includes('13800000000'))
    }
  })

  it('is as quiet as it is told', () => {
    assert.equal(logged('warn', (log) => log.info('m')).length, 0)
    assert.equal(logged('silent', (log) => log.fatal('m')).length, 0)
  })
})
