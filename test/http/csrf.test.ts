import { strict as assert } from 'node:assert'
import type { NextFunction, Request, Response } from 'express'
import { isAppError } from '#src/errors.ts'
import { refuseForeignOrigins } from '#src/http/csrf.ts'

const own = 'https://id.example.gov.cn'
const foreign = 'https://evil.example'

/** What the guard says of a request. */
function refused(method: string, headers: Record<string, string>): boolean {
  let thrown: unknown = 'not called'
  const next: NextFunction = (error?: unknown) => (thrown = error)
  refuseForeignOrigins(own)({ method, headers } as Request, {} as Response, next)
  if (thrown !== undefined) assert.ok(isAppError(thrown, 'foreign_origin'), String(thrown))
  return thrown !== undefined
}

describe('The guard against forms of other sites', () => {
  const cases: [site: string | undefined, origin: string | undefined, allowed: boolean][] = [
    ['same-origin', own, true],
    ['same-origin', undefined, true],
    ['same-origin', foreign, false],
    ['same-origin', 'null', false],
    [undefined, own, true],
    [undefined, undefined, false],
    [undefined, 'null', false],
    [undefined, foreign, false],
    [undefined, `${own}/`, false],
    [undefined, `${own}.evil.example`, false],
    [undefined, own.replace('https', 'http'), false],
    ['same-site', own, false],
    ['same-site', undefined, false],
    ['cross-site', own, false],
    ['cross-site', foreign, false],
    ['none', undefined, false],
    ['none', own, false],
    ['', own, false],
  ]
  for (const [site, origin, allowed] of cases)
    it(`${allowed ? 'lets through' : 'refuses'} Sec-Fetch-Site ${site ?? 'absent'} with Origin ${origin ?? 'absent'}`, () => {
      const headers = { ...(site !== undefined && { 'sec-fetch-site': site }), ...(origin !== undefined && { origin }) }
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE'])
        assert.equal(refused(method, headers), !allowed, method)
    })

  it('does not stand in the way of reading', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      assert.equal(refused(method, { 'sec-fetch-site': 'cross-site', origin: foreign }), false)
  })
})
