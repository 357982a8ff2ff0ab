import { strict as assert } from 'node:assert'
import type { NextFunction, Request, Response } from 'express'
import { isAppError } from '#src/errors.ts'
import { field, parseForm } from '#src/http/input.ts'
import { serve, type Web } from '../support/web.ts'

describe('Form input', () => {
  let web: Web
  before(async () => {
    web = await serve((app) => {
      app.post('/', parseForm, (request, response) => void response.json([field(request, 'phone')]))
      app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
        const known = isAppError(error) ? error.status : (error as { status?: number }).status
        response.status(known ?? 500).end()
      })
    })
  })
  after(() => web.close())

  const send = async (body: string | Uint8Array<ArrayBuffer>, type = 'application/x-www-form-urlencoded') => {
    const response = await fetch(web.url, { method: 'POST', body, headers: { 'content-type': type } })
    return response.status === 200 ? ((await response.json()) as string[])[0] : response.status
  }

  it('gives the text of a field, whatever script it is in', async () => {
    assert.equal(await send('phone=a%26b'), 'a&b')
    assert.equal(await send(`phone=${encodeURIComponent('𬎆·ئ')}`), '𬎆·ئ')
  })

  it('gives nothing for a field that is missing, and for a body that is no form', async () => {
    assert.equal(await send('other=1'), '')
    assert.equal(await send('phone'), '')
    assert.equal(await send('{"phone":"1"}', 'application/json'), '')
    assert.equal(await send('phone[a]=1&phone[]=2'), '')
  })

  it('refuses a field that was sent twice', async () => assert.equal(await send('phone=1&phone=2'), 400))

  it('takes no property of the object for a field', () => {
    for (const name of ['constructor', 'toString', '__proto__']) assert.equal(field({ body: {} } as Request, name), '')
    for (const body of [undefined, null, 'text', 7]) assert.equal(field({ body } as Request, 'phone'), '')
    for (const value of [['a'], { a: 1 }, 7, null])
      assert.throws(
        () => field({ body: { phone: value } } as Request, 'phone'),
        (error) => isAppError(error, 'bad_request'),
      )
  })

  it('refuses what is too large or has too many fields', async () => {
    assert.equal(await send(`phone=${'1'.repeat(20_000)}`), 413)
    assert.equal(await send(Array.from({ length: 30 }, (_, n) => `f${n}=1`).join('&')), 413)
  })

  it('survives bytes that are no text', async () => {
    assert.equal(typeof (await send(new Uint8Array([...Buffer.from('phone='), 0xff, 0xfe, 0x00]))), 'string')
    assert.equal(typeof (await send('phone=%ff%zz%')), 'string')
    assert.equal(await send('phone=1', 'application/x-www-form-urlencoded; charset=klingon'), 415)
  })
})
