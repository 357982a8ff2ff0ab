import { strict as assert } from 'node:assert'
import { resolve } from 'node:path'
import { loadConfig } from '#src/config.ts'
import { AppError } from '#src/errors.ts'
import { errorPage, notFound } from '#src/http/error-page.ts'
import { parseForm } from '#src/http/input.ts'
import { createLogger } from '#src/http/log.ts'
import { createPages } from '#src/http/pages.ts'
import { rememberVisit } from '#src/http/visit.ts'
import { loadWords } from '#src/http/words.ts'
import { serve, type Web } from '../support/web.ts'

const root = resolve(import.meta.dirname, '../..')

describe('The error page', () => {
  const lines: string[] = []
  let web: Web
  before(async () => {
    const views = resolve(root, 'views')
    const { city } = loadConfig(resolve(root, 'config'), {})
    const pages = createPages({ views, words: await loadWords(resolve(views, 'locales')), city, reload: false })
    const log = createLogger('info', { write: (line: string) => void lines.push(line) })
    web = await serve((app) => {
      app.use(rememberVisit({ secure: false }))
      app.get('/known', () => {
        throw new AppError('register_unavailable', { detail: 'the register answered 502' })
      })
      app.get('/bug', () => {
        throw new TypeError('cannot read 13800000000')
      })
      app.get('/later', async () => Promise.reject(new Error('secret text')))
      app.get('/nothing', () => Promise.reject(null))
      app.get('/half', (_request, response) => {
        response.write('half an answer')
        throw new Error('secret text')
      })
      app.get('/item/:id', (_request, response) => response.end())
      app.post('/form', parseForm, (_request, response) => response.end())
      app.use(notFound, errorPage(pages, log))
    })
  })
  after(() => web.close())
  beforeEach(() => void (lines.length = 0))

  async function get(path: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
    const response = await fetch(`${web.url}${path}`, { headers: { accept: 'text/html', ...headers }, ...init })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  const silent = (text: string) => {
    for (const secret of ['13800000000', 'secret text', 'answered 502', 'TypeError', '.ts:', 'node_modules'])
      assert.ok(!text.includes(secret), `${secret} in ${text}`)
  }

  it('says the public sentence in the language of the visitor, and the 编号', async () => {
    for (const [lang, sentence] of [
      ['zh', new AppError('register_unavailable').sentence('zh')],
      ['en', new AppError('register_unavailable').sentence('en')],
    ] as const) {
      const { status, text, headers } = await get(`/known?lang=${lang}`)
      assert.equal(status, 503)
      assert.match(headers.get('content-type') ?? '', /^text\/html/)
      assert.equal(headers.get('cache-control'), 'no-store')
      assert.ok(text.includes(sentence), text)
      assert.ok(text.includes(headers.get('x-request-id') as string))
      silent(text)
    }
  })

  it('is JSON for programs', async () => {
    const { status, text, headers } = await get('/known', { accept: 'application/json', 'accept-language': 'en' })
    assert.equal(status, 503)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.deepEqual(JSON.parse(text), {
      error: 'register_unavailable',
      message: new AppError('register_unavailable').sentence('en'),
      reference: headers.get('x-request-id'),
    })
  })

  it('is a page where nothing or everything is accepted', async () => {
    for (const accept of ['*/*', 'text/html,application/json;q=0.9', 'image/png', ''])
      assert.match((await get('/known', { accept })).headers.get('content-type') ?? '', /^text\/html/, accept)
  })

  it('shows nothing of an unexpected failure, and the log has it under the same 编号', async () => {
    for (const path of ['/bug', '/later', '/nothing']) {
      lines.length = 0
      for (const accept of ['text/html', 'application/json']) {
        const { status, text, headers } = await get(path, { accept })
        assert.equal(status, 500, path)
        silent(text)
        const line = JSON.parse(lines.at(-1) ?? '') as { reference: string; level: number; err: { code: string } }
        assert.deepEqual([line.reference, line.level, line.err.code], [headers.get('x-request-id'), 50, 'internal'])
      }
      assert.ok(!lines.join().includes('13800000000') && !lines.join().includes('secret text'))
    }
  })

  it('has an answer of our own for what the parsers refuse', async () => {
    const post = (body: string, type = 'application/x-www-form-urlencoded') =>
      get('/form', {}, { method: 'POST', body, headers: { accept: 'application/json', 'content-type': type } })
    assert.equal((await post('a=1')).status, 200)
    assert.equal((await post('a'.repeat(20_000))).status, 413)
    assert.equal((await post('a=1', 'application/x-www-form-urlencoded; charset=klingon')).status, 400)
    assert.equal((await get('/item/%E0%A4%A')).status, 400)
    assert.ok(
      lines.every((line) => (JSON.parse(line) as { level: number }).level === 30),
      'no fault of ours',
    )
  })

  it('answers an unknown address with 404', async () => assert.equal((await get('/none')).status, 404))

  it('cuts off an answer that was half sent, and logs why', async () => {
    await assert.rejects(get('/half'))
    assert.equal((JSON.parse(lines[0] ?? '') as { err: { code: string } }).err.code, 'internal')
  })

  it('never leads away from here by its links, whatever the address looks like', async () => {
    for (const path of [
      '//x//evil.example/',
      '///evil.example',
      '//[',
      '/\\\\evil.example',
      '/..//evil.example',
      '/a?b=//c',
    ]) {
      const answer = await web.raw(`GET ${path} HTTP/1.1`, 'Host: a', 'Accept: text/html')
      assert.match(answer, /^HTTP\/1\.1 404/, path)
      const hrefs = [...answer.matchAll(/href="([^"]*(?:lang|size)=[^"]*)"/g)].map(([, href]) => href as string)
      assert.equal(hrefs.length, 2, answer)
      for (const href of hrefs)
        assert.equal(new URL(href.replaceAll('&amp;', '&'), 'http://here').origin, 'http://here', href)
    }
  })
})
